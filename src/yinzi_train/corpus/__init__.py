"""Read text as what is counted in it."""
