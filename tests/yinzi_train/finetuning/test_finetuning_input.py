from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.yinzi_train.dataset.dataset_samples import MIT
from tests.yinzi_train.finetuning.finetuning_samples import TINY, changed, tune, tuning_config
from tests.yinzi_train.training.training_samples import (
    ROOT,
    SENTENCES,
    assert_same_weights,
    run,
    write_tiny_dataset,
)
from yinzi.errors import ConfigError
from yinzi_train.dataset import DatasetError
from yinzi_train.dataset.pair_vocabulary import PairVocabulary
from yinzi_train.dataset.reader import open_dataset
from yinzi_train.finetuning import open_start
from yinzi_train.finetuning.dataset_checks import check_training_rows
from yinzi_train.model.families import load_checkpoint, save_checkpoint
from yinzi_train.training.config import read_training_config
from yinzi_train.training.errors import TrainingError
from yinzi_train.training.finetuning_options import FinetuningOptions
from yinzi_train.training.method import with_epochs
from yinzi_train.training.train import train

ONE = FinetuningOptions(min_rows=1)


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a dataset with some of the hanzi of the other one."""
    folder = tmp_path_factory.mktemp("few") / "dataset"
    return write_tiny_dataset(folder, sources={("chat__talk", "chat", MIT): SENTENCES[:3]})


def test_vocabularies_are_those_of_the_model(base: Path, few: Path, tmp_path: Path) -> None:
    result = tune(base, few, tmp_path / "run")
    before, after = load_checkpoint(base), load_checkpoint(result.path)
    assert after.pairs.texts() == before.pairs.texts()
    assert after.vocab.hanzi == before.vocab.hanzi


def test_few_sentences_are_refused_with_advice(base: Path, few: Path, tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"has 3 sentences.*at least 100.*finetuning\.min_rows"):
        tune(base, few, tmp_path / "run", "finetuning.min_rows=100")
    assert not (tmp_path / "run").exists()


def test_text_that_the_model_cannot_write_is_refused(few: Path) -> None:
    other = PairVocabulary(np.zeros(1, np.int16), np.array([0x4E00], np.uint32), np.ones(1, int))
    with pytest.raises(DatasetError, match=r"can write 0\.0% of its hanzi.*min_coverage"):
        check_training_rows(open_dataset(few), other, ONE)


def test_labels_that_do_not_align_are_refused(few: Path, tmp_path: Path) -> None:
    dataset = open_dataset(few)
    table = pq.read_table(dataset.shard_paths[0])
    tones = [value[:-1] for value in table.column("tones").to_pylist()]
    index = table.column_names.index("tones")
    kind = table.schema.field("tones").type
    wrong = table.set_column(index, "tones", pa.array(tones, kind))

    class Wrong:
        path, manifest = dataset.path, dataset.manifest

        def iter_tables(self, *, columns: list[str], **others: object) -> list[pa.Table]:
            return [wrong.select(columns)]

    with pytest.raises(DatasetError, match=r"row '.+' has \d hanzi and \d tones.*do not align"):
        check_training_rows(Wrong(), None, ONE)  # type: ignore[arg-type]


def test_sizes_in_the_config_are_refused(base: Path) -> None:
    with pytest.raises(ConfigError, match=r"model\.n_layers.*leave \[model\] out"):
        open_start(base, tuning_config("model.n_layers=4"))
    with pytest.raises(ConfigError, match=r"family 'encoder'.*another --model"):
        open_start(base, tuning_config("model.family=lstm"))


def test_dropout_can_be_set_anew(base: Path, few: Path, tmp_path: Path) -> None:
    result = tune(base, few, tmp_path / "run", "model.dropout=0.25")
    assert load_checkpoint(result.path).model.config.dropout == 0.25
    assert changed(base, result.path)


def test_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"neither config\.json nor manifest\.json"):
        open_start(tmp_path, tuning_config())
    with pytest.raises(ConfigError, match=r"'no/such' is no checkpoint.*no pretrained backbone"):
        open_start("no/such", tuning_config())


def test_teacher_of_other_vocabularies_is_refused(base: Path, few: Path, tmp_path: Path) -> None:
    other = run(few, tmp_path / "other", "training.save_steps=0").path
    with pytest.raises(ConfigError, match=r"teacher.*vocabularies.*same ones"):
        tune(base, few, tmp_path / "run", f"finetuning.distillation.teacher={other}")
    assert not (tmp_path / "run").exists()


def test_run_is_resumed_with_its_own_model(base: Path, few: Path, tmp_path: Path) -> None:
    tune(base, few, tmp_path / "run")
    found = load_checkpoint(base)
    found.model.pair_layer.bias.data += 1
    save_checkpoint(found.model, found.vocab, found.pairs, tmp_path / "other")
    with pytest.raises(ConfigError, match=r"began with other weights"):
        tune(tmp_path / "other", few, tmp_path / "run", resumes=True)


def test_diverging_run_names_what_finetuning_can_do(base: Path, few: Path, tmp_path: Path) -> None:
    found = load_checkpoint(base)
    found.model.pair_layer.bias.data[:] = float("nan")
    save_checkpoint(found.model, found.vocab, found.pairs, tmp_path / "bad")
    with pytest.raises(TrainingError, match=r"finite numbers.*layer_decay.*last_layers or adapter"):
        tune(tmp_path / "bad", few, tmp_path / "run")
    assert not (tmp_path / "run" / "final").exists()


def test_training_from_scratch_refuses_the_section(few: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"\[finetuning\].*yinzi-train finetune"):
        train(tuning_config(), data=few, out=tmp_path / "run")


def test_epochs_end_the_run(base: Path, tiny_dataset: Path, tmp_path: Path) -> None:
    # 8 sentences, 4 a batch and 2 batches a step: a step is an epoch.
    epochs = ("training.max_epochs=4", "training.max_steps=1000")
    result = tune(base, tiny_dataset, tmp_path / "run", *epochs)
    assert result.step == 4
    dataset = open_dataset(tiny_dataset)
    config = tuning_config(*epochs, f"finetuning.replay.data={tiny_dataset}")
    assert with_epochs(config, dataset, n_processes=1).training.max_steps == 6
    assert with_epochs(config, dataset, n_processes=2).training.max_steps == 3
    with pytest.raises(ConfigError, match=r"max_epochs = 1 are 1 steps.*train more epochs"):
        with_epochs(tuning_config("training.max_epochs=1"), dataset, n_processes=1)


def test_final_is_the_best_evaluation(base: Path, tiny_dataset: Path, tmp_path: Path) -> None:
    def make(vocab: object, pairs: object) -> object:
        values = iter((1.0, 3.0, 2.0))
        return lambda model: {"made_up": next(values)}

    options = ("training.eval_steps=2", "training.metric=made_up", "training.save_steps=2")
    best = tune(base, tiny_dataset, tmp_path / "a", *options, make_evaluation=make)
    assert best.best_step == 4
    assert changed(tmp_path / "a" / "checkpoint-4", best.path) == set()
    last = tune(
        *(base, tiny_dataset, tmp_path / "b", *options, "finetuning.restores_best=false"),
        make_evaluation=make,
    )
    assert changed(tmp_path / "b" / "checkpoint-6", last.path) == set()
    assert changed(best.path, last.path)


def test_patience_ends_the_run(base: Path, tiny_dataset: Path, tmp_path: Path) -> None:
    options = ("training.eval_steps=1", "training.metric=made_up", "training.patience=2")
    result = tune(
        *(base, tiny_dataset, tmp_path / "run", *options),
        make_evaluation=lambda vocab, pairs: lambda model: {"made_up": 0.0},
    )
    assert (result.end_reason, result.step) == ("patience", 3)


def test_published_config_holds_the_defaults_of_the_section() -> None:
    found = read_training_config(ROOT / "configs" / "finetune.toml")
    assert found.finetuning == FinetuningOptions()


@pytest.mark.slow
def test_two_processes_end_with_one_model(base: Path, tiny_dataset: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "yinzi_train.cli", "finetune"]
    settings = [*TINY, "finetuning.method=gradual", "finetuning.stage_steps=1"]
    settings += ["finetuning.tasks.masked_hanzi=0.5", "training.eval_steps=2"]

    def tuned(name: str, *others: str) -> Path:
        out = tmp_path / name
        arguments = ["configs/finetune.toml", "--model", base, "--data", tiny_dataset, "--out", out]
        arguments += ["--processes", "2", *(f"--set={one}" for one in settings), *others]
        done = subprocess.run(
            [*command, *map(str, arguments)], cwd=ROOT, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        assert "parameters train" in done.stderr
        return Path(done.stdout.strip())

    final = tuned("a")
    assert changed(base, final)
    assert_same_weights(final, tuned("b"))
    assert json.loads((tmp_path / "a" / "run.json").read_text())["processes"] == 2


def test_command_tunes_and_tells_what_trains(
    base: Path, tiny_dataset: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from yinzi.cli.running import run_app
    from yinzi_train.cli.main import app

    settings = [f"--set={one}" for one in (*TINY, "finetuning.method=adapter")]
    arguments = ["finetune", str(ROOT / "configs" / "finetune.toml"), "--model", str(base)]
    arguments += ["--data", str(tiny_dataset), "--out", str(tmp_path / "run"), *settings]
    assert run_app(app, arguments, name="yinzi-train") == 0
    printed = capsys.readouterr()
    assert printed.out.strip() == str(tmp_path / "run" / "final")
    assert "by the method 'adapter'" in printed.err
    logging.getLogger("yinzi_train").setLevel(logging.NOTSET)
