"""Which senses supervise a position: relations of words, candidates of tokens, and the nearest of them.

The path of the data: a store -> `relations` -> `candidates` (senses of each token's synonyms and antonyms) -> `nearest`
(the kappa of them that are nearest to the teacher's state).
"""
