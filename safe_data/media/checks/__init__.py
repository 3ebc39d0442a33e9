"""What a format lets one check about a file before it is decoded: one format a file."""
