"""``qas-train agent=dqn_graph``: training on instances, resuming to the same bytes, and frozen policies elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from qas_experiments.commands.evaluate import evaluate
from qas_experiments.training.run import train
from tests.experiments.conftest import compose
from tests.experiments.runs.conftest import same_after_a_cut

SMALL = [
    "experiment=ising_graphs_dqn",
    "env.max_gates=12",
    "agent.batch_size=8",
    "agent.learning_starts=16",
    "training.total_timesteps=40",
    "training.evaluate_every=6",
    "training.checkpoint_every=9",
    "training.progress=false",
]
TWO_SIZES = [
    "agent.network={name: graph, hidden: 8}",
    "env.problem={num_qubits: 4, seed: 1}",
    "agent.instances={num_qubits: [2, 3], seed: [5, 6]}",
]
ONE_SIZE = [
    "agent.network={name: mlp, hidden: [8]}",
    "env.problem={num_qubits: 3, seed: 1}",
    "agent.instances={num_qubits: [3], seed: [5, 6]}",
]


@pytest.mark.parametrize("settings", [TWO_SIZES, ONE_SIZE], ids=["graph", "mlp"])
def test_a_resumed_run_ends_in_the_same_bytes(
    settings: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = same_after_a_cut([*SMALL, *settings], tmp_path, monkeypatch)
    # Circuits of the training instances are counted, but none of them is a circuit of the environment.
    assert whole["training"]["steps"] == 40 and whole["rows"]["found in training"] is None
    found = evaluate(tmp_path / "whole", rollouts=2)
    assert found["checked_by_qiskit"] < 1e-9


def test_a_frozen_policy_plays_a_larger_instance(tmp_path: Path) -> None:
    train(compose(*SMALL, *TWO_SIZES, f"run={tmp_path / 'small'}"))
    larger = ["env=ising_graphs", "env.problem={num_qubits: 5, seed: 7}", "env.actions=blocks", "env.max_gates=15"]
    frozen = ["agent=frozen", f"agent.run={tmp_path / 'small'}", "env.encoding=hamiltonian_graph"]
    summary = train(compose(*larger, *frozen, "training.progress=false", f"run={tmp_path / 'large'}"))
    assert 1 <= summary["training"]["steps"] <= 5 and summary["rows"]["found in training"]["two_qubit_gates"] <= 5
