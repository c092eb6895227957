"""Bring the processes of a run together: one group, one folder.

accelerate would make the group itself, but forgets the time limit where it trains without GPUs, so
that the others would give up on the first process after half an hour of counting.
"""

from __future__ import annotations

import os
import socket
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import torch
import torch.distributed as dist

from yinzi.artifact.checksum import sha256_hex
from yinzi.errors import ConfigError
from yinzi_train.training.errors import TrainingError

__all__ = ["BACKENDS", "DEVICES", "TIMEOUT_SECONDS", "check_device", "check_shared", "meet"]

DEVICES: Final = ("cpu", "cuda")
BACKENDS: Final = {"cpu": "gloo", "cuda": "cpu:gloo,cuda:nccl"}
"""What carries tensors between processes: figures and signals are on the CPU with both."""

TIMEOUT_SECONDS: Final = 7200
"""How long processes wait for one another: the first one prepares data and evaluates alone."""


def check_device(device: str) -> None:
    """Check that this process has the device that it is to train on.

    Raises:
        ConfigError: it has not, or there is no such kind.
    """
    if device not in DEVICES:
        raise ConfigError(f"device is {device!r}: expected one of {', '.join(DEVICES)}")
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    if device == "cuda" and torch.cuda.device_count() <= local_rank:
        raise ConfigError(
            f"--gpus needs a GPU a process, and torch {torch.__version__} sees "
            f"{torch.cuda.device_count()} on {socket.gethostname()!r} for {local_rank + 1} or more "
            "processes: start fewer, or leave --gpus out to train on the CPU"
        )


def meet(device: str) -> None:
    """Join the group of processes that the environment describes, if that was not done yet.

    Args:
        device: "cpu" or "cuda".
    """
    if device == "cuda":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", "0")))
    if not dist.is_initialized():
        dist.init_process_group(BACKENDS[device], timeout=timedelta(seconds=TIMEOUT_SECONDS))


def check_shared(folder: Path, name: str) -> None:
    """Wait for all processes; check that they see the file that the first one has written.

    Raises:
        TrainingError: one does not: its machine has another folder of that name.
    """
    if not dist.is_initialized():
        return
    dist.barrier()
    here = _place(folder / name)
    places: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(places, here)
    others = sorted({host for host, digest in places if digest != places[0][1]})
    if others:
        raise TrainingError(
            f"{', '.join(map(repr, others))} does not see the {name} that {places[0][0]!r} has "
            f"written into {str(folder)!r}: give --out a folder that all machines share"
        )


def _place(path: Path) -> tuple[str, str]:
    """Return the name of the machine and what a file holds there."""
    return socket.gethostname(), sha256_hex(path) if path.is_file() else ""
