"""Workers end with their parent, and a run does not wait for a worker that was killed."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]
TIME_LIMIT = 30

pytestmark = pytest.mark.skipif(
    not hasattr(signal, "SIGKILL"), reason="processes cannot be killed here"
)

SLEEPING = """
import os, sys, time
from pathlib import Path
from yinzi_train.corpus.worker_pool import worker_pool

def note():
    Path(sys.argv[1], str(os.getpid())).touch()

if __name__ == "__main__":
    with worker_pool(2, initializer=note, arguments=(), start_method=sys.argv[2]) as pool:
        for task in [pool.submit(time.sleep, 600) for _ in range(4)]:
            task.result()
"""

FAILING = """
import os, signal, sys, time
from pathlib import Path
from datatrove.pipeline.base import PipelineStep
from yinzi.errors import YinziError
from yinzi_train.corpus.execution import run_steps
from yinzi_train.corpus.units import Unit

class Fail(PipelineStep):
    def run(self, data=None, rank=0, world_size=1):
        if rank:
            time.sleep(600)
        if sys.argv[2] == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        raise YinziError("the text is damaged")

if __name__ == "__main__":
    try:
        run_steps(
            [Fail()],
            [Unit(name, (), "") for name in "abc"],
            stage="clean",
            is_done=lambda unit: False,
            log_folder=Path(sys.argv[1], "logs"),
            executor="local",
            workers=2,
            progress=lambda progress: None,
        )
    except YinziError as error:
        print(error)
"""


def is_running(process_id: int) -> bool:
    try:
        os.kill(process_id, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{process_id}/stat")
    return not state.exists() or ") Z " not in state.read_text()


def wait_until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + TIME_LIMIT
    while not is_so():
        assert time.monotonic() < end, "took too long"
        time.sleep(0.05)


@pytest.mark.parametrize("start_method", ["fork", "forkserver"])
def test_workers_leave_when_their_parent_is_killed(tmp_path: Path, start_method: str) -> None:
    script, notes = tmp_path / "script.py", tmp_path / "notes"
    script.write_text(SLEEPING)
    notes.mkdir()
    with subprocess.Popen([sys.executable, script, notes, start_method]) as process:
        wait_until(lambda: len(list(notes.iterdir())) == 2)
        process.kill()
    workers = [int(path.name) for path in notes.iterdir()]
    wait_until(lambda: not any(map(is_running, workers)))


@pytest.mark.parametrize(
    ("how", "message"),
    [("killed", "a worker process was killed, .* fewer --workers"), ("raises", "text is damaged")],
)
def test_failure_of_a_worker_ends_the_run(tmp_path: Path, how: str, message: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(FAILING)
    ended = subprocess.run(
        [sys.executable, script, tmp_path, how],
        capture_output=True,
        text=True,
        check=True,
        timeout=TIME_LIMIT,
    )
    assert re.search(message, ended.stdout), ended.stderr
