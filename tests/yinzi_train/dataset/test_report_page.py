from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from tests.yinzi_train.dataset.dataset_samples import SOURCES, write_dataset
from yinzi_train.dataset.errors import DatasetError
from yinzi_train.dataset.manifest import Count, write_manifest
from yinzi_train.dataset.reader import open_dataset
from yinzi_train.dataset.report import ReportOptions, check_page, check_report, report_dataset
from yinzi_train.dataset.report_blocks import (
    Heading,
    Paragraph,
    Picture,
    Table,
    to_html,
    to_markdown,
)
from yinzi_train.dataset.report_manifest import differences
from yinzi_train.dataset.report_plots import PLOTS

SMALL_BYTES = 40_000


@pytest.fixture(scope="module")
def reported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dataset")
    write_dataset(folder)
    report_dataset(folder, options=ReportOptions(has_html=True))
    return folder


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Draw nothing: that takes most of the time of a small report."""
    monkeypatch.setattr(
        "yinzi_train.dataset.report.draw_plots", lambda *_, **__: {"zipf.png": b"\x89PNG"}
    )


def table_rows(page: str, heading: str) -> dict[str, list[str]]:
    """Return the cells of the first table below a heading, by the first cell of each row."""
    section = re.split(rf"^#+ {re.escape(heading)}.*$", page, flags=re.MULTILINE)[1]
    lines = re.split(r"^#", section, flags=re.MULTILINE)[0].splitlines()
    rows = [line.strip("| ").split(" | ") for line in lines if line.startswith("| ")][2:]
    return {cells[0]: cells[1:] for cells in rows}


def test_page_gives_the_figures_of_the_manifest(reported: Path) -> None:
    page = (reported / "report.md").read_text(encoding="utf-8")
    manifest = open_dataset(reported).manifest
    for heading, counts in (("Sizes", manifest.domains), ("Splits", manifest.splits)):
        rows = table_rows(page, heading)
        assert {name: cells[:2] for name, cells in rows.items()} == {
            name: [f"{count.rows:,}", f"{count.hanzi:,}"] for name, count in counts.items()
        }
    dropped = table_rows(page, "Dropped rows")
    assert {name.strip("`"): cells[0] for name, cells in dropped.items() if cells[1:]} == {
        reason: f"{rows:,}" for reason, rows in manifest.drops.items()
    }
    assert table_rows(page, "Contamination")["`dev`"] == ["100", "7", "1", "1"]
    assert check_report(reported) == []


def test_same_dataset_gives_the_same_bytes(reported: Path, tmp_path: Path) -> None:
    for path in report_dataset(reported, out=tmp_path, options=ReportOptions(has_html=True)):
        assert path.read_bytes() == (reported / path.name).read_bytes(), path.name


def test_pictures_are_small_and_shown(reported: Path) -> None:
    page = (reported / "report.md").read_text(encoding="utf-8")
    shown = re.findall(r"!\[.+\]\((.+)\)", page)
    assert sorted(shown) == sorted(path.name for path in reported.glob("*.png"))
    assert len(shown) == 8
    for name in shown:
        data = (reported / name).read_bytes()
        assert data.startswith(b"\x89PNG")
        assert len(data) < SMALL_BYTES


def test_html_needs_no_other_file(reported: Path) -> None:
    html = (reported / "report.html").read_text(encoding="utf-8")
    assert html.count("data:image/png;base64,") == 8
    assert not re.search(r'(src|href)="(?!data:)', html)


@pytest.mark.usefixtures("quick")
def test_dropped_texts_are_masked_and_can_be_left_out(reported: Path, tmp_path: Path) -> None:
    page = (reported / "report.md").read_text(encoding="utf-8")
    assert "联系" in page
    assert "138123" not in page
    report_dataset(reported, out=tmp_path, options=ReportOptions(n_samples=0))
    for name in ("report.md", "report.json"):
        assert "联系" not in (tmp_path / name).read_text(encoding="utf-8")


@pytest.mark.usefixtures("quick")
def test_check_tells_an_edited_page(reported: Path, tmp_path: Path) -> None:
    report_dataset(reported, out=tmp_path)
    page = tmp_path / "report.md"
    text = page.read_text(encoding="utf-8")
    page.write_text(text.replace("| chat | 3 | 17 |", "| chat | 3 | 18 |"), encoding="utf-8")
    (tmp_path / "zipf.png").unlink()
    found = check_report(reported, out=tmp_path)
    assert found == check_page(tmp_path)
    assert len(found) == 2
    assert "| chat | 3 | 18 |" in found[0]
    assert found[1] == "zipf.png: the picture is missing"


@pytest.mark.usefixtures("quick")
def test_check_tells_edited_figures(reported: Path, tmp_path: Path) -> None:
    report_dataset(reported, out=tmp_path)
    path = tmp_path / "report.json"
    report = json.loads(path.read_text(encoding="utf-8"))
    report["domains"][0]["rows"] += 1
    path.write_text(json.dumps(report), encoding="utf-8")
    assert any(
        line == "domain 'news': the report says (4, 21), the manifest (3, 21)"
        for line in check_report(reported, out=tmp_path)
    )


@pytest.mark.usefixtures("quick")
def test_check_tells_another_dataset(reported: Path, tmp_path: Path) -> None:
    report_dataset(reported, out=tmp_path / "report")
    write_dataset(tmp_path / "other", rows_read=21)
    found = check_report(tmp_path / "other", out=tmp_path / "report")
    assert any(line.startswith("drops:") for line in found)
    assert any(line.startswith("manifest.json: the report is of one with sha256") for line in found)


@pytest.mark.parametrize(
    ("text", "message"),
    [(None, "no report.json"), ("{}", "of this version"), ('{"format_version": 1}', "damaged")],
)
def test_check_without_a_report_fails(
    reported: Path, tmp_path: Path, text: str | None, message: str
) -> None:
    if text is not None:
        (tmp_path / "report.json").write_text(text, encoding="utf-8")
    with pytest.raises(DatasetError, match=message):
        check_report(reported, out=tmp_path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"doubtful": 4}, "doubtful hanzi: the report says 3, the manifest 4"),
        ({"domains": {"chat": Count(6, 38)}}, "domain 'chat'"),
        ({"licences": {"MIT": Count(6, 38)}}, "licence"),
        ({"folds": (Count(4, 26),)}, "fold 0"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
@pytest.mark.usefixtures("quick")
def test_manifest_that_is_wrong_is_told_and_nothing_written(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    write_dataset(tmp_path, **changes)
    with pytest.raises(DatasetError, match=message):
        report_dataset(tmp_path)
    assert not (tmp_path / "report.md").exists()


@pytest.mark.usefixtures("quick")
def test_shard_with_other_rows_is_told(tmp_path: Path) -> None:
    manifest = write_dataset(tmp_path)
    shards = (replace(manifest.shards[0], rows=9), *manifest.shards[1:])
    write_manifest(tmp_path, replace(manifest, shards=shards))
    with pytest.raises(DatasetError, match="has 3 rows, the manifest says 9"):
        report_dataset(tmp_path)


@pytest.mark.usefixtures("quick")
def test_shard_that_is_no_parquet_is_told(tmp_path: Path) -> None:
    manifest = write_dataset(tmp_path)
    path = tmp_path / manifest.shards[0].file
    path.write_bytes(b"x" * path.stat().st_size)
    with pytest.raises(DatasetError, match="cannot read shard data/chat__talk"):
        report_dataset(tmp_path)


def test_empty_groups_of_a_manifest_are_no_difference(reported: Path) -> None:
    manifest = open_dataset(reported).manifest
    report = json.loads((reported / "report.json").read_text(encoding="utf-8"))
    domains = {**manifest.domains, "law": Count()}
    assert differences(report, replace(manifest, domains=domains)) == []


def test_dataset_of_one_split_without_drops_has_a_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {name: PLOTS[name] for name in ("drops.png", "lengths.png")}
    monkeypatch.setattr("yinzi_train.dataset.report_plots.PLOTS", few)
    key, sentences = next(iter(SOURCES.items()))
    write_dataset(tmp_path, {key: sentences[:1]}, drops={}, contamination=(), rows_read=1)
    report_dataset(tmp_path)
    page = (tmp_path / "report.md").read_text(encoding="utf-8")
    assert "none was dropped" in page
    assert "lengths.png" in page
    assert "drops.png" not in page
    assert check_report(tmp_path) == []


@pytest.mark.usefixtures("quick")
def test_progress_ends_with_all_rows(reported: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    report_dataset(reported, out=tmp_path, on_progress=lambda *rows: seen.append(rows))
    assert seen == [(0, 6), (3, 6), (6, 6)]


def test_markup_in_texts_is_shown_as_text() -> None:
    blocks = [Heading("a_b"), Table(["x"], [["[l](http://e) <b> |*`c|d`"]]), Paragraph("`a_b` <i>")]
    assert to_markdown(blocks).splitlines() == [
        "## a\\_b",
        "",
        "| x |",
        "| --- |",
        "| \\[l\\](http://e) \\<b\\> \\|\\*`c\\|d` |",
        "",
        "`a_b` \\<i\\>",
    ]
    html = to_html([*blocks, Picture("p.png", 'a"b')], title="<t>", pictures={"p.png": b"x"})
    assert "<td>[l](http://e) &lt;b&gt; |*<code>c|d</code></td>" in html
    assert "<title>&lt;t&gt;</title>" in html
    assert 'alt="a&quot;b"' in html
