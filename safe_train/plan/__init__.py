"""The plan: its file, the order of its steps, what was run, and the launch checklist."""
