"""``qas-train agent=graph``: what it writes, resuming to the same bytes, and playing its policy."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from qas_experiments.commands.evaluate import evaluate
from qas_experiments.training.run import train
from tests.experiments.conftest import compose
from tests.experiments.runs.conftest import same_after_a_cut

SMALL = [
    "experiment=ising_graphs",
    "env.problem={num_qubits: 3, seed: 1}",
    "env.max_gates=12",
    "agent.instances={num_qubits: [2, 3], seed: [5, 6]}",
    "agent.hidden=8",
    "agent.batch=8",
    "agent.max_iterations=10",
    "agent.teacher=0",
    "agent.cloning=0",
    "optimizer.starts=2",
    "training.total_timesteps=64",
    "training.evaluate_every=16",
    "training.checkpoint_every=16",
    "training.progress=false",
]


def test_a_resumed_run_ends_in_the_same_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = same_after_a_cut(SMALL, tmp_path, monkeypatch)
    # Circuits of the training instances are counted, but none of them is a circuit of the environment.
    assert whole["training"]["steps"] == 64 and whole["rows"]["found in training"] is None
    rows = [json.loads(line) for line in (tmp_path / "whole" / "metrics.jsonl").read_text().splitlines()]
    assert len(rows) == 64 and rows[-1]["entropy"] > 0 and "policy_energy_error" in rows[15]
    found = evaluate(tmp_path / "whole", rollouts=2)
    assert found["checked_by_qiskit"] < 1e-9 and found["greedy"]["two_qubit_gates"] <= 4


def test_training_on_the_environment_itself_keeps_its_circuits(tmp_path: Path) -> None:
    summary = train(compose(*SMALL, "~agent.instances", "training.total_timesteps=16", f"run={tmp_path / 'run'}"))
    found = summary["rows"]["found in training"]
    assert found is not None and found["evaluations"] <= summary["training"]["evaluations"]
    assert (tmp_path / "run" / "best.qasm").exists()
