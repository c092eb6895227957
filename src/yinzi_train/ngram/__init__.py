"""Count n-grams of text, smooth and prune them, and write the tables of a language model."""
