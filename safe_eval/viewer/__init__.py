"""Viewer: every item of some runs in a browser, with what each arm was sent and said."""
