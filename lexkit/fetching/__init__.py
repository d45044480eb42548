"""Download sources from their publishers into the cache: complete, checked, and resumed after any interruption."""
