"""Sweeps: grids and searches over training runs, what each measured, and the rules that choose among them."""
