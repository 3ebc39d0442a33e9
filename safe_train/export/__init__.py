"""Export: a checkpoint as a folder for others, with a model card, and how they load and ask it."""
