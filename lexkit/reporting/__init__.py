"""Show a store: the report, a self-contained HTML page, and pictures of a word's neighbourhood."""

DEFAULT_LIMIT = 250_000
"""Most relations in a report by default, which make a page of about two megabytes."""
