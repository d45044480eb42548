"""Roget's Thesaurus of 1911: both Gutenberg texts, and the table of facts in ``data_sources/starter``."""
