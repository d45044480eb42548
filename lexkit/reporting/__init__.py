"""Seeing a store: the report, one page of HTML with everything in it, and pictures of a word's neighbourhood."""

DEFAULT_LIMIT = 250_000
"""Relations that a report carries at most unless told otherwise: about two megabytes of the page."""
