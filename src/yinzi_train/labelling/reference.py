"""Label one sentence at a time with the code of pypinyin and g2pM: the slow twin of `Labeller`.

It follows the same rules in plain Python, some forty times as slowly, and shares only the lexicon
and the segmenter with the fast path. Tests and the benchmark compare the two.
"""

from __future__ import annotations

import importlib
import math
import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pypinyin import Style, lazy_pinyin
from pypinyin.constants import PHRASES_DICT
from pypinyin.seg import mmseg

from yinzi.lexicon import Lexicon
from yinzi.text import miu_spans
from yinzi_train.labelling.decision import DecisionOptions
from yinzi_train.labelling.labeller import PASSAGE_LENGTH
from yinzi_train.labelling.readings import (
    NEUTRAL,
    Evidence,
    ambiguous_words,
    citation_reading,
    reading_of,
)

__all__ = ["ReferenceLabeller", "load_g2pm"]


def load_g2pm() -> Any:
    """Return g2pM as its package makes it, without the warnings that its loading gives."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module("g2pM").G2pM()


class ReferenceLabeller:
    """Label sentences one by one; the arguments are those of `Labeller`."""

    def __init__(
        self,
        lexicon: Lexicon,
        word_logprobs: NDArray[np.float32],
        options: DecisionOptions | None = None,
    ) -> None:
        self.options = options or DecisionOptions()
        self.lexicon = lexicon
        self.segmenter = lexicon.segmenter(word_logprobs[: lexicon.n_words])
        self.g2pm = load_g2pm()
        self.class_ids = {text: index for index, text in self.g2pm.idx2class.items()}
        self.shares: dict[tuple[str, int], float] = {}
        self.ambiguous = ambiguous_words(lexicon)
        nodes = np.repeat(np.arange(lexicon.n_nodes), np.diff(lexicon.node_entry))
        for entry in np.flatnonzero(lexicon.lengths(lexicon.entry_word) == 1).tolist():
            hanzi = lexicon.text(int(lexicon.entry_word[entry]))
            syllable = lexicon.node_syllables(int(nodes[entry]))[0]
            self.shares[hanzi, syllable] = math.exp(lexicon.entry_logprob[entry])

    def label(self, text: str) -> list[tuple[int, bool]]:
        """Return the reading of each hanzi and whether it is doubtful."""
        labels: list[tuple[int, bool]] = []
        logits: dict[int, dict[int, float]] = {}
        for start in range(0, len(text), PASSAGE_LENGTH):
            passage = self._logits(text[start : start + PASSAGE_LENGTH])
            logits |= {start + position: known for position, known in passage.items()}
        for start, end in miu_spans(text):
            position = start
            for word_id in self.segmenter.segment_run(text[start:end]).tolist():
                for reading, evidence, is_known in self._read_word(word_id, text[position]):
                    found = self._decide(text[position], reading, evidence, logits.get(position))
                    labels.append((found[0], found[1] or not is_known))
                    position += 1
        return labels

    def _read_word(self, word_id: int, hanzi: str) -> list[tuple[int, Evidence, bool]]:
        """Return for each hanzi of a word its reading, the evidence, and whether it is listed."""
        if word_id == self.lexicon.n_words:
            return [(_pypinyin(hanzi)[0], Evidence.HANZI, False)]
        word = self.lexicon.text(word_id)
        if len(word) == 1:
            syllable, tone = self.lexicon.main_reading(word_id)[0]
            reading = citation_reading(word, syllable * 8 + tone)
            texts = self.g2pm.cedict.get(word, [])
            if len(texts) == 1 and texts[0].endswith("5") and reading_of(texts[0]) >> 3 == syllable:
                reading = reading_of(texts[0])
            return [(reading, Evidence.HANZI, True)]
        evidence = []
        for part in [word] if word in PHRASES_DICT else mmseg.seg.cut(word):
            kind = Evidence.AMBIGUOUS if part in self.ambiguous else Evidence.PHRASE
            if len(part) == 1 or part not in PHRASES_DICT:
                kind = Evidence.COMPOSED
            evidence += [kind] * len(part)
        return [
            (citation_reading(char, reading), kind, True)
            for char, reading, kind in zip(word, _pypinyin(word), evidence, strict=True)
        ]

    def _logits(self, text: str) -> dict[int, dict[int, float]]:
        """Return the outputs of g2pM's network for the readings of each polyphone, by position."""
        choices = {
            position: {
                reading_of(name): self.class_ids[name]
                for name in self.g2pm.cedict.get(char, ())
                if name in self.class_ids and reading_of(name) >= 0
            }
            for position, char in enumerate(text)
        }
        choices = {position: known for position, known in choices.items() if len(known) > 1}
        if not choices:
            return {}
        outputs = _run_g2pm(self.g2pm, text, list(choices))
        return {
            position: {reading: float(row[class_id]) for reading, class_id in known.items()}
            for (position, known), row in zip(choices.items(), outputs, strict=True)
        }

    def _decide(
        self, hanzi: str, word_reading: int, evidence: Evidence, logits: dict[int, float] | None
    ) -> tuple[int, bool]:
        if logits is None:
            return word_reading, False
        options = self.options
        total = math.log(sum(math.exp(value) for value in logits.values()))
        scores = {reading: value - total for reading, value in logits.items()}
        if evidence == Evidence.HANZI:
            for reading in scores:
                share = self.shares.get((hanzi, reading >> 3), 0.0)
                scores[reading] += options.share_weight * math.log(share + options.share_floor)
        if word_reading >= 0:
            scores.setdefault(word_reading, options.unlisted_logprob)
            scores[word_reading] += float(options.bonuses()[evidence])
        chosen = max(scores, key=lambda reading: scores[reading])
        probability = 1 / sum(math.exp(score - scores[chosen]) for score in scores.values())
        favoured = max(logits, key=lambda reading: logits[reading])
        disagree = evidence != Evidence.HANZI and favoured != word_reading
        if favoured >> 3 == word_reading >> 3 and NEUTRAL in (favoured & 7, word_reading & 7):
            disagree = False
        return chosen, disagree or probability < options.doubt_probability


