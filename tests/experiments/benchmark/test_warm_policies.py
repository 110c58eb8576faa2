"""``experiments/benchmarks/warm_policies.py``: closed shells, searches from given circuits, values of many circuits."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from qiskit.quantum_info import Statevector

import qas_envs  # noqa: F401
from qas_agents import GraphAgent, RandomBlocks
from qas_simulators.block_circuits import BlockBench, BlockCircuit

FOLDER = Path(__file__).parents[3] / "experiments" / "benchmarks"
RULES: dict[str, Any] = {"actions": "blocks", "encoding": "hamiltonian_graph", "disable_env_checker": True}


@pytest.fixture
def warm(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(FOLDER))
    return import_module("warm_policies")


def lih(bond_length: float) -> Any:
    return gym.make("QAS-LiH-v0", bond_length=bond_length, **RULES).unwrapped


def test_the_closed_shell_has_the_lowest_energy_of_a_basis_state(warm: ModuleType) -> None:
    env = gym.make("QAS-BentH2O-v0", max_gates=120, **RULES).unwrapped
    searcher = warm.Portfolio(env, 0, [])
    bench = BlockBench(env.problem.hamiltonian)
    lowest = env.problem.hamiltonian.to_qiskit().to_matrix().diagonal().real.min()
    for size in (0, 1, 5, 20):
        skeleton = searcher._random_skeleton(size)
        pairs = tuple(searcher._skeletons.blocks[block] for block in skeleton)
        energy = bench.energies([BlockCircuit(pairs, warm.closed_shell(searcher, skeleton))])[0]
        assert energy == pytest.approx(lowest, abs=1e-10)


def test_a_search_begins_with_the_given_circuits_until_one_is_a_solution(warm: ModuleType) -> None:
    source, solutions = lih(1.4), []

    def keep(step: dict[str, Any], _: dict[str, Any]) -> bool:
        if step["infos"][0]["success"]:
            params = source.player.circuit.params.tolist()
            solutions.append(warm.Known(tuple(source.player.actions), params))
        return not solutions

    RandomBlocks(source, 0, least_blocks=3, most_blocks=6).learn(1000, keep)
    hopeless = warm.Known((0,), [0.0] * (len(solutions[0].params) - 2 * len(solutions[0].skeleton) + 2))
    env, played = lih(1.8), []

    def look(step: dict[str, Any], _: dict[str, Any]) -> bool:
        circuit = env.player.circuit.to_qiskit()
        energy = Statevector(circuit).expectation_value(env.problem.hamiltonian.to_qiskit()).real
        played.append((tuple(env.player.actions), energy - env.problem.ground_energy, step["infos"][0]["evaluations"]))
        return len(played) < 3

    warm.Warm(env, 0, [hopeless, solutions[0], hopeless]).learn(1000, look)
    assert [one[0] for one in played[:2]] == [hopeless.skeleton, solutions[0].skeleton]
    assert played[0][1] > 1.6e-3 > played[1][1]
    assert len(played[2][0]) < len(solutions[0].skeleton)  # it is shortened next


def test_values_of_circuits_do_not_depend_on_the_others(warm: ModuleType) -> None:
    agent = GraphAgent(lih(1.4), seed=0)
    skeletons = [(0,), (1, 2, 3), (0, 4, 1, 5, 2)]
    together = warm.valued(agent, None, skeletons).detach().numpy()
    alone = [warm.valued(agent, None, [one]).item() for one in skeletons]
    np.testing.assert_allclose(together, alone, atol=1e-6)
    assert len({*together.round(4).tolist()}) == 3
