"""Morphemes and negation: which words negate which."""
