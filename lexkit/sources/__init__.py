"""Readers, one for each resource. They yield typed records (`lexkit.sources.records`) and never touch the store."""
