"""Fit a temperature on dev answers, and measure the calibration of test answers before and after it."""
