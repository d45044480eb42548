"""Sense dictionaries and distillation from a teacher language model and a lexkit store (DSKD, arXiv 2602.22351).

Importing this package imports neither torch nor transformers. Modules that need them report it when they are used.
"""
