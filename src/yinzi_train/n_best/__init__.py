"""Candidate lists of the production decoder: what a neural model is sharpened on.

`make_lists` converts sentences of a dataset with an artifact and keeps, for each run of hanzi, the
best candidates with what everything but the neural model says of them; `NBestLists` reads them.
"""

from yinzi_train.n_best.lists import NBestBatch, NBestLists, open_lists
from yinzi_train.n_best.making import ListOptions, make_lists

__all__ = ["ListOptions", "NBestBatch", "NBestLists", "make_lists", "open_lists"]
