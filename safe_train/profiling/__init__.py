"""Profiling: the time and memory that training and answers take on this machine, and what fits."""
