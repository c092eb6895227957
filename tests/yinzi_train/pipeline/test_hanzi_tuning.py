from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import yinzi
from tests.yinzi.tiny_lexicon import TINY
from yinzi.artifact import Artifact
from yinzi.errors import ConfigError
from yinzi_train.cli.main import main
from yinzi_train.pipeline.hanzi_tuning import tune_hanzi

SENTENCES = {
    "很漂亮": "hen piao liang",
    "是我的朋友": "shi wo de peng you",
    "今天没有来": "jin tian mei you lai",
    "在北京工作": "zai bei jing gong zuo",
    "喜欢吃苹果": "xi huan chi ping guo",
    "已经走了": "yi jing zou le",
}


def write_rows(path: Path, pronoun: str) -> Path:
    lines = [
        f"a.{number}\t{pronoun}{hanzi}\tta {pinyin}\t\n"
        for number, (hanzi, pinyin) in enumerate(SENTENCES.items())
    ]
    path.write_text("".join(lines), encoding="utf-8")
    return path


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    return Path(shutil.copytree(Artifact.open("base").folder, tmp_path / "base"))


def test_hanzi_that_people_mean_more_often_come_first(artifact: Path, tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.tsv", "她")
    before = yinzi.load(artifact)
    fit = tune_hanzi(artifact, [rows], n_hanzi=2)
    assert set(fit.logprobs) == {"他", "她"}
    assert fit.logprobs["她"] > 0 > fit.logprobs["他"]
    assert fit.n_rows == len(SENTENCES)
    assert fit.checked["rows"] > fit.accuracy["rows"]
    stored = json.loads((artifact / "manifest.json").read_text(encoding="utf-8"))["parameters"]
    assert stored["decoder"]["fusion"]["hanzi_logprobs"] == fit.logprobs
    after = yinzi.load(artifact)
    typed = "ta zai jia"
    assert before.convert(typed)[0].text.startswith("他")
    margins = [
        texts["她在家"] - texts["他在家"]
        for converter in (before, after)
        for texts in [{one.text: one.logprob for one in converter.convert(typed, n_best=5)}]
    ]
    weight = after.decoder.options.fused_beam.encoder_weight
    gained = weight * (fit.logprobs["她"] - fit.logprobs["他"])
    known = Artifact.open("base").parameters("decoder").get("fusion", {}).get("hanzi_logprobs", {})
    gained -= weight * (known.get("她", 0.0) - known.get("他", 0.0))
    assert margins[1] - margins[0] == pytest.approx(gained, abs=1e-3)


def test_fit_does_not_depend_on_what_was_fitted_before(artifact: Path, tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.tsv", "她")
    first = tune_hanzi(artifact, [rows], n_hanzi=2)
    again = tune_hanzi(artifact, [rows], n_hanzi=2)
    assert again.accuracy == first.accuracy
    assert set(again.logprobs) == set(first.logprobs)


def test_artifacts_without_an_encoder_are_refused(tmp_path: Path) -> None:
    rows = write_rows(tmp_path / "rows.tsv", "他")
    with pytest.raises(ConfigError, match="has no encoder: hanzi are fitted on top of its scores"):
        tune_hanzi(TINY, [rows], n_hanzi=2)
    with pytest.raises(ConfigError, match="n_hanzi is 0: expected at least 1"):
        tune_hanzi(TINY, [rows], n_hanzi=0)


def test_command_prints_what_was_stored_and_the_check(
    artifact: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = write_rows(tmp_path / "rows.tsv", "她")
    with pytest.raises(SystemExit) as end:
        main(["fit-hanzi", str(artifact), str(rows), "--hanzi", "2"])
    assert end.value.code == 0
    stored, check = capsys.readouterr().out.splitlines()
    assert stored.startswith("stored: ")
    assert "她 +" in stored
    assert check.startswith("MIU@1, of each half of the rows with what the other half gives: rows ")
