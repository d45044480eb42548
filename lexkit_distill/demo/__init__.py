"""``lexkit distill demo``: build a store and a sense dictionary, and compare two students, in a few minutes."""
