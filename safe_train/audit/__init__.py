"""The audit: what a planned training will train, and the memory that it will need, from a config alone."""
