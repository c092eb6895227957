"""Run engines that read pinyin lines on stdin and write tab-separated candidates on stdout.

That is the whole contract. An engine may also write `STATS {json}` (`load_seconds`,
`convert_seconds`, `lines_per_second`, `peak_rss_kb`) and, when it types letter by letter,
`KEYS {json}` (`keystrokes`, `mean_ms`, `p50_ms`, `p99_ms`, `max_ms`) to stderr.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.machine import ONE_THREAD

__all__ = ["BenchmarkError", "Engine", "EngineRun", "launch", "run_engine"]

_PLACEHOLDER = re.compile(r"\{(\w+):([^{}]*)\}")
_LAUNCHER = Path(__file__).with_name("launcher.py")
_STDERR_LINES = 5  # of a failed engine, shown in the message


class BenchmarkError(Exception):
    """An engine cannot be run, or does not keep the contract."""


@dataclass(frozen=True)
class Engine:
    """Hold the name of an engine and the command that runs it.

    `{joined:ARGUMENTS}` in the command stands for the arguments when lines come without borders
    between syllables, else for nothing; `{keys:ARGUMENTS}` for those that make it type letter by
    letter.
    """

    name: str
    template: str

    @classmethod
    def parse(cls, text: str) -> Engine:
        """Read `NAME=COMMAND`.

        Example:
            >>> Engine.parse("mine=./run --k 5 {joined:--joined}").command(joined=True)
            ['./run', '--k', '5', '--joined']
        """
        name, separator, template = text.partition("=")
        if not separator or not name.strip() or not template.strip():
            raise ValueError(f"{text!r} is not NAME=COMMAND, such as yinzi='yinzi convert --plain'")
        for kind, _ in _PLACEHOLDER.findall(template):
            if kind not in ("joined", "keys"):
                raise ValueError(f"{{{kind}:…}} in {text!r}: expected {{joined:…}} or {{keys:…}}")
        return cls(name.strip(), template.strip())

    @property
    def can_type_keys(self) -> bool:
        """Say whether the command has arguments for typing letter by letter."""
        return "{keys:" in self.template

    @property
    def shown_command(self) -> str:
        """Give the command for reports: the value of `$PEERS` is written as its name."""
        peers = os.environ.get("PEERS", "").rstrip("/")
        return self.template.replace(peers, "$PEERS") if peers else self.template

    def command(self, *, joined: bool = False, keys: bool = False) -> list[str]:
        """Give the program and its arguments for one kind of run."""
        wanted = {"joined": joined, "keys": keys}
        text = _PLACEHOLDER.sub(lambda m: m[2] if wanted[m[1]] else "", self.template)
        program, *arguments = shlex.split(text)
        if program == "yinzi":  # the one beside this Python, then the one on the path
            places = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
            program = shutil.which(program, path=places) or program
        return [program, *arguments]


@dataclass(frozen=True)
class EngineRun:
    """Hold what one run of an engine gave and cost."""

    candidates: list[list[str]]  # per input line, best first
    wall_seconds: float
    cpu_seconds: float
    peak_rss_bytes: int
    stats: dict[str, float] = field(default_factory=dict)  # as the engine states them, may be empty
    keys: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class _Launched:
    wall_seconds: float
    cpu_seconds: float
    peak_rss_bytes: int
    stdout: bytes
    stderr: str


def run_engine(
    engine: Engine,
    lines: Sequence[str],
    *,
    joined: bool = False,
    keys: bool = False,
    core: int | None = None,
    timeout_seconds: float = 1800,
) -> EngineRun:
    """Feed lines to a fresh process of the engine and read its candidates.

    Raises:
        BenchmarkError: the engine cannot be started, fails, takes too long, or does not write one
            UTF-8 line per input line.
    """
    launched = launch(
        engine.command(joined=joined, keys=keys),
        "".join(f"{line}\n" for line in lines),
        name=engine.name,
        core=core,
        timeout_seconds=timeout_seconds,
    )
    try:
        text = launched.stdout.decode("utf-8")
    except UnicodeDecodeError as error:
        raise BenchmarkError(
            f"engine {engine.name!r}: byte {error.start} of its output is not UTF-8"
        ) from error
    output = text.removesuffix("\n").split("\n") if text else []
    if len(output) != len(lines):
        raise BenchmarkError(
            f"engine {engine.name!r} wrote {len(output)} lines for {len(lines)} input lines; "
            "expected one each, empty where it has no candidate" + _last_lines(launched.stderr)
        )
    stats = _stated("STATS", launched.stderr)
    stated_rss = stats.get("peak_rss_kb")
    return EngineRun(
        [[text for text in line.rstrip("\r").split("\t") if text] for line in output],
        launched.wall_seconds,
        launched.cpu_seconds,
        int(stated_rss * 1024) if stated_rss else launched.peak_rss_bytes,
        stats,
        _stated("KEYS", launched.stderr),
    )


def launch(
    command: Sequence[str],
    stdin: str,
    *,
    name: str,
    core: int | None = None,
    timeout_seconds: float = 1800,
) -> _Launched:
    """Run a command with one thread on one core through `launcher.py`.

    Raises:
        BenchmarkError: it cannot be started, ends with another exit code than 0, or is not done in
            time; then it and what it started are killed.
    """
    with tempfile.TemporaryDirectory(prefix="yinzi-benchmark-") as folder:
        paths = {key: Path(folder, key) for key in ("result", "stdin", "stdout", "stderr")}
        paths["stdin"].write_text(stdin, encoding="utf-8")
        files = [str(paths[key]) for key in ("stdin", "stdout", "stderr")]
        place = "-" if core is None else str(core)
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", _LAUNCHER, paths["result"], place, *files, *command],
            env={**os.environ, **ONE_THREAD},
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        try:
            _, reason = process.communicate(timeout=timeout_seconds)
        except BaseException as error:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
            if not isinstance(error, subprocess.TimeoutExpired):
                raise
            n_done = paths["stdout"].read_bytes().count(b"\n") if paths["stdout"].exists() else 0
            raise BenchmarkError(
                f"engine {name!r} was not done after {timeout_seconds:g} s ({n_done} of "
                f"{stdin.count(chr(10))} lines written); use --limit or a longer --timeout"
            ) from None
        if process.returncode:
            raise BenchmarkError(
                f"engine {name!r} cannot be started: {command[0]!r}: {reason.strip()}; "
                "check the command"
            )
        result = json.loads(paths["result"].read_text(encoding="utf-8"))
        stderr = paths["stderr"].read_text(encoding="utf-8", errors="replace")
        if result["exit_code"]:
            code = result["exit_code"]
            how = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
            raise BenchmarkError(f"engine {name!r} {how}" + _last_lines(stderr))
        return _Launched(
            result["wall_seconds"],
            result["cpu_seconds"],
            result["peak_rss_bytes"],
            paths["stdout"].read_bytes(),
            stderr,
        )


def _stated(word: str, stderr: str) -> dict[str, float]:
    """Give the last `WORD {json}` of stderr; it may stand after other text on its line."""
    found = re.findall(rf"{word} (\{{.*\}})", stderr)
    try:
        values = json.loads(found[-1]) if found else {}
    except ValueError:
        return {}
    return {k: v for k, v in values.items() if isinstance(v, (int, float)) and v is not False}


def _last_lines(stderr: str) -> str:
    lines = [line for line in stderr.splitlines() if line.strip()][-_STDERR_LINES:]
    return "; its last words:\n  " + "\n  ".join(lines) if lines else ""
