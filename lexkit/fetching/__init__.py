"""Bringing sources from their publishers into the cache: whole, checked, and resumed after any interruption."""
