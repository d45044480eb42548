"""Sweeps: train one student with a grid of settings, and choose a setting by its results on held-out data."""
