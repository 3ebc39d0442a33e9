"""The training stages and their learning-rate schedule."""
