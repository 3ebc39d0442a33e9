"""Explain: what a checkpoint attends to, what its answers rest on, and whether these maps can be believed."""
