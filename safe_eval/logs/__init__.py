"""Logs: what other harnesses wrote about single answers, read as predictions."""
