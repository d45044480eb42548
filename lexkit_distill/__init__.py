"""Sense dictionaries from a teacher language model and a lexkit store (DSKD, arXiv 2602.22351).

Importing this package imports neither torch nor transformers; the modules that need them say so when they are used.
"""
