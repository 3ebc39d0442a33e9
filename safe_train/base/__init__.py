"""The frozen base model: load it, freeze it, ask it."""
