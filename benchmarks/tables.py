"""Write the result of a comparison as Markdown."""

from __future__ import annotations

from typing import Any

__all__ = ["markdown"]

_METRIC_TITLES = {
    "miu_accuracy@1": "MIU@1",
    "miu_accuracy@5": "MIU@5",
    "character_accuracy": "CA",
}


def markdown(result: dict[str, Any]) -> str:
    """Give all tables of a result of `benchmarks.compare`."""
    parts = [_head(result)]
    for mode, figures in result["modes"].items():
        forms = ", ".join(f"{name} {form}" for name, form in figures["input"].items())
        parts.append(f"### {mode} input\n\nLines are given: {forms}.")
        parts.append(_accuracy_table(figures, result["baseline"]))
        parts.append(_speed_table(figures, result["baseline"]))
        parts += _remarks(figures)
    if "keys" in result:
        parts.append("### Time per key (ms)")
        parts.append(_keys_table(result["keys"], result["baseline"]))
    return "\n\n".join(parts)


def _head(result: dict[str, Any]) -> str:
    machine = result["machine"]
    artifact = result["artifact"]
    text = (
        f"{machine['processor']}, one thread on core {machine['core']}, Python "
        f"{machine['python']}, yinzi {machine['yinzi']}, {result['date']}, medians of "
        f"{result['n_rounds']} round(s), baseline {result['baseline']}"
    )
    if artifact:
        text += f", artifact {artifact['name']} {artifact['manifest_sha256'][:12]}"
    return text + ". Brackets: 95 % bootstrap intervals."


def _accuracy_table(figures: dict[str, Any], baseline: str) -> str:
    differences = [f"Δ {title}" for title in _METRIC_TITLES.values()]
    header = ["set", "rows", "engine", *_METRIC_TITLES.values(), *differences, "better / worse"]
    rows = []
    for set_name, set_ in figures["sets"].items():
        for name, part in set_["engines"].items():
            values = [_estimate(part["metrics"][key]) for key in _METRIC_TITLES]
            against = part.get("against_baseline")
            if against:
                values += [_difference(against["differences"][key]) for key in _METRIC_TITLES]
                values.append(f"{against['n_better']} / {against['n_worse']}")
            else:
                values += ["", "", "", ""]
            rows.append([set_name, str(set_["n_rows"]), name, *values])
    if len(figures["sets"]) > 1:
        base = figures["mean"][baseline]["metrics"]
        for name, mean in figures["mean"].items():
            metrics = mean["metrics"]
            values = [f"{metrics[key]:.3f}" for key in _METRIC_TITLES]
            if name == baseline:
                values += ["", "", ""]
            else:
                values += [f"{metrics[key] - base[key]:+.3f}" for key in _METRIC_TITLES]
            rows.append(["mean", "", name, *values, ""])
    return _table(header, rows, n_left=3)


def _speed_table(figures: dict[str, Any], baseline: str) -> str:
    header = [
        "engine",
        "lines/s wall",
        "net",
        "CPU",
        "stated",
        f"net ÷ {baseline}",
        "start s",
        "stated load s",
        "÷",
        "peak MiB",
        "÷",
    ]
    rows = []
    for name, mean in figures["mean"].items():
        speed, ratio = mean["lines_per_second"], mean["ratio_to_baseline"]
        rows.append(
            [
                name,
                *(_number(speed[kind], 1) for kind in ("wall", "net", "cpu", "stated")),
                _number(ratio["net"], 2),
                _number(mean["start_seconds"], 3),
                _number(figures["start"][name]["stated_load_seconds"], 3),
                _number(ratio["start_seconds"], 2),
                _number(mean["peak_rss_bytes"] / 2**20, 0),
                _number(ratio["peak_rss_bytes"], 2),
            ]
        )
    return _table(header, rows, n_left=1)


def _keys_table(keys: dict[str, Any], baseline: str) -> str:
    header = ["engine", "keys", "mean", "p50", "p95", "p99", "max", f"p99 ÷ {baseline}"]
    base = (keys.get(baseline) or {}).get("p99_ms")
    rows = []
    for name, part in keys.items():
        values = part or {}
        times = [values.get(f"{key}_ms") for key in ("mean", "p50", "p95", "p99", "max")]
        p99 = values.get("p99_ms")
        ratio = p99 / base if p99 and base else None
        rows.append(
            [
                name,
                _number(values.get("keystrokes"), 0),
                *(_number(time_ms, 2) for time_ms in times),
                _number(ratio, 2),
            ]
        )
    return _table(header, rows, n_left=1)


def _remarks(figures: dict[str, Any]) -> list[str]:
    """Say where a figure is not what it seems."""
    remarks = []
    for name in figures["mean"]:
        parts = {key: set_["engines"][name] for key, set_ in figures["sets"].items()}
        if max(part["max_candidates"] for part in parts.values()) <= 1:
            remarks.append(f"- {name} gives one candidate at most: its MIU@5 is its MIU@1.")
        for set_name, part in parts.items():
            if part["n_unsteady_lines"]:
                remarks.append(
                    f"- {name} gave other candidates in another round for "
                    f"{part['n_unsteady_lines']} row(s) of {set_name}, another first one for "
                    f"{part['n_unsteady_first']}; the first round is scored."
                )
            if part["n_without_candidate"]:
                n_empty = part["n_without_candidate"]
                remarks.append(f"- {name} has no candidate for {n_empty} row(s) of {set_name}.")
    return ["\n".join(remarks)] if remarks else []


def _estimate(estimate: dict[str, float]) -> str:
    return f"{estimate['value']:.3f} [{estimate['low']:.3f}, {estimate['high']:.3f}]"


def _difference(estimate: dict[str, float]) -> str:
    return f"{estimate['value']:+.3f} [{estimate['low']:+.3f}, {estimate['high']:+.3f}]"


def _number(value: float | None, n_digits: int) -> str:
    return "–" if value is None else f"{value:.{n_digits}f}"


def _table(header: list[str], rows: list[list[str]], *, n_left: int) -> str:
    rule = ["---"] * n_left + ["---:"] * (len(header) - n_left)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [header, rule, *rows])
