"""A test of what a language model knows of words, made from a store."""
