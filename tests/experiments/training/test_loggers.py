"""Metrics of episodes, and the loggers that receive them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from qas_agents import SB3Agent
from qas_experiments.building import make_environment
from qas_experiments.runs.metrics import metrics_of
from qas_experiments.training.loggers import LOGGERS, EpisodeAverages, LoggerChoice
from qas_experiments.training.recorder import Recorder
from qas_experiments.training.run import train
from tests.experiments.conftest import compose

RANDOM = ["env=tfim", "env.problem.num_qubits=2", "agent=random", "training.progress=false", "training.baselines=false"]
CALLS: list[tuple[dict[str, float], int]] = []


class Collecting:
    """A logger as a user writes it."""

    made: list[Collecting] = []

    def __init__(self, run: Path, settings: Mapping[str, Any], first_step: int, label: str = "") -> None:
        self.run, self.settings, self.first_step, self.label = run, settings, first_step, label
        self.entries: list[tuple[dict[str, float], int]] = []
        self.is_closed = False
        self.made.append(self)

    def log(self, metrics: Mapping[str, float], step: int) -> None:
        self.entries.append((dict(metrics), step))

    def close(self) -> None:
        self.is_closed = True


def collect(metrics: Mapping[str, float], step: int) -> None:
    CALLS.append((dict(metrics), step))


def test_return_and_length_are_those_of_stable_baselines3() -> None:
    """Its ``Monitor`` adds up rewards and steps of every episode by itself."""
    env = make_environment(compose("env=tfim", "env.problem.num_qubits=2", "env.actions=gates", "agent=sb3_dqn"))
    rows: list[dict[str, Any]] = []
    recorder = Recorder(env, rows.append, lambda: False)
    theirs: list[dict[str, float]] = []

    def callback(locals_: dict[str, Any], globals_: dict[str, Any]) -> bool:
        theirs.extend(info["episode"] for info in locals_["infos"] if "episode" in info)
        return recorder(locals_, globals_)

    SB3Agent(env, "DQN", {"learning_starts": 1000, "buffer_size": 1000}, seed=0).learn(200, callback)
    assert len(rows) == len(theirs) > 3 and len({row["length"] for row in rows}) > 1
    assert [row["length"] for row in rows] == [episode["l"] for episode in theirs]
    np.testing.assert_allclose([row["return"] for row in rows], [episode["r"] for episode in theirs], atol=1e-5)


def test_loggers_by_import_string(tmp_path: Path) -> None:
    Collecting.made.clear()
    CALLS.clear()
    here = __name__  # pytest imports this file under a name of its own
    chosen = f"[{{target: '{here}:Collecting', every: 4, label: mine}},'{here}:collect']"
    train(compose(*RANDOM, "training.total_timesteps=300", f"loggers={chosen}", f"run={tmp_path / 'run'}"))
    [logger] = Collecting.made
    rows = list(metrics_of(tmp_path / "run"))
    assert logger.label == "mine" and logger.first_step == 0 and logger.is_closed
    assert logger.run == tmp_path / "run" and logger.settings["agent"] == {"name": "random"}
    assert len(logger.entries) == len(rows) // 4 > 1
    for number, (metrics, step) in enumerate(logger.entries):
        some = rows[4 * number : 4 * number + 4]
        assert step == some[-1]["steps"]
        for name in ("return", "length", "energy_error", "success"):
            assert metrics[name] == pytest.approx(np.mean([row[name] for row in some]))
        assert "epsilon" not in metrics, "the random policy has none"
    assert len(CALLS) == len(rows) // 50
    assert not (tmp_path / "run" / "tensorboard").exists(), "it was not listed"


def test_tensorboard_has_return_and_length(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    train(compose(*RANDOM, "training.total_timesteps=1500", f"run={tmp_path / 'run'}"))
    rows = list(metrics_of(tmp_path / "run"))[:50]
    events = EventAccumulator(str(tmp_path / "run" / "tensorboard"))
    events.Reload()
    for name in ("return", "length"):
        first = events.Scalars(f"train/{name}")[0]
        assert first.step == rows[-1]["steps"]
        assert first.value == pytest.approx(np.mean([row[name] for row in rows]), rel=1e-5)


def test_weights_and_biases_and_mlflow_are_called_as_they_document(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stand-ins record the calls: the packages are optional."""
    calls: list[tuple[Any, ...]] = []

    def noted(name: str) -> Any:
        return lambda *given, **settings: calls.append((name, given, settings))

    run = SimpleNamespace(log=noted("log"), finish=noted("finish"))
    wandb = SimpleNamespace(init=lambda **settings: calls.append(("init", (), settings)) or run)
    names = ("set_tracking_uri", "set_experiment", "start_run", "log_params", "log_metrics", "end_run")
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    monkeypatch.setitem(sys.modules, "mlflow", SimpleNamespace(**{name: noted(name) for name in names}))
    choices = [
        LoggerChoice.of({"name": "wandb", "mode": "offline", "every": 1}),
        LoggerChoice.of({"name": "mlflow", "tracking_uri": "file:x", "every": 1}),
    ]
    averages = EpisodeAverages(choices, tmp_path / "run", {"agent": {"n_step": 3}}, 0)
    averages.add({"episode": 1, "steps": 7, "return": 2.5})
    averages.close()
    assert calls == [
        (
            "init",
            (),
            {
                "project": "qas-envs",
                "dir": str(tmp_path / "run"),
                "name": "run",
                "config": {"agent": {"n_step": 3}},
                "mode": "offline",
            },
        ),
        ("set_tracking_uri", ("file:x",), {}),
        ("set_experiment", ("qas-envs",), {}),
        ("start_run", (), {"run_name": "run"}),
        ("log_params", ({"agent.n_step": 3},), {}),
        ("log", ({"return": 2.5},), {"step": 7}),
        ("log_metrics", ({"return": 2.5},), {"step": 7}),
        ("end_run", (), {}),
        ("finish", (), {}),
    ]


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("tensorbord", "Unknown logger 'tensorbord'. Choices: mlflow, tensorboard, wandb. Did you mean 'tensorboard'?"),
        ("nowhere:Logger", "No module named 'nowhere'"),
        ("os:sep", "name a function (metrics, step), or a class with log and close"),
        ({"every": 3}, "list names, import strings, or mappings with a name or a target"),
        ({"name": "wandb", "every": 0}, "`loggers.every` must be an integer of at least 1"),
    ],
)
def test_wrong_loggers_are_named(given: Any, told: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - compared below
        LoggerChoice.of(given)
    assert told in str(caught.value)


def test_a_missing_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("wandb", "mlflow"):
        monkeypatch.setitem(sys.modules, name, None)
        with pytest.raises(ImportError, match=f"qas-envs\\[{name}\\]"):
            LOGGERS[name](tmp_path, {}, 0)
