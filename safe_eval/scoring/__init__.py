"""Score predictions files: scores.json and items.parquet, and proof that they belong together."""
