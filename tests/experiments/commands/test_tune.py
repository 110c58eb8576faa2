"""``qas-tune``: what is searched, how it goes on, what it says of mistakes."""

import shlex
import sys
from pathlib import Path
from typing import Any

import optuna
import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import TrialState

from qas_experiments import tuning
from qas_experiments.commands import tune as module
from qas_experiments.settings import STUDY_CHOICES
from qas_experiments.tuning import distribution_of, tune
from tests.experiments.conftest import QUICK, compose

SPACE = ["agent.n_step=1,2", "agent.learning_rate=tag(log, interval(1e-4, 1e-2))"]


def overrides(folder: Path, *others: str) -> list[str]:
    base = [*QUICK, "env=tfim", "env.problem.num_qubits=2", "training.total_timesteps=300"]
    return [*base, *SPACE, "tune.study=first", f"tune.folder={folder}", *others]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a=1,3,5", CategoricalDistribution(["1", "3", "5"])),
        ("agent=dqn,annealing", CategoricalDistribution(["dqn", "annealing"])),
        ("a=range(32, 97, 32)", IntDistribution(32, 96, step=32)),
        ("a=range(0.1, 0.35, 0.1)", FloatDistribution(0.1, 0.3, step=0.1)),
        ("a=interval(1, 5)", FloatDistribution(1.0, 5.0)),
        ("a=int(interval(1, 5))", IntDistribution(1, 5)),
        ("a=tag(log, interval(1e-4, 1e-2))", FloatDistribution(1e-4, 1e-2, log=True)),
    ],
)
def test_sweeps_say_what_is_searched(text: str, expected: BaseDistribution) -> None:
    assert distribution_of(OverridesParser.create().parse_override(text)) == expected


@pytest.mark.slow  # python -m pytest tests/experiments/commands/test_tune.py -m slow
def test_a_study_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = tune(overrides(tmp_path, "tune.trials=2", "tune.seeds=2"))
    before = study.trials
    assert [trial.state for trial in before] == [TrialState.COMPLETE] * 2
    assert {path.name for path in (tmp_path / "first" / "trial-0").iterdir() if path.is_dir()} == {"seed-0", "seed-1"}
    again = tune(overrides(tmp_path, "tune.trials=3", "tune.seeds=2"))
    assert [trial.params for trial in again.trials[:2]] == [trial.params for trial in before]
    assert len(again.trials) == 3 and {*again.trials[2].params} == {"agent.n_step", "agent.learning_rate"}
    printed = capsys.readouterr().out
    command = (tmp_path / "first" / "best.txt").read_text().strip()
    assert f"best: {command}" in printed
    settings = compose(*shlex.split(command)[1:])
    assert settings.agent["learning_rate"] == pytest.approx(again.best_trial.params["agent.learning_rate"])


@pytest.mark.slow  # python -m pytest tests/experiments/commands/test_tune.py -m slow
def test_databases_work_as_storage(tmp_path: Path) -> None:
    place = f"tune.storage=sqlite:///{tmp_path}/study.db"
    tune(overrides(tmp_path, "tune.trials=1", place))
    assert len(optuna.load_study(study_name="first", storage=f"sqlite:///{tmp_path}/study.db").trials) == 1


