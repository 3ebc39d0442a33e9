"""Ratios against named references, each on the same work in the same run: `python -m benchmarks NAME`."""
