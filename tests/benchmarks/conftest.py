"""Fake engines that keep the contract, or break it in one way each."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
if str(ROOT) not in sys.path:  # `benchmarks` is not installed
    sys.path.insert(0, str(ROOT))

ENGINE = """
import json, sys, time
mode, *rest = sys.argv[1:]
TABLE = {"ni hao": ["你好", "你号"], "nihao": ["你好"], "n h": ["年后", "你好"], "nh": ["年后"],
         "zai jian": ["在见", "再见"], "zaijian": ["在见"], "z j": ["再见"]}
lines = sys.stdin.read().split("\\n")[:-1]
if mode == "crash":
    print("one\\nno dictionary", file=sys.stderr)
    sys.exit(7)
if mode == "hang":
    print("x", flush=True)
    time.sleep(60)
if mode == "bytes":
    sys.stdout.buffer.write(b"\\xb5\\n" * len(lines))
    sys.exit()
if mode == "fewer":
    lines = lines[1:]
if mode == "stats":
    stats = {"load_seconds": 0.5, "lines_per_second": 1234.0, "peak_rss_kb": 2048, "peer": "fake"}
    sys.stderr.write("noise without line end. STATS " + json.dumps(stats) + "\\n")
if "--keystrokes" in rest:
    keys = {"keystrokes": 10, "mean_ms": 1, "p50_ms": 1, "p99_ms": 4, "max_ms": 5}
    print("KEYS", json.dumps(keys), file=sys.stderr)
if mode == "fickle" and len(lines) > 1:  # drops second candidates, but in one round only
    try:
        open(rest[0], "x").close()
        mode = "one"
    except FileExistsError:
        pass
for line in lines:
    found = TABLE.get(line, [line + "?" * ("--joined" in rest)])
    print("\\t".join(found[:1] if mode == "one" else found))
"""


@pytest.fixture
def fake(tmp_path: Path) -> str:
    """Give the command of the fake engine; the way it behaves is to be added."""
    path = tmp_path / "engine.py"
    path.write_text(ENGINE, encoding="utf-8")
    return f"{sys.executable} -I -S -X utf8 {path}"


@pytest.fixture
def tiny_set(tmp_path: Path) -> Path:
    path = tmp_path / "tiny.tsv"
    rows = ["a.0\t你好\tni hao", "a.1\t再见\tzai jian", "b.0\t好\thao"]
    path.write_text("\n".join(rows), encoding="utf-8")
    return path
