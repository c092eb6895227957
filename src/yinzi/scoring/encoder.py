"""Run the encoder that ships: an int8 ONNX graph, and the output layer beside it.

The files and the graph are described in `format.md` beside this file. onnxruntime is imported and
the graph is read when something is scored for the first time: who converts without the encoder pays
nothing for it. One thread, and it does not spin: yinzi is a guest in the program that calls it.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import DTypeLike, NDArray

from yinzi.artifact import Artifact
from yinzi.errors import ArtifactError, ConfigError, MissingExtra
from yinzi.scoring.input_lines import InputLines, LineOptions, score_inputs
from yinzi.scoring.input_vocabulary import InputVocabulary
from yinzi.scoring.pair_layer import PairLayer
from yinzi.scoring.pair_table import PairTable
from yinzi.scoring.scorer import ScoredInputs, ScorerInput
from yinzi.scoring.vocabulary_digest import vocabulary_digest

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

__all__ = ["ENCODER_ARRAYS", "ENCODER_GRAPH", "SECTION", "Encoder"]

SECTION: Final = "encoder"
"""Section of an artifact, and table of its parameters."""

ENCODER_GRAPH: Final = "encoder.onnx"
"""File of the graph in the section `encoder` of an artifact."""

ENCODER_ARRAYS: Final[Mapping[str, DTypeLike]] = {
    "input_hanzi": np.uint32,
    "pair_hanzi": np.uint32,
    "pair_syllables": np.int16,
    "pair_counts": np.uint32,
    "pair_weight": np.int8,
    "pair_scales": np.float32,
    "pair_bias": np.float32,
}
"""Arrays beside it, and their types; see `format.md`."""

_OUTPUT: Final = "hidden"


class Encoder:
    """The encoder of an artifact, a `Scorer`.

    Thread safety: `score` is safe from many threads.

    Attributes:
        vocab: what its inputs are numbered by.
        pairs: what it chooses from.
        layer: its output layer.
        options: how inputs are laid out in lines.
    """

    def __init__(
        self,
        graph: Path | bytes,
        arrays: Mapping[str, NDArray[Any]],
        parameters: Mapping[str, Any],
        *,
        label: str = "encoder",
    ) -> None:
        """Check the arrays; the graph is read by the first call that needs it.

        Args:
            graph: the ONNX file, or what is in it.
            arrays: those of `ENCODER_ARRAYS`.
            parameters: table `encoder` of the manifest.
            label: how messages name it.

        Raises:
            ArtifactError: something does not fit, or is of another version's vocabulary.
        """
        self._label = label
        self._graph = graph
        self._lock = threading.Lock()
        self._ort_session: InferenceSession | None = None
        try:
            orders = tuple(int(order) for order in parameters["ngram_orders"])
            rows, window = int(parameters["ngram_rows"]), int(parameters["window"])
            digest = parameters["vocabulary"]
            self.options = LineOptions(orders, rows, window)
        except (KeyError, TypeError, ValueError, ConfigError) as error:
            raise ArtifactError(
                f"{label}: its parameters {dict(parameters)!r} are not those of an encoder "
                f"({error!r}); the manifest is damaged or edited, fetch the artifact again"
            ) from error
        try:
            self.vocab = InputVocabulary("".join(map(chr, arrays["input_hanzi"].tolist())))
        except (ConfigError, ValueError, OverflowError) as error:
            raise ArtifactError(
                f"{label}: input_hanzi.npy is no list of hanzi ({error}); fetch the artifact again"
            ) from error
        self.pairs = PairTable(
            arrays["pair_syllables"], arrays["pair_hanzi"], arrays["pair_counts"]
        )
        self.layer = PairLayer(arrays["pair_weight"], arrays["pair_scales"], arrays["pair_bias"])
        self._check_arrays(arrays)
        found = vocabulary_digest(self.vocab, self.pairs)
        if found != digest:
            raise ArtifactError(
                f"{label}: its vocabulary is {found[:8]}…, it was trained for {str(digest)[:8]}…: "
                "its syllables or hanzi are not those of this version; "
                "use the yinzi that it was made for, or build the artifact again"
            )

    @classmethod
    def from_artifact(cls, artifact: Artifact) -> Encoder:
        """Return the encoder of an artifact.

        Raises:
            ArtifactError: it has none, or one that is damaged or does not fit this version.
        """
        label = f"artifact {artifact.manifest.name!r}: encoder"
        arrays = artifact.arrays(SECTION, dtypes=ENCODER_ARRAYS)
        name = f"{SECTION}/{ENCODER_GRAPH}"
        parameters = artifact.manifest.parameters.get(SECTION)
        if name not in artifact.manifest.files or not isinstance(parameters, Mapping):
            raise ArtifactError(
                f"{label}: the manifest lacks the file {name} or the table {SECTION!r} of its "
                "parameters; it is damaged or edited, fetch the artifact again"
            )
        return cls(artifact.folder / name, arrays, parameters, label=label)

    def score(self, inputs: Sequence[ScorerInput]) -> ScoredInputs:
        """Score inputs together; see `Scorer.score`.

        Inputs longer than the window of the model are scored in overlapping windows.

        Raises:
            ArtifactError: the graph cannot be read; only the first call raises it.
            MissingExtra: onnxruntime is not installed.
        """
        return score_inputs(
            inputs,
            vocab=self.vocab,
            pairs=self.pairs,
            layer=self.layer,
            run_lines=self.run_lines,
            options=self.options,
        )

    def run_lines(self, lines: InputLines) -> NDArray[np.float32]:
        """Return float32 [batch, length, size], what the output layer reads.

        Raises:
            ArtifactError: the graph cannot be read.
            MissingExtra: onnxruntime is not installed.
        """
        feeds = {
            "input_ids": lines.input_ids,
            "input_tones": lines.input_tones,
            "segments": lines.segments,
        }
        if self.options.ngram_orders:
            feeds["ngram_ids"] = lines.ngram_ids
        hidden: NDArray[np.float32] = self._session().run([_OUTPUT], feeds)[0]
        return hidden

    def _session(self) -> InferenceSession:
        with self._lock:
            if self._ort_session is None:
                self._ort_session = self._open()
            return self._ort_session

    def _open(self) -> InferenceSession:
        try:
            import onnxruntime
        except ImportError as error:
            raise MissingExtra(
                "the encoder needs onnxruntime, which cannot be imported "
                f"({error}): install it with pip install onnxruntime, or convert without the "
                "encoder (--no-encoder)"
            ) from error
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = settings.inter_op_num_threads = 1
        settings.log_severity_level = 4  # what goes wrong is told by the error
        settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
        graph = self._graph if isinstance(self._graph, bytes) else str(self._graph)
        try:
            session = onnxruntime.InferenceSession(
                graph, settings, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # the errors of onnxruntime have no base of their own
            raise ArtifactError(
                f"{self._label}: onnxruntime {onnxruntime.__version__} cannot read {ENCODER_GRAPH} "
                f"({error}); the file is damaged, fetch the artifact again, or onnxruntime is too "
                "old: pip install --upgrade onnxruntime"
            ) from error
        expected = {"input_ids", "input_tones", "segments"}
        expected |= {"ngram_ids"} if self.options.ngram_orders else set()
        given = {value.name for value in session.get_inputs()}
        sizes = {value.name: value.shape[-1] for value in session.get_outputs()}
        size = self.layer.weight.shape[1]
        if given != expected or sizes.get(_OUTPUT) != size:
            raise ArtifactError(
                f"{self._label}: {ENCODER_GRAPH} has inputs {sorted(given)} and outputs {sizes}, "
                f"expected {sorted(expected)} and {_OUTPUT!r} of {size}: the graph is of another "
                "encoder, fetch the artifact again"
            )
        return session

    def _check_arrays(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        n_pairs = len(self.pairs)
        for name in ("pair_syllables", "pair_counts", "pair_weight", "pair_scales", "pair_bias"):
            n_dimensions = 2 if name == "pair_weight" else 1
            if len(arrays[name]) != n_pairs or arrays[name].ndim != n_dimensions:
                raise ArtifactError(
                    f"{self._label}: {name}.npy has shape {arrays[name].shape}, expected one row "
                    f"for each of {n_pairs} pairs; fetch the artifact again"
                )
