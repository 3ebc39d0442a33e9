"""Measure facts about a dataset and check them against suites of expectations."""
