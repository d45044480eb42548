"""The store, a DuckDB file: `schema.sql` defines it, `build` makes it, `lexicon` reads it, and `verify` checks it."""
