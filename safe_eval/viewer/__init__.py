"""The viewer: every item of every run, and what the scores say of them, as a local page."""
