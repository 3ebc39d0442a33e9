"""The order in which samples are read: shuffled, mixed, or by curriculum."""
