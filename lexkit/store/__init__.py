"""The store, one DuckDB file: `build` makes it, `lexicon` reads it, `verify` checks it, `schema.sql` defines it."""
