"""Calibration statistics on arrays: reliability, proper scores, temperature."""
