"""Read the files of the g2pM package without running code from them.

g2pM (Park and Lee 2020, arXiv 2004.03136) ships its network and tables as pickles. A pickle may
call anything when it is read, so the reader here allows the three names that a dictionary of numpy
arrays needs and nothing else. The package itself is never imported: importing it costs nothing
more, but its class loads the same files without that guard.
"""

from __future__ import annotations

import importlib.util
import io
import pickle
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from yinzi.errors import ConfigError, MissingExtra

__all__ = ["NetworkFiles", "read_network_files"]

_PARAMETERS = {
    "embedding.weight": (-1, 64),
    **{
        f"lstm.{name}_l0{direction}": shape
        for direction in ("", "_reverse")
        for name, shape in {
            "weight_ih": (128, 64),
            "weight_hh": (128, 32),
            "bias_ih": (128,),
            "bias_hh": (128,),
        }.items()
    },
    "logit_layer.0.weight": (32, 64),
    "logit_layer.0.bias": (32,),
    "logit_layer.2.weight": (-1, 32),
    "logit_layer.2.bias": (-1,),
}


@dataclass(frozen=True)
class NetworkFiles:
    """What the g2pM package ships.

    Attributes:
        parameters: float32 arrays by their name in the network.
        character_ids: row of the embedding of each character.
        class_ids: output of the network of each reading, such as ``bian3``.
        readings: readings of each hanzi; those with more than one are what the network decides.
    """

    parameters: dict[str, NDArray[np.float32]]
    character_ids: dict[str, int]
    class_ids: dict[str, int]
    readings: dict[str, list[str]]


def read_network_files(folder: Path | None = None) -> NetworkFiles:
    """Read the four files of g2pM.

    Args:
        folder: where they are; by default in the installed package.

    Raises:
        MissingExtra: the package is not installed.
        ConfigError: a file is missing, damaged, or holds something else than expected.
    """
    if folder is None:
        spec = importlib.util.find_spec("g2pM")
        if spec is None or spec.origin is None:
            raise MissingExtra("labelling needs the package g2pM: pip install 'yinzi[train]'")
        folder = Path(spec.origin).parent
    parameters = _read(folder / "np_ckpt.pkl")
    for name, shape in _PARAMETERS.items():
        found = getattr(parameters.get(name), "shape", ())
        if len(found) != len(shape) or any(
            want not in (-1, got) for want, got in zip(shape, found, strict=True)
        ):
            raise ConfigError(
                f"{folder / 'np_ckpt.pkl'}: {name} has shape {found}, expected {shape} "
                "(-1: any); install g2pM 0.1.2.5"
            )
    return NetworkFiles(
        {name: np.asarray(parameters[name], dtype=np.float32) for name in _PARAMETERS},
        _read(folder / "char2idx.pkl"),
        _read(folder / "class2idx.pkl"),
        _read(folder / "digest_cedict.pkl"),
    )


class _ArrayUnpickler(pickle.Unpickler):
    """Unpickle containers of plain values and numpy arrays; refuse every other name."""

    def find_class(self, module: str, name: str) -> Any:
        if module in ("numpy.core.multiarray", "numpy._core.multiarray") and name == "_reconstruct":
            # numpy 2 keeps the old module name only with a warning.
            return _reconstruct_array
        if module == "numpy" and name in ("ndarray", "dtype"):
            return getattr(np, name)
        raise pickle.UnpicklingError(f"{module}.{name} is not allowed")


def _reconstruct_array(kind: type, shape: tuple[int, ...], code: bytes) -> NDArray[Any]:
    """Make the empty array that unpickling then fills, as numpy's own function does."""
    if kind is not np.ndarray:
        raise pickle.UnpicklingError(f"{kind.__name__} is not allowed")
    array: NDArray[Any] = np.ndarray.__new__(np.ndarray, shape, dtype=code.decode("latin-1"))
    return array


def _read(path: Path) -> dict[str, Any]:
    try:
        content = _ArrayUnpickler(io.BytesIO(path.read_bytes())).load()
    except (OSError, EOFError, pickle.UnpicklingError, ValueError, TypeError) as error:
        raise ConfigError(f"cannot read {path}: {error}; install g2pM 0.1.2.5 again") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path} holds a {type(content).__name__}, expected a dictionary")
    return content
