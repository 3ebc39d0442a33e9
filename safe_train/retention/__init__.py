"""Keep the base model's behaviour while the pathway learns."""
