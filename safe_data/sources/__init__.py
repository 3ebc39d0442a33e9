"""One corpus per file: `read(root)` yields records, or rejected rows with the reason."""
