"""The report of a run: one self-contained HTML page and a Markdown summary."""
