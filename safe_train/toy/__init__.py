"""The embedded default: a tiny vision-language model and how it is taught."""