def _pypinyin(word: str) -> list[int]:
    texts = lazy_pinyin(
        word,
        style=Style.TONE3,
        neutral_tone_with_five=True,
        v_to_u=False,
        errors=lambda chars: "_" * len(chars),  # no reading, one a hanzi
    )
    return [reading_of(text) for part in texts for text in (part if "_" in part else [part])]


def _run_g2pm(g2pm: Any, text: str, positions: list[int]) -> NDArray[np.float64]:
    """Do what `G2pM.predict` does for one sentence, up to its last line, which takes the best."""
    unknown = g2pm.char2idx["<UNK>"]
    ids = [g2pm.char2idx.get(char, unknown) for char in text]
    inputs = np.array([[g2pm.char2idx["시"], *ids, g2pm.char2idx["끝"]]], dtype=np.int32)
    lengths = [inputs.shape[1]]
    forward = g2pm.get_embedding(inputs)
    backward = g2pm.get_embedding(g2pm.reverse_sequence(inputs, lengths))
    forward_states = backward_states = None
    forward_hidden, backward_hidden = [], []
    for step in range(lengths[0]):
        forward_states = g2pm.fw_lstm_cell(forward[:, step, :], forward_states)
        backward_states = g2pm.bw_lstm_cell(backward[:, step, :], backward_states)
        forward_hidden.append(forward_states[0])
        backward_hidden.append(backward_states[0])
    hidden = np.concatenate(
        [
            np.stack(forward_hidden, axis=1),
            g2pm.reverse_sequence(np.stack(backward_hidden, axis=1), lengths),
        ],
        axis=2,
    )[0]
    outputs: NDArray[np.float64] = g2pm.fc_layer(hidden[[position + 1 for position in positions]])
    return outputs
