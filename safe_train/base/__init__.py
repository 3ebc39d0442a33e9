"""The frozen base model: load it, freeze it, prompt it, read its answers."""
