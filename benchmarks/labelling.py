"""Measure labelling: accuracy beside other labellers, agreement with the slow twin, and speed.

    python -m benchmarks.labelling --polyphones cpp.tsv --sentences hsk_labels.tsv \
        --corpus news.txt.xz --corpus chat.txt.xz --json labelling.json

The set of polyphones has rows of id, text, and `hanzi@index=reading`; ids that start with `dev`
were used to choose the rules, those with `test` were not. The sentences have rows of id, text and
readings; weights were fitted on rows with an even number in their id. Prints Markdown.

All systems are scored with the same conventions: 一 and 不 without sandhi, erhua as er5.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pypinyin import Style, lazy_pinyin

from benchmarks.machine import ONE_THREAD, default_core, machine_facts
from yinzi.artifact import Artifact
from yinzi.errors import YinziError
from yinzi.language_model import read_language_model
from yinzi.lexicon import Lexicon
from yinzi.pinyin import SYLLABLES
from yinzi.text import is_hanzi
from yinzi_train.corpus.hanzi_runs import read_text_blocks
from yinzi_train.labelling import Labeller
from yinzi_train.labelling.readings import NEUTRAL, citation_reading, reading_of
from yinzi_train.labelling.reference import ReferenceLabeller, load_g2pm

Read = Callable[[Sequence[str]], list[list[int]]]
"""Read texts: one reading a hanzi, -1 where none is known."""

SEED = 0
SCORES = ("toned", "toned without neutral", "toneless")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; the exit status is 1 where a file cannot be used."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--artifact", default="base", help="name or folder (default: base)")
    parser.add_argument("--polyphones", type=Path, help="TSV: id, text, hanzi@index=reading")
    parser.add_argument("--sentences", type=Path, help="TSV: id, text, readings")
    parser.add_argument("--corpus", type=Path, action="append", default=[], help="text, one a line")
    parser.add_argument("--lines", type=int, default=20_000, help="lines of each text for speed")
    parser.add_argument("--slow-lines", type=int, default=300, help="lines of each for the twin")
    parser.add_argument("--core", type=int, default=default_core(), help="core to run on")
    parser.add_argument("--json", type=Path, help="write all figures here")
    options = parser.parse_args(argv)
    if options.core is not None:
        os.sched_setaffinity(0, {options.core})
    try:
        artifact = Artifact.open(options.artifact)
        labeller = Labeller.from_artifact(artifact)
        result: dict[str, Any] = {
            "machine": machine_facts(core=options.core),
            "labeller": f"{labeller.name} {labeller.version}",
            "artifact": f"{artifact.manifest.name} {artifact.manifest.version}",
        }
        print(f"Labeller: {result['labeller']}, artifact {result['artifact']}.\n")
        systems = _systems(labeller)
        if options.polyphones:
            result["polyphones"] = measure_polyphones(options.polyphones, systems)
            print(_accuracy_table("Polyphones", result["polyphones"]))
        if options.sentences:
            result["sentences"] = measure_sentences(options.sentences, systems)
            print(_accuracy_table("Sentences, all hanzi", result["sentences"]))
            print(_error_table(result["sentences"]["errors"]))
        texts = {path.name: _sample(path, options.lines) for path in options.corpus}
        if texts:
            result["speed"] = measure_speed(texts, labeller)
            result["speed"]["reading"] = _time_reading(options.corpus)
            print(_speed_table(result["speed"]))
            twin = ReferenceLabeller(*_lexicon(artifact))
            result["twin"] = measure_twin(texts, labeller, twin, n_lines=options.slow_lines)
            print(_twin_table(result["twin"]))
    except (YinziError, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    if options.json:
        text = json.dumps(result, ensure_ascii=False, indent=1)
        options.json.write_text(text + "\n", encoding="utf-8")
    return 0


def _lexicon(artifact: Artifact) -> tuple[Lexicon, NDArray[np.float32]]:
    return Lexicon(artifact.arrays("lexicon")), read_language_model(artifact).unigram_logprobs


def _systems(labeller: Labeller) -> dict[str, Read]:
    g2pm = load_g2pm()

    def read_with_labeller(texts: Sequence[str]) -> list[list[int]]:
        labels = labeller.label(texts)
        readings = labels.syllables.astype(np.int64) * 8 + labels.tones
        readings[labels.syllables < 0] = -1
        bounds = zip(labels.offsets[:-1], labels.offsets[1:], strict=True)
        return [readings[low:high].tolist() for low, high in bounds]

    def read_with_words(texts: Sequence[str]) -> list[list[int]]:
        found = []
        for text in texts:
            codes = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
            mask = np.array([is_hanzi(char) for char in text], dtype=np.bool_)
            edges = np.flatnonzero(np.diff(mask, prepend=False, append=False))
            readings, _ = labeller._read_words(codes, edges[::2], np.diff(edges)[::2])
            found.append(readings.tolist())
        return found

    return {
        "pypinyin": lambda texts: [_read_with_pypinyin(text) for text in texts],
        "g2pM": lambda texts: [
            [
                reading_of(name)
                for char, name in zip(text, g2pm(text, char_split=True), strict=True)
                if is_hanzi(char)
            ]
            for text in texts
        ],
        "words alone": read_with_words,
        "ours": read_with_labeller,
    }


def _read_with_pypinyin(text: str) -> list[int]:
    names = lazy_pinyin(
        text,
        style=Style.TONE3,
        neutral_tone_with_five=True,
        v_to_u=False,
        errors=list,  # type: ignore[arg-type]
    )
    pairs = zip(text, names, strict=True)
    return [citation_reading(char, reading_of(name)) for char, name in pairs if is_hanzi(char)]


def measure_polyphones(path: Path, systems: dict[str, Read]) -> dict[str, Any]:
    """Score the marked hanzi, by the part of the set that a row belongs to."""
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row_id, text, mark = line.split("\t")
        position, _, name = mark.split("@")[1].partition("=")
        index = sum(map(is_hanzi, text[: int(position)]))
        rows.append((row_id.rstrip("0123456789"), text, index, reading_of(name)))
    texts = [text for _, text, _, _ in rows]
    found = {name: read(texts) for name, read in systems.items()}
    parts = {}
    for part in sorted({row[0] for row in rows}):
        chosen = [i for i, row in enumerate(rows) if row[0] == part]
        expected = [rows[i][3] for i in chosen]
        parts[part] = {
            name: _scores([readings[i][rows[i][2]] for i in chosen], expected)
            for name, readings in found.items()
        }
    return {"parts": parts}


def measure_sentences(path: Path, systems: dict[str, Read]) -> dict[str, Any]:
    """Score every hanzi of every sentence, and count the errors of our own."""
    rows = [line.split("\t")[:3] for line in path.read_text(encoding="utf-8").splitlines()]
    texts = [text for _, text, _ in rows]
    # "hsk5-0507" and "hsk5-0507.0", a part of it, are of one half.
    is_even = [int(row_id.rsplit("-", 1)[-1].split(".")[0]) % 2 == 0 for row_id, _, _ in rows]
    expected = []
    for _, text, names in rows:
        hanzi = [char for char in text if is_hanzi(char)]
        pairs = zip(hanzi, names.split(), strict=True)
        expected.append([citation_reading(char, reading_of(name)) for char, name in pairs])
    found = {name: read(texts) for name, read in systems.items()}
    parts: dict[str, Any] = {}
    for part, wanted in (("even, fitted", True), ("odd, not fitted", False)):
        chosen = [i for i, even in enumerate(is_even) if even == wanted]
        truth = [reading for i in chosen for reading in expected[i]]
        parts[part] = {
            name: _scores([reading for i in chosen for reading in readings[i]], truth)
            for name, readings in found.items()
        }
    errors: Counter[tuple[str, str, str]] = Counter()
    examples: dict[tuple[str, str, str], str] = {}
    for text, ours, truth in zip(texts, found["ours"], expected, strict=True):
        hanzi = [char for char in text if is_hanzi(char)]
        for char, got, want in zip(hanzi, ours, truth, strict=True):
            if got >> 3 != want >> 3:
                errors[char, _name(want), _name(got)] += 1
                examples.setdefault((char, _name(want), _name(got)), text)
    return {
        "parts": parts,
        "errors": [[*key, n, examples[key]] for key, n in errors.most_common(20)],
    }


def _name(reading: int) -> str:
    return f"{SYLLABLES[reading >> 3]}{reading & 7}" if reading >= 0 else "_"


def _scores(found: list[int], expected: list[int]) -> dict[str, Any]:
    """Give the share of right readings by kind of score, and the number of readings."""
    got, want = np.array(found), np.array(expected)
    same = (got >> 3) == (want >> 3)
    has_neutral = ((got & 7) == NEUTRAL) | ((want & 7) == NEUTRAL)
    rights = (got == want, same & ((got == want) | has_neutral), same)
    shares = {name: float(right.mean()) for name, right in zip(SCORES, rights, strict=True)}
    return {"n": len(want), **shares}


def _sample(path: Path, n_lines: int) -> list[str]:
    """Take lines at random from the first blocks of a text."""
    lines = next(read_text_blocks(path), "").splitlines()
    random.Random(SEED).shuffle(lines)
    return lines[:n_lines]


def measure_speed(texts: dict[str, list[str]], labeller: Labeller) -> dict[str, Any]:
    """Time the whole of labelling on each text, and its stages on all of them."""
    result: dict[str, Any] = {"files": {}}
    lines = [line for sample in texts.values() for line in sample]
    for name, sample in texts.items():
        seconds, labels = min(
            (_timed(partial(labeller.label, sample)) for _ in range(3)),
            key=lambda pair: pair[0],
        )
        result["files"][name] = {
            "n_hanzi": len(labels.hanzi),
            "hanzi_per_second": len(labels.hanzi) / seconds,
            "doubtful": float(labels.doubtful.mean()),
        }
    stages = {"words": 0.0, "network": 0.0, "decision": 0.0}
    parts = {
        "words": (labeller, "_read_words"),
        "network": (labeller.network, "hidden"),
        "decision": (labeller, "_decide_polyphones"),
    }
    for stage, (owner, name) in parts.items():
        setattr(owner, name, _clocked(getattr(owner, name), stages, stage))
    best = math.inf
    for _ in range(3):
        stages.update(dict.fromkeys(stages, 0.0))
        seconds, labels = _timed(lambda: labeller.label(lines))
        if seconds < best:
            best, kept = seconds, {**stages, "rest": seconds - sum(stages.values())}
    for owner, name in parts.values():
        delattr(owner, name)
    n_hanzi = len(labels.hanzi)
    result["n_hanzi"] = n_hanzi
    result["hanzi_per_second"] = n_hanzi / best
    result["stages"] = {name: n_hanzi / seconds for name, seconds in kept.items()}
    result["doubtful"] = float(labels.doubtful.mean())
    few = lines[:: max(1, len(lines) // 2000)]
    n_few = sum(sum(map(is_hanzi, line)) for line in few)
    g2pm = load_g2pm()
    others = {
        "pypinyin": lambda: [lazy_pinyin(line, style=Style.TONE3) for line in few],
        "g2pM": lambda: [g2pm(line, char_split=True) for line in few[::10] if line],
    }
    n_of = {"pypinyin": n_few, "g2pM": sum(sum(map(is_hanzi, line)) for line in few[::10])}
    result["others"] = {name: n_of[name] / _timed(run)[0] for name, run in others.items()}
    return result


def _time_reading(paths: Iterable[Path]) -> float:
    """Give hanzi per second of reading and unpacking one block of each text."""
    n_hanzi, seconds = 0, 0.0
    for path in paths:
        taken, block = _timed(partial(next, read_text_blocks(path), ""))
        seconds += taken
        n_hanzi += sum(map(is_hanzi, block[: 1 << 18])) * len(block) // min(len(block), 1 << 18)
    return n_hanzi / seconds


def _timed(run: Callable[[], Any]) -> tuple[float, Any]:
    """Give the processor seconds of a call, which other processes do not add to, and its result."""
    started = time.process_time()
    value = run()
    return time.process_time() - started, value


def _clocked(function: Callable[..., Any], stages: dict[str, float], stage: str) -> Any:
    def run(*args: Any, **kwargs: Any) -> Any:
        seconds, value = _timed(lambda: function(*args, **kwargs))
        stages[stage] += seconds
        return value

    return run


def measure_twin(
    texts: dict[str, list[str]], labeller: Labeller, twin: ReferenceLabeller, *, n_lines: int
) -> dict[str, Any]:
    """Compare with the slow twin, and time it."""
    lines = [line for sample in texts.values() for line in sample[:n_lines]]
    labels = labeller.label(lines)
    seconds, slow = _timed(lambda: [label for line in lines for label in twin.label(line)])
    readings = np.array([reading for reading, _ in slow])
    doubtful = np.array([is_doubtful for _, is_doubtful in slow])
    ours = np.where(labels.syllables < 0, -1, labels.syllables * 8 + labels.tones)
    return {
        "n_hanzi": len(ours),
        "toned": float((ours == readings).mean()),
        "toneless": float((ours >> 3 == readings >> 3).mean()),
        "doubtful": float((labels.doubtful == doubtful).mean()),
        "hanzi_per_second": len(ours) / seconds,
    }


def _accuracy_table(title: str, result: dict[str, Any]) -> str:
    lines = [
        f"### {title}\n",
        "| rows | hanzi | system | toned | ± | Δ | without neutral | toneless |",
    ]
    lines.append("|---|---:|---|---:|---:|---:|---:|---:|")
    for part, systems in result["parts"].items():
        base = systems["pypinyin"]["toned"]
        for name, scores in systems.items():
            share, n = scores["toned"], scores["n"]
            half = 1.96 * math.sqrt(share * (1 - share) / n)  # normal 95 % interval
            values = [100 * share, 100 * half, 100 * (share - base)]
            values += [100 * scores[key] for key in SCORES[1:]]
            cells = [f"{values[0]:.2f}", f"{values[1]:.2f}", f"{values[2]:+.2f}"]
            cells += [f"{value:.2f}" for value in values[3:]]
            lines.append(f"| {part} | {n} | {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _error_table(errors: list[list[Any]]) -> str:
    lines = [
        "### Syllables of ours that differ from the labels\n",
        "| hanzi | label | ours | n | in |",
    ]
    lines.append("|---|---|---|---:|---|")
    lines += [f"| {' | '.join(map(str, error))} |" for error in errors]
    return "\n".join(lines) + "\n"


def _speed_table(speed: dict[str, Any]) -> str:
    lines = [
        "### Speed (thousand hanzi per second of processor time)\n",
        "| what | |",
        "|---|---:|",
    ]
    lines.append(
        f"| reading and unpacking the texts (not in the sum) | {speed['reading'] / 1e3:.0f} |"
    )
    for name, rate in speed["stages"].items():
        lines.append(f"| stage {name} | {rate / 1e3:.0f} |")
    total = speed["hanzi_per_second"]
    lines.append(
        f"| **labelling, all stages** ({speed['n_hanzi']:,} hanzi) | **{total / 1e3:.0f}** |"
    )
    for name, figures in speed["files"].items():
        lines.append(f"| labelling {name} | {figures['hanzi_per_second'] / 1e3:.0f} |")
    for name, rate in speed["others"].items():
        lines.append(f"| {name} alone | {rate / 1e3:.1f} |")
    lines.append(f"\nDoubtful: {100 * speed['doubtful']:.2f} % of the hanzi.\n")
    return "\n".join(lines)


def _twin_table(twin: dict[str, Any]) -> str:
    return (
        f"Equal to the slow twin ({twin['n_hanzi']:,} hanzi, "
        f"{twin['hanzi_per_second'] / 1e3:.1f} thousand a second): "
        f"toned {100 * twin['toned']:.4f} %, toneless {100 * twin['toneless']:.4f} %, "
        f"doubtful marks {100 * twin['doubtful']:.4f} %.\n"
    )


if __name__ == "__main__":
    if any(os.environ.get(name) != value for name, value in ONE_THREAD.items()):
        # Numeric libraries read these when they are loaded, so start again with them set.
        arguments = [sys.executable, "-m", "benchmarks.labelling", *sys.argv[1:]]
        os.execve(sys.executable, arguments, {**os.environ, **ONE_THREAD})
    sys.exit(main())
