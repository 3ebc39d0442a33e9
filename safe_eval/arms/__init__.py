"""The table of arms: examples, clusters, slices and scores of every model under every condition."""
