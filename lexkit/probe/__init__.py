"""Make test items from a store that show what a language model knows about words."""
