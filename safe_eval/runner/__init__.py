"""Run a model: every example of a dataset under every condition."""
