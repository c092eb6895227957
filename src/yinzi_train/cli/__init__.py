"""Offer the workshop's stages on the command line."""
