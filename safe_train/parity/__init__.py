"""Parity: the proof that a base with a closed gate is the base that was never touched."""
