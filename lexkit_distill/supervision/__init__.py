"""Choose the senses that supervise each position.

Data flow: store -> `relations` (of words) -> `candidates` (senses of each token's synonyms and antonyms) -> `nearest`
(the kappa candidates nearest to the teacher's state).
"""
