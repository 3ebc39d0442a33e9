"""Judge scores by criteria: go, no-go, or not measured."""
