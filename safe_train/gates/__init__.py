"""Gates: what decides, before any sound is opened, whether a question is answered with its sound."""
