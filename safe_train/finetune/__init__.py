"""Fine-tuning: a base as a classifier of sounds, over several seeds, calibrated and judged."""
