"""How often intervals hold the truth and tests reject a true null: one topic a file."""
