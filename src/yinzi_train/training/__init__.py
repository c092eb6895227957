"""Train the models on a labelled dataset."""
