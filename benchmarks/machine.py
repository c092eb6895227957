"""Say on what machine a figure was measured, and choose the core that is measured on."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from importlib import metadata
from pathlib import Path

__all__ = ["ONE_THREAD", "artifact_facts", "default_core", "machine_facts"]

_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "RAYON_NUM_THREADS",
)
ONE_THREAD = dict.fromkeys(_THREAD_VARIABLES, "1")  # environment of every measured process


def default_core() -> int | None:
    """Give the last core this process may use, None where cores cannot be chosen."""
    if not hasattr(os, "sched_getaffinity"):
        return None
    return max(os.sched_getaffinity(0))


def machine_facts(*, core: int | None) -> dict[str, object]:
    """Give processor, system, versions and the thread setting, for the head of a JSON result."""
    return {
        "processor": _processor(),
        "n_cores": os.cpu_count(),
        "core": core,
        "threads": 1,
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "numpy": _version("numpy"),
        "yinzi": _version("yinzi"),
    }


def artifact_facts(folder: str | Path) -> dict[str, object]:
    """Give size and manifest hash of an artifact folder.

    The manifest holds the hash of every other file, so its own hash names the whole artifact.
    """
    folder = Path(folder)
    manifest = (folder / "manifest.json").read_bytes()
    n_bytes = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return {
        "name": folder.name,
        "bytes": n_bytes,
        "manifest_sha256": hashlib.sha256(manifest).hexdigest(),
    }


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    if sys.platform.startswith("linux"):
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace")
        for line in text.splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
