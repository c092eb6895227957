from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
import typer

from yinzi.cli.running import DebugOption, add_command, run_app
from yinzi.errors import ConfigError
from yinzi_train.cli.launching import (
    GpusOption,
    Launch,
    ProcessesOption,
    RayAddressOption,
    RayWorkersOption,
    launched,
)
from yinzi_train.training import processes
from yinzi_train.training.errors import TrainingError, TrainingStopped

Given = list[tuple[list[str], int]]


def make_app(here: list[str], checked: list[int]) -> typer.Typer:
    """Return a program with one command that can be launched, and one more."""

    def learn(
        context: typer.Context,
        config: Path,
        *,
        texts: Annotated[list[Path] | None, typer.Option("--text", "-t")] = None,
        rate: float = 0.5,
        bold: Annotated[bool, typer.Option("--bold/--meek")] = True,
        name: str | None = None,
        processes: ProcessesOption = 1,
        ray_workers: RayWorkersOption = 0,
        ray_address: RayAddressOption = "",
        gpus: GpusOption = False,
        debug: DebugOption = False,
    ) -> None:
        launch = Launch(processes, ray_workers, ray_address, gpus)
        launched(context, launch, lambda: here.append(launch.device), check=checked.append)

    app = typer.Typer(pretty_exceptions_enable=False)
    add_command(app, learn, examples="")
    add_command(app, lambda: None, examples="", name="other")
    return app


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> Given:
    """Return what workers are started with; none are."""
    given: Given = []

    def run_workers(module: str, arguments: list[str], *, n_processes: int) -> None:
        assert module == "yinzi_train.cli"
        given.append((arguments, n_processes))

    monkeypatch.setattr(processes, "run_workers", run_workers)
    return given


def test_one_process_runs_here(started: Given) -> None:
    here: list[str] = []
    checked: list[int] = []
    assert run_app(make_app(here, checked), ["learn", "a.toml", "--gpus"], name="p") == 0
    assert (here, checked, started) == (["cuda"], [], [])


def test_workers_get_the_command_line_without_the_launcher(started: Given) -> None:
    checked: list[int] = []
    command = ["learn", "-t", "a b.txt", "a=b.toml", "--text=-", "--processes", "3", "--meek"]
    assert run_app(make_app([], checked), [*command, "--gpus", "--rate", "1e-3"], name="p") == 0
    (arguments, n_processes) = started[0]
    assert arguments == [
        *("learn", "--text=a b.txt", "--text=-", "--rate=0.001", "--meek", "--gpus", "--"),
        "a=b.toml",
    ]
    assert (n_processes, checked) == (3, [3])


def test_a_worker_does_the_work_though_it_was_given_several_processes(
    started: Given, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "0")
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "x")
    here: list[str] = []
    assert run_app(make_app(here, []), ["learn", "a", "--processes", "2"], name="p") == 0
    assert (here, started) == (["cpu"], [])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--processes=2", "--ray-workers=2"], "--processes is 2 and --ray-workers 2: give one"),
        (["--ray-address=auto"], "--ray-address is 'auto' without workers"),
        (["--ray-workers=2", "--ray-address=ray://a:1"], "does not run through a client"),
    ],
)
def test_options_that_clash_are_told(
    options: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if "ray://" in str(options):
        pytest.importorskip("ray")
    assert run_app(make_app([], []), ["learn", "a.toml", *options], name="p") == 1
    assert message in capsys.readouterr().err


def test_check_comes_before_workers_are_started(
    started: Given, capsys: pytest.CaptureFixture[str]
) -> None:
    def check(n_processes: int) -> None:
        raise ConfigError(f"no {n_processes}")

    app = typer.Typer(pretty_exceptions_enable=False)

    def learn(context: typer.Context, debug: DebugOption = False) -> None:
        launched(context, Launch(2), lambda: None, check=check)

    add_command(app, learn, examples="")
    add_command(app, lambda: None, examples="", name="other")
    assert run_app(app, ["learn"], name="p") == 1
    assert "no 2" in capsys.readouterr().err
    assert started == []


def test_a_signal_gives_its_status_and_an_error_of_a_worker_is_recorded(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    errors: list[Exception] = [TrainingStopped("stopped", 15), TrainingError("too bad")]

    def fail() -> None:
        raise errors[0]

    app = typer.Typer(pretty_exceptions_enable=False)

    def learn(context: typer.Context, debug: DebugOption = False) -> None:
        launched(context, Launch(), fail)

    add_command(app, learn, examples="")
    add_command(app, lambda: None, examples="", name="other")
    assert run_app(app, ["learn"], name="p") == 143
    assert capsys.readouterr().err == "yinzi-train: stopped\n"
    errors.pop(0)
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv(processes.RAY_MARK, "1")
    monkeypatch.setattr(processes, "recorded_errors", [])
    assert run_app(app, ["learn"], name="p") == 1
    assert capsys.readouterr().err == ""
    assert processes.recorded_errors == errors
