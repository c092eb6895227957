"""The workshop: build yinzi's lexicon, language models and artifacts from raw text."""
