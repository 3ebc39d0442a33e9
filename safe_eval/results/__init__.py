"""One table of scores.json per file, each a pure function of the arms."""
