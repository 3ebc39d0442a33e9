"""Predict: have a SAFE checkpoint and its base answer a dataset under several conditions at once."""
