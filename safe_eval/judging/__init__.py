"""Judging: criteria and the evidence for them in the scores → a verdict."""
