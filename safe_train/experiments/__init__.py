"""The experiments of the research plan: each is one command that ends in a table and a verdict."""
