"""Answers to questions about sounds that need no language model, to stand beside those of models."""
