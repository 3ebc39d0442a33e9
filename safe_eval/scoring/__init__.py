"""Scoring: predictions → cells → metrics, comparisons and measures → scores.json and items.parquet."""
