from __future__ import annotations

import multiprocessing
import signal
import sqlite3
from pathlib import Path

import optuna
import pytest

from tests.yinzi_train.tuning.tuning_samples import (
    Formula,
    fail_at,
    kill_at,
    run_formula,
    work_and_die,
    work_and_wait,
    write_formula,
)
from yinzi.errors import ConfigError
from yinzi_train.training.errors import TrainingStopped
from yinzi_train.tuning.errors import TuningError
from yinzi_train.tuning.storage import (
    claim_study,
    fail_silent_trials,
    latest_attempts,
    open_study,
    requeue,
)
from yinzi_train.tuning.summary import write_summary
from yinzi_train.tuning.worker import work

COMPLETE, PRUNED, FAIL = (
    optuna.trial.TrialState.COMPLETE,
    optuna.trial.TrialState.PRUNED,
    optuna.trial.TrialState.FAIL,
)


def values_by_slot(study: optuna.Study) -> dict[int, tuple[dict[str, object], float | None]]:
    return {
        slot: (trial.params, trial.value)
        for slot, trial in latest_attempts(study.get_trials()).items()
    }


def test_all_trials_run_once_and_the_default_is_first(tmp_path: Path) -> None:
    objective = Formula()
    study = run_formula(tmp_path / "out", write_formula(tmp_path / "s.toml"), objective)
    assert objective.runs == [0, 1, 2, 3, 4]
    assert study.trials[0].params == {"a.x": 0.5, "a.kind": "plain"}
    assert {trial.state for trial in study.trials} == {COMPLETE}
    for trial in study.trials:
        assert ("a.shift" in trial.params) == (trial.params["a.kind"] == "shifted")
    models = [path.parent.name for path in (tmp_path / "out" / "trials").glob("*/model")]
    assert models == [str(study.best_trial.number)]
    work(tmp_path / "out", write_formula(tmp_path / "s.toml"), objective)
    assert len(objective.runs) == 5


def test_stopped_study_goes_on_and_ends_as_an_unbroken_one(tmp_path: Path) -> None:
    config = write_formula(tmp_path / "s.toml", n_trials=4, sampler="random")
    unbroken = run_formula(tmp_path / "a", config, Formula())
    with pytest.raises(TrainingStopped, match="SIGINT in trial 2; all is saved") as stopped:
        run_formula(tmp_path / "b", config, Formula(kill_at(2, signal.SIGINT)))
    assert stopped.value.exit_status == 130
    again = Formula()
    study = run_formula(tmp_path / "b", config, again)
    assert sorted(again.runs) == [2, 3]
    assert values_by_slot(study) == values_by_slot(unbroken)
    number = latest_attempts(study.get_trials())[2].number
    folder = tmp_path / "b" / "trials" / str(number)
    assert len((folder / "runs.txt").read_text().splitlines()) == 2  # it was taken over
    assert not (tmp_path / "b" / "trials" / "2").exists()


