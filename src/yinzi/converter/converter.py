"""Convert lines of pinyin to hanzi and hanzi to pinyin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from yinzi.artifact import Artifact
from yinzi.converter.candidate import Candidate, check_count, sentence_candidates
from yinzi.converter.correction import Correction, correct
from yinzi.converter.late_results import LatePolicy
from yinzi.converter.next_words import NextWords
from yinzi.converter.output import OutputForm
from yinzi.converter.typing import Typing
from yinzi.decoding import (
    Abbreviation,
    Decoder,
    DecoderOptions,
    ExplainedHypothesis,
    abbreviation,
    explain,
    feature_weights,
    is_long,
)
from yinzi.errors import ArtifactError, ConfigError, LexiconError
from yinzi.language_model import read_language_model
from yinzi.lexicon import Lexicon
from yinzi.pinyin import (
    FULL_PINYIN,
    SYLLABLES,
    InputScheme,
    Syllable,
    SyllableGraph,
    parse_syllable,
)
from yinzi.pinyin.english import with_english
from yinzi.pinyin.fuzzy import with_fuzzy
from yinzi.pinyin.schemes import get_scheme
from yinzi.pinyin.typing_errors import with_typing_errors
from yinzi.scoring import Scorer
from yinzi.scoring.encoder import Encoder
from yinzi.text import miu_spans
from yinzi.user import UserLexicon
from yinzi.user.learner import Learner

__all__ = ["Converter", "Explanation", "load"]

_CALIBRATED = 20
"""Candidates among which probabilities are calibrated; `yinzi-train fit-ranker` fits on as many."""

BATCH_CHARACTERS = 2_000
"""Characters decoded together in `convert_batch`: 3,000 are 5 % faster and need 10 MiB more."""


@dataclass(frozen=True)
class Explanation:
    """Why candidates stand in their order.

    Attributes:
        candidates: the likeliest texts taken apart, the best first.
        weights: of each feature; see `yinzi.decoding.FEATURES`.
        probabilities: of each candidate among all texts found, as fitted on development sets;
            they add up to at most 1.
    """

    candidates: tuple[ExplainedHypothesis, ...]
    weights: Mapping[str, float]
    probabilities: tuple[float, ...]


class Converter:
    """Convert pinyin with the models of one artifact.

    Thread safety: all methods are safe from many threads.

    Attributes:
        artifact: where the models come from.
        decoder: lattice and search.
        scheme: what typed keys mean.
        output: the form of texts; None leaves them as the models give them.
        temperature: what a `logprob` is multiplied by to be the log of a probability.
        learner: stores what a user commits, None without a user lexicon; see `with_user`.

    >>> import yinzi
    >>> converter = yinzi.load()
    >>> converter.convert("woyaomaijipiao")[0].text
    '我要买机票'
    """

    def __init__(
        self,
        artifact: Artifact,
        *,
        options: DecoderOptions | None = None,
        scorer: Scorer | None = None,
        uses_encoder: bool = True,
        scheme: InputScheme = FULL_PINYIN,
    ) -> None:
        self.artifact = artifact
        self.scheme = scheme
        self.output: OutputForm | None = None
        self.learner: Learner | None = None
        try:
            lexicon = Lexicon(artifact.arrays("lexicon"))
        except LexiconError as error:
            raise ArtifactError(
                f"artifact {artifact.manifest.name!r}: lexicon: {error}; "
                "the artifact is damaged or edited, fetch it again"
            ) from error
        language_model = read_language_model(artifact)
        if lexicon.n_words != language_model.n_words:
            raise ArtifactError(
                f"artifact {artifact.manifest.name!r}: the lexicon has {lexicon.n_words} words, "
                f"the language model {language_model.n_words}; the two are of different builds"
            )
        if options is None:
            try:
                options = DecoderOptions.from_parameters(artifact.parameters("decoder"))
            except (ConfigError, TypeError) as error:
                raise ArtifactError(
                    f"artifact {artifact.manifest.name!r}: bad decoder parameters: {error}"
                ) from error
        if scorer is None and uses_encoder and "encoder" in artifact.manifest.section_bytes():
            scorer = Encoder.from_artifact(artifact)
        self.temperature = float(artifact.parameters("ranker").get("temperature", 1.0))
        self.decoder = Decoder(lexicon, language_model, options=options, scorer=scorer)
        self._next_words = NextWords(self.decoder)

    def with_scheme(self, scheme: InputScheme) -> Converter:
        """Return a converter that reads keys in another way; both share the models.

        >>> import yinzi
        >>> from yinzi.pinyin import FULL_PINYIN
        >>> yinzi.load().with_scheme(FULL_PINYIN).convert("nihao")[0].text
        '你好'
        """
        other = copy(self)
        other.scheme = scheme
        return other

    def with_output(self, output: OutputForm | None) -> Converter:
        """Return a converter whose texts have another form; both share the models.

        `convert`, `convert_batch`, `candidates` and `type_keys` follow it, and take left contexts
        in that form; `explain` and `annotate` do not.

        >>> import yinzi
        >>> from yinzi.converter import OutputForm
        >>> yinzi.load().with_output(OutputForm(punctuation="chinese")).convert("nihao!")[0].text
        '你好！'
        """
        other = copy(self)
        other.output = output
        return other

    def forgiving(
        self, *, fuzzy: Sequence[str] = (), corrects: bool = True, english: bool = False
    ) -> Converter:
        """Return a converter that puts up with accents, typing errors and English words.

        Both share the models.

        >>> import yinzi
        >>> yinzi.load().forgiving().convert("woyaomiajipiao")[0].text
        '我要买机票'

        Args:
            fuzzy: sounds that the typist merges, of `yinzi.pinyin.fuzzy.FUZZY_SWITCHES`.
            corrects: read letters as if one were wrong, too. Only for schemes in which letters are
                pinyin, on a QWERTY keyboard.
            english: read English words, capitals and numbers among the pinyin, too.

        Raises:
            ConfigError: a switch is unknown.
        """
        scheme = with_fuzzy(self.scheme, tuple(fuzzy))
        if corrects:
            scheme = with_typing_errors(scheme, self.decoder.syllable_model)
        if english:
            scheme = with_english(scheme)
        return self.with_scheme(scheme)

    def with_user(self, user: UserLexicon) -> Converter:
        """Return a converter that also knows a user's words and choices; both share the models.

        It follows the user lexicon as it changes, be it changed by this process or another.
        """
        other = copy(self)
        other.decoder = self.decoder.with_user(user)
        other.learner = Learner(user, other.cut)
        return other

    def cut(self, text: str) -> list[str]:
        """Return the words of a run of hanzi, as the language model counts them.

        >>> import yinzi
        >>> yinzi.load().cut("我要买机票")
        ['我', '要', '买', '机票']
        """
        lexicon = self.decoder.lexicon
        words: list[str] = []
        position = 0
        for word in self.decoder.segmenter.segment_run(text).tolist():
            found = text[position] if word == lexicon.n_words else lexicon.text(word)
            words.append(found)
            position += len(found)
        return words

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
        check_count("n_best", n_best)
        if left_contexts is None:
            left_contexts = [""] * len(pinyin)
        if len(left_contexts) != len(pinyin):
            raise ConfigError(
                f"{len(left_contexts)} left contexts for {len(pinyin)} inputs: give one for each"
            )
        written_contexts, output = left_contexts, self.output
        if output is not None:
            left_contexts = [output.read_context(context) for context in left_contexts]
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
        if output is not None:
            results = [
                output.apply(found, left_context=context)
                for found, context in zip(results, written_contexts, strict=True)
            ]
        return results

    def _convert_lines(
        self,
        lines: Sequence[int],
        pinyin: Sequence[str],
        left_contexts: Sequence[str],
        n_best: int,
        results: list[list[Candidate]],
    ) -> None:
        graphs = {line: self.graph(pinyin[line]) for line in lines}
        kinds = {line: abbreviation(graph) for line, graph in graphs.items()}
        for kind in Abbreviation:
            of_kind = [line for line in lines if kinds[line] is kind]
            if of_kind:
                contexts = [self.decoder.left_context(left_contexts[line]) for line in of_kind]
                decoding = self.decoder.decode([graphs[line] for line in of_kind], contexts)
                for row, line in enumerate(of_kind):
                    results[line] = sentence_candidates(decoding, row, n_best)

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

    def type_keys(self, *, left_context: str = "", late_policy: LatePolicy | None = None) -> Typing:
        """Start an input that grows letter by letter; see `Typing`.

        Args:
            left_context: text before the input.
            late_policy: how results of the neural model that come late are shown; None waits for
                them at every letter.
        """
        return Typing(
            self.decoder,
            left_context,
            scheme=self.scheme,
            late_policy=late_policy,
            output=self.output,
        )

    def next_words(self, left_context: str, *, n: int = 5) -> list[Candidate]:
        """Return likely next words after a text, before any letter of them is typed.

        Words that the context makes likelier come first, so that those which fit everywhere do not
        fill the list. None come where the text does not end in hanzi, or nothing is known to follow
        its last word. The candidates consume no letters: `start` and `end` are 0.

        >>> import yinzi
        >>> "知道" in [word.text for word in yinzi.load().next_words("我想")]
        True

        Args:
            left_context: the text so far.
            n: how many at most, at least 1.
        """
        return self._next_words.after(left_context, n=n)

    def explain(self, pinyin: str, *, left_context: str = "", n_best: int = 2) -> Explanation:
        """Return why the likeliest texts for an input stand in their order, feature by feature.

        >>> import yinzi
        >>> explanation = yinzi.load().explain("nihao")
        >>> best = explanation.candidates[0]
        >>> total = sum(explanation.weights[name] * best.features[name] for name in best.features)
        >>> best.text, abs(total - best.logprob) < 1e-3
        ('你好', True)

        Args:
            pinyin: input.
            left_context: text before the input.
            n_best: how many texts, at least 1.
        """
        check_count("n_best", n_best)
        graphs, contexts = [self.graph(pinyin)], [self.decoder.left_context(left_context)]
        decoding = self.decoder.decode(graphs, contexts)
        found = explain(decoding, 0, max(n_best, _CALIBRATED))
        sums = np.array([self.temperature * one.logprob for one in found])
        raised = np.exp(sums - sums.max(initial=-np.inf))
        shares = (raised / raised.sum()).tolist() if len(sums) else []
        return Explanation(
            tuple(found[:n_best]), feature_weights(decoding.options), tuple(shares[:n_best])
        )

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

    def correct(
        self, text: str, *, change_logprob: float | None = None, n_best: int = 1
    ) -> Correction:
        """Return a text with wrong homophones replaced; see `yinzi.converter.correction`."""
        return correct(self, text, change_logprob=change_logprob, n_best=n_best)

    def graph(self, pinyin: str) -> SyllableGraph:
        """Return the graph of a line, with the penalties of the artifact."""
        return SyllableGraph.from_text(pinyin, self.decoder.options.graph, scheme=self.scheme)


def load(
    artifact: str | Path = "base",
    *,
    verify: bool = True,
    uses_encoder: bool = True,
    scheme: str | Path | InputScheme = FULL_PINYIN,
    user: UserLexicon | str | Path | None = None,
) -> Converter:
    """Load an artifact by name or folder.

    Args:
        artifact: "base" ships with yinzi; other names are those of the user's own artifacts, see
            `yinzi.artifact.reader.artifact_home`; or the path of a folder.
        verify: compare every file with the checksum in the manifest.
        uses_encoder: use the artifact's neural model, if it has one; without, the language model
            alone decides, and onnxruntime is not needed.
        scheme: how keys are typed: a name or file for `yinzi.pinyin.schemes.get_scheme`, or the
            scheme itself.
        user: a user lexicon, or its file; none if not given.

    Raises:
        ArtifactError: it is missing, damaged, edited, or of a later format.
        ConfigError: there is no such scheme.
        UserLexiconError: the user lexicon cannot be opened.
    """
    keys = scheme if isinstance(scheme, InputScheme) else get_scheme(scheme)
    opened = Artifact.open(artifact, verify=verify)
    converter = Converter(opened, uses_encoder=uses_encoder, scheme=keys)
    if user is None:
        return converter
    return converter.with_user(user if isinstance(user, UserLexicon) else UserLexicon(user))
