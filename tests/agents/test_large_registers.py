"""Searches on registers without a state."""

from __future__ import annotations

from typing import Any

import pytest

from qas_agents import BlockAnnealing, GreedyBlocks, LayeredBlocks
from qas_envs import make_env

pytest.importorskip("monoprop")


def ising(num_qubits: int, **settings: Any) -> Any:
    """Return an environment of blocks on neighbours, simulated by Pauli propagation."""
    simulator = {"name": "pauli_propagation", **settings}
    return make_env(
        "tfim",
        problem_settings={"num_qubits": num_qubits},
        actions="blocks",
        couplings="line",
        max_gates=400,
        simulator=simulator,
    )


def first_circuit(searcher: Any) -> dict[str, Any]:
    """Return the info of the first circuit that a search reports."""
    found: list[dict[str, Any]] = []

    def stop(locals_: dict[str, Any], _: dict[str, Any]) -> bool:
        found.append(dict(locals_["infos"][0]))
        return False

    searcher.learn(1000, stop)
    return found[0]


def test_a_layer_of_blocks_on_twenty_qubits() -> None:
    """It halves the error of the best product state, which has -24.4."""
    env = ising(20)
    info = first_circuit(LayeredBlocks(env, seed=0, pattern="brick", starts=1, step=0, max_iterations=30))
    assert info["num_two_qubit_gates"] == 19 and info["num_params"] == 58
    assert 0 < info["energy_error"] < 0.4 and not info["success"]


def test_a_search_on_forty_qubits() -> None:
    env = ising(40, coefficient=5e-2)
    info = first_circuit(BlockAnnealing(env, seed=0))
    assert info["energy"] <= env.problem.empty_energy and info["truncation_error"] >= 0


def test_searches_that_keep_states_refuse() -> None:
    with pytest.raises(ValueError, match="`simulator` must be 'statevector'"):
        GreedyBlocks(ising(4), seed=0)
