"""Fit a temperature on dev answers, and show how honest test confidences are before and after it."""
