"""The audio pathway: projector, gated fusion, and the model that joins it to the base."""
