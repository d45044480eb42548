"""One reader per resource. Each yields typed records (`lexkit.sources.records`); none touches the store."""
