"""Splits that do not leak: units that stay together, and where each of them goes."""
