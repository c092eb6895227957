"""Hold all settings of a decoder, and read them from an artifact's manifest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Final

from yinzi.decoding.beam import BeamOptions
from yinzi.decoding.fusion_options import FusionOptions
from yinzi.decoding.lattice import LatticeOptions
from yinzi.errors import ConfigError
from yinzi.pinyin import GraphOptions
from yinzi.user.options import UserOptions

__all__ = ["DecoderOptions"]

_FUSED_BEAM: Final = BeamOptions(
    beam_width=12, word_logprob=-0.8, encoder_weight=0.35, prior_weight=-0.05
)


@dataclass(frozen=True)
class DecoderOptions:
    """All settings of a decoder; an artifact's manifest holds the tuned ones.

    Attributes:
        graph: penalties of the ways to read letters.
        lattice: words considered.
        beam: width and weights of the search.
        fusion: how a neural model takes part, where there is one.
        fused_beam: width and weights of the search with a neural model.
        user: how much a user's own words and choices count.
    """

    graph: GraphOptions = field(default_factory=GraphOptions)
    lattice: LatticeOptions = field(default_factory=LatticeOptions)
    beam: BeamOptions = field(default_factory=BeamOptions)
    fusion: FusionOptions = field(default_factory=FusionOptions)
    fused_beam: BeamOptions = field(default_factory=lambda: _FUSED_BEAM)
    user: UserOptions = field(default_factory=UserOptions)

    @classmethod
    def from_parameters(cls, parameters: Mapping[str, Any]) -> DecoderOptions:
        """Read options from a table with a table for each attribute.

        >>> DecoderOptions.from_parameters({"beam": {"beam_width": 5}}).beam.beam_width
        5

        Raises:
            ConfigError: a table or a key is unknown.
        """
        kinds = {
            "graph": GraphOptions,
            "lattice": LatticeOptions,
            "beam": BeamOptions,
            "fusion": FusionOptions,
            "fused_beam": BeamOptions,
            "user": UserOptions,
        }
        tables = {}
        for name, table in parameters.items():
            if name not in kinds:
                raise ConfigError(f"unknown decoder table {name!r}: expected {sorted(kinds)}")
            known = {option.name for option in fields(kinds[name])}
            unknown = sorted(set(table) - known)
            if unknown:
                raise ConfigError(f"unknown {name} options {unknown}: expected {sorted(known)}")
            tables[name] = kinds[name](**table)
        return cls(**tables)
