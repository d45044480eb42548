"""Seeing a store: the report, one page of HTML with everything in it, and pictures of a word's neighbourhood."""
