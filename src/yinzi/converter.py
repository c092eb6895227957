"""Convert pinyin to hanzi and hanzi to pinyin: the interface that applications use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from yinzi.artifact import Artifact
from yinzi.decoding import Decoder, DecoderOptions, Decoding, is_long
from yinzi.errors import ArtifactError, ConfigError, LexiconError
from yinzi.language_model import LanguageModel
from yinzi.lexicon import Lexicon
from yinzi.pinyin import SYLLABLES, Syllable, SyllableGraph, parse_syllable
from yinzi.text import miu_spans

__all__ = ["Candidate", "Converter", "Typing", "load"]

BATCH_CHARACTERS = 6_000
"""Characters decoded together in `convert_batch`: more lines a call cost memory, not less time."""


@dataclass(frozen=True)
class Candidate:
    """A text offered for an input.

    Attributes:
        text: hanzi, with whatever passed through in its place.
        logprob: natural log, penalties included; comparable among candidates of one input.
        start: first character of the input that it consumes.
        end: character behind the last one.
        kind: "sentence" for the whole input, "word" for its first letters.
        syllables: how its hanzi are read, toneless; text that passed through is one item.
    """

    text: str
    logprob: float
    start: int
    end: int
    kind: Literal["sentence", "word"]
    syllables: tuple[str, ...]


class Converter:
    """Convert pinyin with the models of one artifact.

    Thread safety: all methods are safe from many threads.

    >>> import yinzi
    >>> converter = yinzi.load()
    >>> converter.convert("woyaomaijipiao")[0].text
    '我要买机票'
    """

    def __init__(self, artifact: Artifact, *, options: DecoderOptions | None = None) -> None:
        self.artifact = artifact
        try:
            lexicon = Lexicon(artifact.arrays("lexicon"))
        except LexiconError as error:
            raise ArtifactError(
                f"artifact {artifact.manifest.name!r}: lexicon: {error}; "
                "the artifact is damaged or edited, fetch it again"
            ) from error
        language_model = LanguageModel(
            artifact.arrays("language_model"), _table(artifact, "language_model")
        )
        if lexicon.n_words != language_model.n_words:
            raise ArtifactError(
                f"artifact {artifact.manifest.name!r}: the lexicon has {lexicon.n_words} words, "
                f"the language model {language_model.n_words}; the two are of different builds"
            )
        if options is None:
            try:
                options = DecoderOptions.from_parameters(_table(artifact, "decoder"))
            except (ConfigError, TypeError) as error:
                raise ArtifactError(
                    f"artifact {artifact.manifest.name!r}: bad decoder parameters: {error}"
                ) from error
        self.decoder = Decoder(lexicon, language_model, options=options)

    def convert(self, pinyin: str, *, left_context: str = "", n_best: int = 5) -> list[Candidate]:
        """Return the likeliest texts for a whole input, the best first.

        Any text is accepted: pinyin is converted, all else passes through in its place. An input
        of blanks gives no candidate. Fewer than `n_best` come where fewer are known.

        Args:
            pinyin: letters with or without blanks, tones or apostrophes.
            left_context: text before the input.
            n_best: how many, at least 1.
        """
        return self.convert_batch([pinyin], left_contexts=[left_context], n_best=n_best)[0]

    def convert_batch(
        self,
        pinyin: Sequence[str],
        *,
        left_contexts: Sequence[str] | None = None,
        n_best: int = 5,
    ) -> list[list[Candidate]]:
        """Convert many inputs together; gives what `convert` gives one by one, faster.

        Args:
            pinyin: inputs.
            left_contexts: text before each input, or None.
            n_best: how many candidates each, at least 1.
        """
        _check_count("n_best", n_best)
        if left_contexts is None:
            left_contexts = [""] * len(pinyin)
        if len(left_contexts) != len(pinyin):
            raise ConfigError(
                f"{len(left_contexts)} left contexts for {len(pinyin)} inputs: give one for each"
            )
        results: list[list[Candidate]] = [[] for _ in pinyin]
        # Lines of similar length take similar steps; long ones are searched in another way.
        order = sorted(range(len(pinyin)), key=lambda i: len(pinyin[i]))
        batch: list[int] = []
        n_characters = 0
        for index in order:
            if batch and is_long(pinyin[index]) and not is_long(pinyin[batch[-1]]):
                self._convert_lines(batch, pinyin, left_contexts, n_best, results)
                batch, n_characters = [], 0
            batch.append(index)
            n_characters += len(pinyin[index]) + 1
            if n_characters >= BATCH_CHARACTERS:
                self._convert_lines(batch, pinyin, left_contexts, n_best, results)
                batch, n_characters = [], 0
        if batch:
            self._convert_lines(batch, pinyin, left_contexts, n_best, results)
        return results

    def _convert_lines(
        self,
        lines: Sequence[int],
        pinyin: Sequence[str],
        left_contexts: Sequence[str],
        n_best: int,
        results: list[list[Candidate]],
    ) -> None:
        graphs = [self._graph(pinyin[line]) for line in lines]
        contexts = [self.decoder.context_words(left_contexts[line]) for line in lines]
        decoding = self.decoder.decode(graphs, contexts)
        for row, line in enumerate(lines):
            results[line] = _sentences(decoding, row, n_best)

    def candidates(
        self, pinyin: str, *, left_context: str = "", n_best: int = 5, limit: int = 100
    ) -> list[Candidate]:
        """Return what a candidate window shows: whole-input texts, then words for a prefix.

        Args:
            pinyin: input as typed so far.
            left_context: text before the input.
            n_best: whole-input texts at most.
            limit: candidates in all at most.
        """
        typing = self.type_keys(left_context=left_context)
        return typing.update(pinyin, n_best=n_best, limit=limit)

    def type_keys(self, *, left_context: str = "") -> Typing:
        """Start an input that grows letter by letter; see `Typing`."""
        return Typing(self, left_context)

    def annotate(self, text: str) -> list[tuple[str, Syllable | None]]:
        """Return each character of a text with its syllable; None for all that is no hanzi.

        Polyphones are read as the word they stand in; hanzi that no word covers get their common
        reading, and None if the lexicon does not have them.
        """
        pairs: list[tuple[str, Syllable | None]] = []
        position = 0
        lexicon = self.decoder.lexicon
        for start, end in miu_spans(text):
            pairs += [(char, None) for char in text[position:start]]
            position = start
            for word in self.decoder.segmenter.segment_run(text[start:end]).tolist():
                if word == lexicon.n_words:
                    pairs.append((text[position], None))
                    position += 1
                    continue
                hanzi = lexicon.text(word)
                syllables = lexicon.main_reading(word)
                pairs += [
                    (char, parse_syllable(f"{SYLLABLES[syllable]}{tone}"))
                    for char, (syllable, tone) in zip(hanzi, syllables, strict=True)
                ]
                position += len(hanzi)
        pairs += [(char, None) for char in text[position:]]
        return pairs

    def _graph(self, pinyin: str) -> SyllableGraph:
        return SyllableGraph.from_text(pinyin, self.decoder.options.graph)


class Typing:
    """An input that changes letter by letter; work on unchanged letters is kept.

    Not safe from many threads: one object a typist.

    >>> import yinzi
    >>> typing = yinzi.load().type_keys()
    >>> [typing.update("nihao"[:n])[0].text for n in (2, 5)]
    ['你', '你好']
    """

    def __init__(self, converter: Converter, left_context: str) -> None:
        self._converter = converter
        self._context = converter.decoder.context_words(left_context)
        self._decoding: Decoding | None = None

    def update(self, pinyin: str, *, n_best: int = 5, limit: int = 100) -> list[Candidate]:
        """Return the candidates for the input as it is now; see `Converter.candidates`."""
        _check_count("n_best", n_best)
        _check_count("limit", limit)
        decoder = self._converter.decoder
        graph = self._converter._graph(pinyin)
        if self._decoding is None:
            self._decoding = decoder.decode([graph], [self._context])
        else:
            self._decoding = decoder.extend(self._decoding, graph, self._context)
        candidates = _sentences(self._decoding, 0, min(n_best, limit))
        seen = {candidate.text for candidate in candidates}
        for word in decoder.prefix_words(graph, self._context, limit=limit):
            if word.text not in seen and len(candidates) < limit:
                candidates.append(
                    Candidate(
                        word.text, word.logprob, graph.start, word.end, "word", word.syllables
                    )
                )
        return candidates


def load(artifact: str | Path = "base", *, verify: bool = True) -> Converter:
    """Load an artifact by name or folder.

    Args:
        artifact: "base" ships with yinzi; other names are looked up in ``$YINZI_HOME/artifacts``.
        verify: compare every file with the checksum in the manifest.

    Raises:
        ArtifactError: it is missing, damaged, edited, or of a later format.
    """
    return Converter(Artifact.open(artifact, verify=verify))


def _sentences(decoding: Decoding, line: int, n_best: int) -> list[Candidate]:
    graph = decoding.graphs[line]
    return [
        Candidate(
            hypothesis.text,
            hypothesis.logprob,
            graph.start,
            graph.n,
            "sentence",
            hypothesis.syllables,
        )
        for hypothesis in decoding.hypotheses(line, n_best)
    ]


def _table(artifact: Artifact, name: str) -> Mapping[str, Any]:
    """Return one table of the manifest's parameters; empty if it is not there."""
    table = artifact.manifest.parameters.get(name, {})
    if not isinstance(table, Mapping):
        raise ArtifactError(
            f"artifact {artifact.manifest.name!r}: parameters of the {name} are {table!r}, "
            "expected a table; the manifest is damaged or edited, fetch the artifact again"
        )
    return table


def _check_count(name: str, value: int) -> None:
    if value < 1:
        raise ConfigError(f"{name} is {value}: expected at least 1")
