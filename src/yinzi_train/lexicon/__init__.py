"""Build the lexicon: words, readings and frequencies from published lists and text."""
