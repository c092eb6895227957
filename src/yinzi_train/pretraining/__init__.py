"""Pretrain small Chinese models from scratch on a dataset: masked, causal, and text-to-text."""
