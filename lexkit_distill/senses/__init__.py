"""Build sense dictionaries (paper, sections 3.1 and 3.3), and read and write their files.

Data flow: corpus -> `plan` (batches of tokens on disk) -> `collect` (teacher pass, keeps a `sample`) -> `reduce`
(k-means, in `cluster`) -> `dictionary` -> `compose` (words of several tokens) -> `inspect`.
"""
