"""Measure yinzi from inside a fresh process; `benchmarks.latency` starts this file.

    python fresh_process.py start ARTIFACT PINYIN     import, load and first conversion
    python fresh_process.py keys ARTIFACT < LINES     every line typed letter by letter

Both write one JSON object to stdout. Nothing but the standard library is imported before the
clock starts.
"""

import json
import sys
import time


def peak_rss_bytes() -> int:
    """Give the peak resident memory of this process since it was executed."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def measure_start(artifact: str, pinyin: str) -> dict[str, object]:
    """Time import, load and first conversion, in milliseconds."""
    times = [time.perf_counter()]
    import yinzi

    times.append(time.perf_counter())
    converter = yinzi.load(artifact)
    times.append(time.perf_counter())
    candidates = converter.convert(pinyin)
    times.append(time.perf_counter())
    names = ("import_ms", "load_ms", "first_conversion_ms")
    steps = zip(names, times, times[1:], strict=False)
    result: dict[str, object] = {name: (end - begin) * 1e3 for name, begin, end in steps}
    result["total_ms"] = (times[-1] - times[0]) * 1e3
    result["peak_rss_bytes"] = peak_rss_bytes()
    result["first_candidate"] = candidates[0].text if candidates else None
    return result


def measure_keys(artifact: str, lines: list[str]) -> dict[str, object]:
    """Time every update while each line is typed from empty, in milliseconds."""
    import yinzi

    converter = yinzi.load(artifact)
    converter.type_keys().update("n")  # first use of lazily loaded parts
    times_ms: list[float] = []
    for line in lines:
        keys = converter.type_keys()
        for end in range(1, len(line) + 1):
            begin = time.perf_counter()
            keys.update(line[:end])
            times_ms.append((time.perf_counter() - begin) * 1e3)
    return {"times_ms": times_ms, "peak_rss_bytes": peak_rss_bytes()}


if __name__ == "__main__":
    if sys.argv[1] == "start":
        answer = measure_start(sys.argv[2], sys.argv[3])
    else:
        stdin = sys.stdin.buffer.read().decode("utf-8")
        answer = measure_keys(sys.argv[2], stdin.split())
    json.dump(answer, sys.stdout)
