"""Have people label answers, and compare their labels with the scores."""
