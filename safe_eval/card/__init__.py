"""Card: the scores of a run in the formats that others read."""
