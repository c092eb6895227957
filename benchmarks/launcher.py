"""Run one command on one core and write down what it cost, as JSON.

    python -I -S launcher.py RESULT CORE STDIN STDOUT STDERR COMMAND...

This is a process of its own because Linux lets a started program inherit the peak memory of the
process that starts it: from a benchmark that holds numpy, every engine would seem to need 40 MB.
So it imports nothing that it can do without, and peaks below about 10 MB can not be told apart.
CORE is a number, or `-` for any core. `peak_rss_bytes` and `cpu_seconds` cover the command and the
processes it waited for; of several, the peak is that of the largest.
"""

import os
import sys
import time

_READ, _WRITE = os.O_RDONLY, os.O_WRONLY | os.O_CREAT | os.O_TRUNC


def main(arguments: list[str]) -> int:
    """Run the command and write the result file; the exit code is 0 if the command could start."""
    result_path, core, stdin_path, stdout_path, stderr_path, *command = arguments
    if core != "-":
        os.sched_setaffinity(0, {int(core)})
    file_actions = [
        (os.POSIX_SPAWN_OPEN, 0, stdin_path, _READ, 0),
        (os.POSIX_SPAWN_OPEN, 1, stdout_path, _WRITE, 0o600),
        (os.POSIX_SPAWN_OPEN, 2, stderr_path, _WRITE, 0o600),
    ]
    started = time.perf_counter()
    try:
        pid = os.posix_spawnp(command[0], command, os.environ, file_actions=file_actions)
    except OSError as error:
        print(error.strerror, file=sys.stderr)
        return 1
    _, status, usage = os.wait4(pid, 0)
    wall_seconds = time.perf_counter() - started
    exit_code = os.waitstatus_to_exitcode(status)
    peak_rss_bytes = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    with open(result_path, "w", encoding="utf-8") as file:
        file.write(
            f'{{"exit_code": {exit_code}, "wall_seconds": {wall_seconds:.6f}, '
            f'"cpu_seconds": {usage.ru_utime + usage.ru_stime:.6f}, '
            f'"peak_rss_bytes": {peak_rss_bytes}}}\n'
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
