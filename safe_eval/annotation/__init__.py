"""Annotation: a person's labels of a sample of answers, and how far scorer and person agree."""
