"""Sounds, pictures and videos: decode them, measure them, and keep their paths inside the root."""
