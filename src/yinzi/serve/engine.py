"""Answer requests with the models of one artifact."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import yinzi
from yinzi.converter import Candidate, Converter
from yinzi.serve.batching import Batcher, units_of
from yinzi.serve.metrics import Metrics
from yinzi.serve.settings import Settings
from yinzi.serve.typing_options import DEFAULT_OPTIONS, TypingOptions, converter_for
from yinzi.session import ConverterEngine

__all__ = ["Engine", "Line", "load_converter"]

_KEPT_CONVERTERS = 64
"""Converters of different options that are kept; each is a few references to the same models."""


class Line(NamedTuple):
    """One input to convert."""

    pinyin: str
    left_context: str
    n_best: int


@dataclass(frozen=True)
class _ConvertKind:
    """Lines that can be converted together."""

    options: TypingOptions


def load_converter(settings: Settings) -> Converter:
    """Load the artifact of the settings, and everything in it that is loaded when first used."""
    converter = yinzi.load(settings.artifact, uses_encoder=settings.uses_encoder)
    converter.convert("women", left_context="我", n_best=1)
    converter.candidates("xian")
    converter.annotate("音字")
    ConverterEngine(converter.forgiving(english=True), has_late_results=False).warm_up()
    return converter


class Engine:
    """The models of a service, and the queue in front of them.

    Attributes:
        batcher: the queue.
        settings: of the service.
    """

    def __init__(
        self,
        settings: Settings,
        metrics: Metrics,
        *,
        load: Callable[[Settings], Converter] = load_converter,
    ) -> None:
        self.settings = settings
        self.batcher = Batcher(self._convert_lines, settings, metrics)
        self._metrics = metrics
        self._load = load
        self._converter: Converter | None = None
        self._by_options: OrderedDict[TypingOptions, Converter] = OrderedDict()
        self._lock = threading.Lock()

    @property
    def is_ready(self) -> bool:
        """Whether the models are loaded."""
        return self._converter is not None

    async def start(self) -> None:
        """Load the models, then take up work."""
        self._converter = await self.batcher.call_now(lambda: self._load(self.settings))
        self.batcher.start()

    async def close(self) -> None:
        """Finish what was accepted."""
        await self.batcher.close()

    def converter(self, options: TypingOptions = DEFAULT_OPTIONS) -> Converter:
        """Return the converter for options.

        Raises:
            Problem: 422, an option is not available.
        """
        assert self._converter is not None
        with self._lock:
            found = self._by_options.get(options)
            if found is None:
                found = converter_for(self._converter, options)
                self._by_options[options] = found
                if len(self._by_options) > _KEPT_CONVERTERS:
                    self._by_options.popitem(last=False)
            else:
                self._by_options.move_to_end(options)
            return found

    async def convert(self, lines: Sequence[Line], options: TypingOptions) -> list[list[Candidate]]:
        """Return the candidates of each line; see `Batcher.submit` for what is raised."""
        self.converter(options)  # refuses what is not available before it takes a place
        units = [units_of(line.pinyin) for line in lines]
        answers = await self.batcher.submit(_ConvertKind(options), lines, units)
        self._metrics.lines.inc(len(lines))
        self._metrics.candidates.inc(sum(len(answer) for answer in answers))
        return answers

    def _convert_lines(self, kind: Hashable, lines: Sequence[Line]) -> list[list[Candidate]]:
        """Convert lines of several requests; runs in the thread."""
        assert isinstance(kind, _ConvertKind)
        found = self.converter(kind.options).convert_batch(
            [line.pinyin for line in lines],
            left_contexts=[line.left_context for line in lines],
            n_best=max(line.n_best for line in lines),
        )
        return [candidates[: line.n_best] for candidates, line in zip(found, lines, strict=True)]
