"""A made world of pictures, sounds and questions, for demos and tests."""
