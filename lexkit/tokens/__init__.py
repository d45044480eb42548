"""Load tokenizers, and find how they split the words of a store."""
