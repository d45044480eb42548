"""Sense dictionaries (paper, sections 3.1 and 3.3): collect, cluster, compose, and the file format.

The data's way: `corpus` -> `plan` (token batches on disk) -> `collect` (teacher pass, keeps a `sample`) -> `cluster` ->
`dictionary` -> `compose` (words of several tokens) -> `inspect`.
"""
