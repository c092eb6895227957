from __future__ import annotations

from pathlib import Path

import pytest

from yinzi.errors import ConfigError
from yinzi_train.pipeline.records import (
    StageRecord,
    code_digest,
    digest,
    file_digests,
    read_record,
    write_record,
)


def test_record_reads_back(tmp_path: Path) -> None:
    record = StageRecord({"texts": {"a": "1"}}, {"x.npy": "2"}, {"n": 3})
    write_record(tmp_path / "a.json", record)
    assert read_record(tmp_path / "a.json") == record
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


@pytest.mark.parametrize("text", ["", '{"inputs": {', '{"inputs": {}}', "[]", "3"])
def test_record_that_is_not_whole_does_not_count(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.json").write_text(text, encoding="utf-8")
    assert read_record(tmp_path / "a.json") is None
    assert read_record(tmp_path / "b.json") is None


def test_changed_outputs_are_named(tmp_path: Path) -> None:
    for name in ("kept", "edited", "gone"):
        (tmp_path / name).write_text(name, encoding="utf-8")
    record = StageRecord({}, file_digests(tmp_path.iterdir(), folder=tmp_path), {})
    assert record.changed_outputs(tmp_path) == []
    (tmp_path / "edited").write_text("other", encoding="utf-8")
    (tmp_path / "gone").unlink()
    assert record.changed_outputs(tmp_path) == ["edited", "gone"]


def test_missing_file_has_no_digest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read"):
        file_digests([tmp_path / "none"])


def test_digest_tells_values_apart() -> None:
    assert digest({"a": 1}) != digest({"a": "1"})


def test_code_digest_is_of_what_the_code_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)

    def of(name: str, text: str) -> str:
        (tmp_path / f"{name}.py").write_text(text, encoding="utf-8")
        return code_digest([name])

    plain = of("digested_a", "def f(x):\n    return x + 1\n")
    explained = of("digested_b", '"""Why."""\n\ndef f(x):\n    """Add."""\n    return x+1  # one\n')
    other = of("digested_c", "def f(x):\n    return x + 2\n")
    assert plain == explained
    assert plain != other
