"""Offer the converter on the command line; the only part of yinzi that imports Typer and Rich."""
