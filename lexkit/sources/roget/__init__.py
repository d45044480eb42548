"""Read Roget's Thesaurus of 1911: both Gutenberg texts, and the table of terms in ``data_sources/starter``."""
