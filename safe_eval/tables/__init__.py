"""Tables: how results are written, as text of 80 columns and in every other format."""