def test_a_pruned_trial_ends_early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second trial is told to be worse than the first at its first report."""
    values = iter([1.0] * 11 + [2.0] * 11)
    monkeypatch.setitem(tuning.OBJECTIVES, "error", lambda recorder: next(values))
    monkeypatch.setitem(tuning.PRUNERS, "median", lambda: optuna.pruners.MedianPruner(n_startup_trials=1))
    study = tune(overrides(tmp_path, "tune.trials=2"))
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE, TrialState.PRUNED]
    assert [*study.trials[1].intermediate_values] == [1]
    assert not (tmp_path / "first" / "trial-1" / "seed-0" / "summary.json").exists()


def test_an_interrupted_trial_is_played_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "train", lambda settings, watch: {"interrupted": True})
    study = tune(overrides(tmp_path, "tune.trials=2"))
    assert [trial.state for trial in study.trials] == [TrialState.FAIL, TrialState.WAITING]
    monkeypatch.undo()
    study = tune(overrides(tmp_path, "tune.trials=1"))
    assert study.trials[1].state == TrialState.COMPLETE and study.trials[1].params == study.trials[0].params


def test_ctrl_c_anywhere_in_a_trial_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*arguments: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tuning, "train", stop)
    study = tune(overrides(tmp_path, "tune.trials=2"))
    assert [trial.state for trial in study.trials] == [TrialState.FAIL, TrialState.WAITING]


@pytest.mark.slow  # python -m pytest tests/experiments/commands/test_tune.py -m slow
def test_a_resumed_study_draws_other_samples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "_play", lambda *arguments: (1.0, TrialState.COMPLETE))
    for number in (2, 4):
        study = tune(overrides(tmp_path, f"tune.trials={number}", "tune.sampler=random"))
    rates = [trial.params["agent.learning_rate"] for trial in study.trials]
    assert len(set(rates)) == 4


def test_lists_are_printed_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fixed = [text for text in overrides(tmp_path, "tune.trials=1") if "n_step" not in text and "hidden" not in text]
    tune([*fixed, "agent.network.hidden=[8],[8,8]"])
    printed = capsys.readouterr().out
    assert "agent.network.hidden=[8" in printed.split("best: ")[1]


def test_reports_follow_the_budget_that_ends_the_training(tmp_path: Path) -> None:
    study = tune(overrides(tmp_path, "tune.trials=1", "tune.reports=4", "training.max_evaluations=800"))
    assert [*study.trials[0].intermediate_values] == [1, 2, 3, 4]


def test_settings_that_fail_do_not_end_a_study(tmp_path: Path) -> None:
    texts = overrides(tmp_path, "tune.trials=3", "tune.sampler=random", "tune.sampler_seed=6")
    study = tune([text.replace("n_step=1,2", "n_step=1,0") for text in texts])
    told = [trial.user_attrs.get("problem") for trial in study.trials if trial.params["agent.n_step"] == "0"]
    assert told and all("n_step" in problem for problem in told) and len(study.trials) == 3


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["tune.study=x"], "sweep a setting"),
        (["agent.n_step=1,2"], "name the study"),
        (["tune.study=x", "agent.n_step=1,2", "tune.objective=err"], "Unknown objective 'err'"),
        (["tune.study=x", "agent.n_step=1,2", "tune.trials=0"], "at least 1"),
        (["tune.study=x", "agent.n_stepp=1,2"], "Unknown override 'agent.n_stepp'"),
        (["tune.study=x", "agent.n_step=1,2", "training.seed=1"], "which the trials choose"),
        (["tune.study=x", "agent.n_step=range(5,5)"], "nonempty range"),
        (["tune.study=x", "agent.n_step=tag(log, range(1, 9))"], "only for an interval"),
        (["tune.study=x", "agent=random,annealng"], "Unknown agent 'annealng'"),
        (["tune.study=x", "training.evaluate_every=10,abc"], "."),
        (["tune.study=x", "agent.n_step=1,2", "training.max_seconds=1e-9"], "."),
        (["tune.study=x", "agent.n_step=1,2", "tune.sampler_seed=-1"], "not be negative"),
        (["tune.study=x", "agent.n_step=1,2", "tune.storage=nix://x"], "must be usable"),
        (["tune.study=x", "agent.n_step=1,2", "rounds=[{env: {max_gates: 3}}]"], "rounds"),
    ],
)
def test_mistakes(wrong: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises((ValueError, HydraException), match=message):
        tune([*wrong, f"tune.folder={tmp_path}"])


def test_a_study_keeps_its_settings(tmp_path: Path) -> None:
    tune(overrides(tmp_path, "tune.trials=1"))
    changed: list[Any] = [text.replace("n_step=1,2", "n_step=1,3") for text in overrides(tmp_path)]
    with pytest.raises(ValueError, match="be new, or keep its settings"):
        tune(changed)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ([1e6, 1e6 + 1e-5, 1e6], "all trials have the same objective, so the best one is arbitrary"),
        ([0.5, 0.5, 0.6], "best: qas-train"),
        ([None, None, None], "no trial is complete"),
    ],
)
def test_a_study_says_when_nothing_was_compared(
    values: list[float | None],
    told: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    ends = iter([(value, TrialState.PRUNED if value is None else TrialState.COMPLETE) for value in values])
    monkeypatch.setattr(tuning, "_play", lambda *arguments: next(ends))
    tune(overrides(tmp_path, "tune.trials=3"))
    shown = capsys.readouterr().out
    assert told in shown
    assert ("the best one is arbitrary" in shown) == (told.startswith("all trials"))


def test_the_status_of_an_interrupted_study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "train", lambda settings, watch: {"interrupted": True})
    monkeypatch.setattr(sys, "argv", ["qas-tune", *overrides(tmp_path, "tune.trials=2")])
    with pytest.raises(SystemExit) as ended:
        module.main()
    assert ended.value.code == 130


def test_the_help_names_the_choices_that_exist() -> None:
    tables = {"objective": tuning.OBJECTIVES, "sampler": tuning.SAMPLERS, "pruner": tuning.PRUNERS}
    assert {name: [*choices] for name, choices in STUDY_CHOICES.items()} == {k: [*v] for k, v in tables.items()}
