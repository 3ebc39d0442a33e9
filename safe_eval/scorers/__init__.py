"""One benchmark's scoring rule per file; `scorer.SCORERS` lists them."""
