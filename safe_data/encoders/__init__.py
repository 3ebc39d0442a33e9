"""Audio encoders, one per file; `encoder.load_encoder` finds one by its name."""
