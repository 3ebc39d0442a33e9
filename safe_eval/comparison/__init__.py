"""Comparison: two files of predictions paired by example, and how many examples a difference needs."""
