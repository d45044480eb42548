"""How a tokenizer cuts the words of a store."""
