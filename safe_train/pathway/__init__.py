"""The audio pathway: projector, gate, fusion, and the model that attaches them to the base."""
