"""The floor that everything stands on: errors, files, the command line, tables."""
