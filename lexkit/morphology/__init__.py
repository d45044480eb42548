"""Morphemes, inflections and negation: which words are forms of others, and which negate others."""
