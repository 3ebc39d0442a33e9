"""Precision: what answers, time and memory each precision of a base and its pathway costs here."""
