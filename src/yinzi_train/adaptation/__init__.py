"""Adapt a finished artifact to a user's own texts."""