@pytest.mark.slow
def test_workers_share_a_study_and_take_over_from_one_that_was_killed(tmp_path: Path) -> None:
    config = write_formula(tmp_path / "s.toml", n_trials=6, grace=3)
    folder = tmp_path / "out"
    study = claim_study(folder, config, Formula())
    context = multiprocessing.get_context("spawn")
    mark = tmp_path / "mark"
    workers = [
        context.Process(target=target, args=(folder, config, mark))
        for target in (work_and_die, work_and_wait)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [-signal.SIGKILL, 0]
    cut_off = int(mark.read_text())
    trials = study.get_trials()
    complete = [trial.user_attrs["slot"] for trial in trials if trial.state is COMPLETE]
    assert sorted(complete) == list(range(6))
    retried = latest_attempts(trials)[cut_off]
    assert retried.user_attrs["previous"] == cut_off
    assert retried.params == trials[cut_off].params
    assert sorted(retried.intermediate_values) == [1, 2, 3, 4]
    assert trials[cut_off].state is FAIL


def test_trial_whose_process_was_killed_three_times_has_failed(tmp_path: Path) -> None:
    config = write_formula(tmp_path / "s.toml", n_trials=1, grace=2)
    study = claim_study(tmp_path / "out", config, Formula())
    attributes = {"slot": 0, "n_kills": 2}
    # It has no heartbeat, as if it had been killed before the first.
    study.add_trial(
        optuna.create_trial(state=optuna.trial.TrialState.RUNNING, user_attrs=attributes)
    )
    while study.get_trials()[1].state is optuna.trial.TrialState.RUNNING:
        fail_silent_trials(study, grace_seconds=0)
    assert study.get_trials()[1].state is FAIL
    assert len(study.get_trials()) == 2


def test_trial_that_was_wrongly_taken_for_killed_is_left_to_its_next_attempt(
    tmp_path: Path,
) -> None:
    config, folder = write_formula(tmp_path / "s.toml", n_trials=3), tmp_path / "out"
    done: list[int] = []

    def happens(slot: int, step: int) -> None:
        if slot == 1 and step == 2 and not done:
            done.append(slot)
            study._storage.set_trial_state_values(study.trials[1]._trial_id, FAIL)
            requeue(study, study.trials[1], n_kills=1)

    objective = Formula(happens)
    study = claim_study(folder, config, objective)
    work(folder, config, objective)
    assert objective.runs == [0, 1, 2, 1]
    assert [trial.state for trial in study.trials] == [COMPLETE, FAIL, COMPLETE, COMPLETE]


def test_bad_trials_are_pruned(tmp_path: Path) -> None:
    config = write_formula(tmp_path / "s.toml", n_trials=8, pruner="median")
    study = run_formula(tmp_path / "out", config, Formula())
    pruned = [trial for trial in study.trials if trial.state is PRUNED]
    assert pruned
    assert all(len(trial.intermediate_values) < 4 for trial in pruned)
    text = write_summary(tmp_path / "out", config, Formula(), study).read_text(encoding="utf-8")
    assert "| pruned |" in text


def test_failed_trial_is_told_and_the_study_goes_on(tmp_path: Path) -> None:
    config = write_formula(tmp_path / "s.toml")
    objective = Formula(fail_at((1, 3)))
    study = run_formula(tmp_path / "out", config, objective)
    assert objective.runs == [0, 1, 2, 3, 4]
    assert [trial.state for trial in study.trials] == [COMPLETE, FAIL, COMPLETE, FAIL, COMPLETE]
    text = write_summary(tmp_path / "out", config, objective, study).read_text(encoding="utf-8")
    assert "- 3: slot 3 cannot run" in text


def test_study_whose_first_trials_all_fail_stops_with_the_message(tmp_path: Path) -> None:
    objective = Formula(fail_at((0, 1, 2, 3, 4)))
    with pytest.raises(TuningError, match=r"first 3 trials have failed.* slot 0 cannot run"):
        run_formula(tmp_path / "out", write_formula(tmp_path / "s.toml"), objective)
    assert objective.runs == [0, 1, 2]


def test_summary_says_if_no_trial_beats_the_default(tmp_path: Path) -> None:
    config = write_formula(tmp_path / "s.toml", n_trials=1)
    study = run_formula(tmp_path / "out", config, Formula())
    text = write_summary(tmp_path / "out", config, Formula(), study).read_text(encoding="utf-8")
    assert "No trial beats the default (0.04)" in text
    assert "importance of settings: it needs 4" in text


def test_other_settings_are_refused_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    claim_study(folder, write_formula(tmp_path / "s.toml"), Formula())
    with pytest.raises(ConfigError, match=r"has search\.a\.x\.high = 1\.0, given 2\.0.*new folder"):
        claim_study(folder, write_formula(tmp_path / "s.toml", high=2.0), Formula())
    other = Formula()
    other.made_from = {"formula": 2}
    with pytest.raises(ConfigError, match="has formula = 1, given 2"):
        claim_study(folder, write_formula(tmp_path / "s.toml"), other)


def test_number_of_trials_may_change(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    for n_trials, expected in ((1, [0]), (2, [1])):
        objective = Formula()
        run_formula(folder, write_formula(tmp_path / "s.toml", n_trials=n_trials), objective)
        assert objective.runs == expected
    claim_study(folder, write_formula(tmp_path / "s.toml", n_trials=5), Formula())
    for n_trials, expected in ((3, [2]), (4, [3])):
        objective = Formula()
        run_formula(folder, write_formula(tmp_path / "s.toml", n_trials=n_trials), objective)
        assert objective.runs == expected


def test_damaged_and_missing_storage_are_told(tmp_path: Path) -> None:
    config, folder = write_formula(tmp_path / "s.toml"), tmp_path / "out"
    claim_study(folder, config, Formula())._storage.remove_session()
    content = (folder / "study.db").read_bytes()
    (folder / "study.db").write_bytes(b"\0" * 4096 + content[4096:])
    with pytest.raises(TuningError, match=r"study\.db.*restore it"):
        claim_study(folder, config, Formula())
    with pytest.raises(TuningError, match="damaged"):
        open_study(folder, config, Formula())
    (folder / "study.db").unlink()
    with pytest.raises(TuningError, match=r"no study\.db, where its trials were"):
        claim_study(folder, config, Formula())


def test_folder_with_other_files_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(ConfigError, match="holds files but no readable"):
        claim_study(tmp_path / "out", write_formula(tmp_path / "s.toml"), Formula())
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["notes.txt"]


def test_start_that_was_cut_off_is_begun_anew(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "study.db").write_bytes(b"half")
    study = run_formula(folder, write_formula(tmp_path / "s.toml", n_trials=2), Formula())
    assert len(study.trials) == 2
    with sqlite3.connect(folder / "study.db") as connection:
        assert connection.execute("select count(*) from trials").fetchone() == (2,)
    connection.close()
