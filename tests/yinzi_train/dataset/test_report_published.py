"""The report in docs/ says what its own figures say."""

from __future__ import annotations

from pathlib import Path

from yinzi_train.dataset.report import check_page

REPORT = Path(__file__).parents[3] / "docs" / "dataset-report"


def test_published_report_agrees_with_its_figures() -> None:
    assert check_page(REPORT) == []
    assert all((REPORT / name).stat().st_size < 40_000 for name in ("zipf.png", "domains.png"))
