"""Serve: a checkpoint behind chat completions, as OpenAI's clients ask for them."""
