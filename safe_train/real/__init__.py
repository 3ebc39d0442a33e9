"""Real weights and real sounds, from packages alone: `make real`."""
