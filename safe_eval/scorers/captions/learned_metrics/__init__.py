"""Learned metrics: what pretrained models, which a user names, say about captions."""
