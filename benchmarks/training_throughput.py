"""Measure tokens per second of training, and the share of the machine's matrix-product peak.

    python -m benchmarks.training_throughput configs/encoder.toml --data build/dataset

trains for some steps in one process and in two, as `yinzi-train train` does, data included, and
prints Markdown; `--json FILE` keeps the figures. Tokens are hanzi learnt from. Operations are those
of all matrix products, forward and backward; the peak is that of one large bfloat16 product on one
core. On a machine that is busy with other work all figures are lower.
"""

from __future__ import annotations

import argparse
import csv
import json
import subprocess
import sys
import tempfile
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.machine import machine_facts
from yinzi_train.training.processes import keep_memory, limit_threads


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("config", type=Path)
    parser.add_argument("--data", type=Path, required=True, help="folder of a dataset")
    parser.add_argument(
        "--steps", type=int, default=40, help="of each run; the first half is warm-up"
    )
    parser.add_argument("--processes", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--set", dest="overrides", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(arguments, Path(folder))
    print(to_markdown(figures))
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def measure(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    """Return all figures as plain data."""
    speeds = {}
    for n_processes in arguments.processes:
        out = folder / str(n_processes)
        run_training(arguments, out, n_processes)
        speeds[n_processes] = tokens_per_second(out / "metrics.csv", arguments.steps)
    alone = measure_model(arguments, folder / str(arguments.processes[0]))
    return {
        "machine": machine_facts(core=None),
        "config": arguments.config.name,
        "overrides": arguments.overrides,
        **alone,
        "tokens_per_second": speeds,
        "share_of_peak": {
            n: speed * alone["flops_per_token"] / (n * alone["peak_flops"])
            for n, speed in speeds.items()
        },
    }


def run_training(arguments: argparse.Namespace, out: Path, n_processes: int) -> None:
    """Train for some steps with the command."""
    settings = (
        *("training.warmup_steps=1", "training.decay_steps=1", "training.save_minutes=0"),
        *(f"training.max_steps={arguments.steps}", f"training.log_steps={arguments.steps // 2}"),
        *arguments.overrides,
    )
    command = [
        *(sys.executable, "-m", "yinzi_train.cli", "train", arguments.config),
        *("--data", arguments.data, "--out", out, "--processes", n_processes),
        *(f"--set={one}" for one in settings),
    ]
    subprocess.run([*map(str, command)], check=True, stdout=subprocess.DEVNULL)


def tokens_per_second(path: Path, n_steps: int) -> float:
    """Return the speed of the second half of a run."""
    with path.open(encoding="utf-8", newline="") as file:
        rows = {int(row["step"]): row for row in csv.DictReader(file)}
    return float(rows[n_steps]["tokens_per_second"])


def measure_model(arguments: argparse.Namespace, run: Path) -> dict[str, Any]:
    """Measure the peak, and forward and backward pass of the model that a run has made."""
    import torch

    from yinzi_train.dataset.reader import open_dataset
    from yinzi_train.model.encoder import ConversionEncoder
    from yinzi_train.model.families import load_checkpoint
    from yinzi_train.training.config import read_training_config
    from yinzi_train.training.data import prepare_data
    from yinzi_train.training.throughput import (
        count_step,
        layer_speed,
        matmul_peak,
        train_steps,
    )

    limit_threads()
    keep_memory()
    torch.manual_seed(0)
    config = read_training_config(arguments.config, overrides=arguments.overrides)
    prepared = prepare_data(open_dataset(arguments.data), config, run)
    model = load_checkpoint(run / "final").model.train()
    stream = prepared.stream(prepared.packer(model), rank=0, n_ranks=1)
    batches = list(islice(iter(stream), 8))
    costs = [count_step(model, batch) for batch in batches]
    train_steps(model, batches[:4])
    seconds = train_steps(model, batches[4:])
    flops, n_targets = (
        sum(getattr(cost, name) for cost in costs) for name in ("flops", "n_targets")
    )
    peak = matmul_peak()
    layers = None
    if isinstance(model, ConversionEncoder):
        layers = max(layer_speed(model, batch["segments"]) for batch in batches[:4]) / peak
    model_flops = sum(cost.flops for cost in costs[4:]) / seconds
    return {
        "peak_flops": peak,
        "flops_per_token": flops / n_targets,
        "targets_per_place": n_targets / sum(cost.n_places for cost in costs),
        "passes_share_of_peak": model_flops / peak,
        "layers_share_of_peak": layers,
        "n_parameters": sum(parameter.numel() for parameter in model.parameters()),
    }


def to_markdown(figures: dict[str, Any]) -> str:
    """Return the figures as text."""
    lines = [
        f"{figures['config']}: {figures['n_parameters'] / 1e6:.1f} M parameters, "
        f"{figures['flops_per_token'] / 1e6:.1f} M operations a token in matrix products",
        f"peak of one core, bfloat16 product: {figures['peak_flops'] / 1e9:.0f} G operations/s",
        f"forward and backward pass alone: {figures['passes_share_of_peak']:.0%} of the peak",
        *_of_layers(figures["layers_share_of_peak"]),
        "",
        "| processes | tokens/s | share of the peak of as many cores |",
        "| ---: | ---: | ---: |",
    ]
    lines += [
        f"| {n} | {speed:,.0f} | {figures['share_of_peak'][n]:.0%} |"
        for n, speed in figures["tokens_per_second"].items()
    ]
    return "\n".join(lines)


def _of_layers(share: float | None) -> list[str]:
    """Return the line on the Transformer layers; none for families that have no such layers."""
    return (
        [] if share is None else [f"Transformer layers alone, both passes: {share:.0%} of the peak"]
    )


if __name__ == "__main__":
    main()
