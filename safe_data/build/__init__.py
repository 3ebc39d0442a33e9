"""Build a dataset: pack records into shards, on one process, several, or Ray."""
