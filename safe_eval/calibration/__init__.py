"""Calibration: whether confidence is honest, from single bins to files of dev and test answers."""
