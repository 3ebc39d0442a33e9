"""What commands print: tables of at most 80 columns."""
