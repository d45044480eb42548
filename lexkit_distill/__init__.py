"""Sense dictionaries and decoder-based sense knowledge distillation from a lexkit store.

Not there yet: this release reserves the name. See ``lexkit distill``.
"""
