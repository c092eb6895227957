"""Label text with readings: syllables and tones of its hanzi, and how sure they are."""

from __future__ import annotations

from yinzi_train.labelling.decision import DecisionOptions
from yinzi_train.labelling.files import label_file
from yinzi_train.labelling.labeller import Labeller
from yinzi_train.labelling.labels import Labels

__all__ = ["DecisionOptions", "Labeller", "Labels", "label_file"]
