"""``qas-evaluate``: frozen policies of our agents and of Stable-Baselines3's."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from qas_experiments.evaluate import evaluate
from qas_experiments.train import train
from qas_simulators import Circuit
from tests.experiments.conftest import QUICK, compose, conf


def test_evaluation_of_a_run(run: Path, tmp_path: Path) -> None:
    """The frozen policy's row is the one that training printed, and every number follows from the rollouts."""
    run = shutil.copytree(run, tmp_path / "run")
    summary = evaluate(run, policy="last", rollouts=20, epsilon=1.0)
    trained = json.loads((run / "summary.json").read_text())["rows"]["frozen policy, last"]
    for key in ("energy", "two_qubit_gates", "depth", "gates"):
        assert summary["greedy"][key] == trained[key]
    stochastic = summary["stochastic"]
    assert stochastic["rollouts"] == 20 and 0 <= stochastic["success_probability"] <= 1
    low, high = stochastic["interval"]
    assert low <= stochastic["success_probability"] <= high and high - low > 0.1
    assert stochastic["energy_error"]["min"] <= stochastic["energy_error"]["median"]
    assert summary["checked_by_qiskit"] < 1e-12
    assert json.loads((run / "evaluation.json").read_text()) == summary
    assert (run / "evaluation.png").read_bytes().startswith(b"\x89PNG")
    again = evaluate(run, policy="last", rollouts=20, epsilon=1.0)
    assert again == summary, "seeded"


def test_what_a_kan_looks_at(tmp_path: Path) -> None:
    settings = [entry for entry in QUICK if "network" not in entry]
    settings += ["agent=kanqas_kan", "env=bell", "optimizer=none"]
    train(compose(*settings, f"run={tmp_path / 'run'}"))
    found = evaluate(tmp_path / "run", policy="last", rollouts=3)["importance"]
    assert set(found) == {"moments", "gates", "qubits"}
    assert set(found["gates"]) == {"cx", "x", "y", "z", "h", "t"} and sum(found["gates"].values()) == pytest.approx(1.0)
    assert sum(found["moments"].values()) == pytest.approx(1.0)
    for name in ("kan_edges.png", "kan_importance.png"):
        assert (tmp_path / "run" / name).read_bytes().startswith(b"\x89PNG")


def test_bad_evaluations(run: Path, tmp_path: Path) -> None:
    for arguments, message in [
        ({"run": tmp_path}, "folder of a run"),
        ({"run": run, "rollouts": 0}, "at least 1"),
        ({"run": run, "epsilon": 2.0}, r"\[0, 1\]"),
    ]:
        with pytest.raises(ValueError, match=message):
            evaluate(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("agent", [name for name in conf("agent") if name.startswith("sb3")])
def test_agents_of_stable_baselines(agent: str, tmp_path: Path) -> None:
    settings = [entry for entry in QUICK if not entry.startswith("agent.")]
    small = {"sb3_dqn": "learning_starts", "sb3_qrdqn": "learning_starts"}.get(agent, "n_steps")
    settings += ["agent.batch_size=32"] if "ppo" in agent else []
    settings += [f"agent={agent}", f"agent.{small}=64", "env=tfim", "env.problem.num_qubits=2", "env.max_gates=6"]
    summary = train(compose(*settings, f"run={tmp_path / 'run'}"))
    best = summary["rows"]["found in training"]
    circuit = Circuit.from_qasm3((tmp_path / "run" / "best.qasm").read_text())
    assert circuit.num_gates == best["gates"] > 0
    found = evaluate(tmp_path / "run", policy="last", rollouts=3)
    assert found["greedy"]["energy"] == summary["rows"]["frozen policy, last"]["energy"]
