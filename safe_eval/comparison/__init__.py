"""Compare two predictions files example by example, and plan how many examples a difference needs."""
