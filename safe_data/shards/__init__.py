"""The on-disk format: what lies where, and how to write, read and verify it."""
