"""Searchers where circuits start after a preparation: which skeletons differ there, and what is refused."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import pytest

from qas_agents import BeamSearch, BlockAnnealing, GreedyBlocks, distinct_skeletons, qubit_adapt, usual_pool
from qas_agents.searchers.blocks import Skeletons
from qas_envs.problems import tfim, unitary
from qas_simulators.dressings import usual_dressing, usual_row


def environment(**settings: Any) -> Any:
    return gym.make("QAS-Unitary-v0", **{"target": "swap", "actions": "blocks", **settings}).unwrapped


def test_rows_of_blocks_on_one_pair_are_different_circuits() -> None:
    """In |00> one entangler prepares any state; a unitary may need three."""
    state, target = tfim(2).hamiltonian, unitary("swap").hamiltonian
    assert [len(list(distinct_skeletons(state, length))) for length in range(5)] == [1, 1, 0, 0, 0]
    assert [len(list(distinct_skeletons(target, length))) for length in range(5)] == [1, 1, 1, 1, 0]
    of_state = gym.make("QAS-TFIM-v0", num_qubits=2, actions="blocks").unwrapped
    for env, kept in ((of_state, 1), (environment(), 3)):
        skeletons = Skeletons(env.player, env.problem.hamiltonian)  # type: ignore[attr-defined]
        assert len(skeletons.canonical((0, 0, 0))) == kept


def test_circuits_begin_with_any_rotation() -> None:
    target, state = unitary("swap").hamiltonian, tfim(2).hamiltonian
    assert usual_dressing({"rx", "ry", "rz"}, ["cx"], target) == ("ry", "rz")
    assert usual_row(("ry", "rz"), {"ry", "rz"}, target) == ("rz", "ry", "rz")
    assert usual_row(("ry",), {"ry", "rz"}, state) == ("ry",)
    assert [name for name, _, _ in environment().initial] == ["rz", "ry", "rz"] * 2


@pytest.mark.parametrize("actions", ["gates", "blocks"])
def test_annealing_compiles_a_swap_with_three_cx(actions: str) -> None:
    solved: list[int] = []

    def note(locals_: dict[str, Any], _: dict[str, Any]) -> bool:
        info = locals_["infos"][0]
        if info["success"]:
            solved.append(int(info["num_two_qubit_gates"]))
        return len(solved) < 20

    BlockAnnealing(environment(actions=actions), seed=0).learn(500, note)
    assert min(solved) == 3


def test_beams_tell_unitaries_apart_that_prepare_one_state() -> None:
    """RZ does nothing to |00>, but it is another unitary than the identity."""
    env = environment(actions="gates", gates=["rz", "cx"], optimizer="none")
    beam, keys = BeamSearch(env, seed=0), set()
    turn = next(k for k, action in enumerate(env.catalogue.actions) if action.gate == "rz")
    for angle in (0.0, 1.0, 2.0):
        env.player.play([turn], [[angle]])
        assert env.circuit.count_ops() == {"rz": 1}
        keys.add(beam._state())
    assert len(keys) == 3


def test_what_starts_from_zeros_is_refused() -> None:
    with pytest.raises(ValueError, match="for blocks in real arithmetic"):
        GreedyBlocks(environment(gates=["ry", "cx"], actions={"name": "blocks", "dressing": ["ry"], "row": ["ry"]}))
    hamiltonian = unitary("swap").hamiltonian
    with pytest.raises(ValueError, match="for qubit-ADAPT"):
        next(qubit_adapt(hamiltonian, usual_pool(tfim(4).hamiltonian), 1))
