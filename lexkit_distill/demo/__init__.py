"""``lexkit distill demo``: from nothing to a comparison of two students in some minutes."""
