"""Episodes that begin with a whole circuit: legality, angles, figures."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.error import ResetNeeded

from tests.qas_envs.test_environment import build


def random_episode(env: Any, seed: int, most: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    _, info = env.reset(seed=seed)
    over = False
    while not over and len(env.episode.actions) < most:
        _, _, terminated, truncated, info = env.step(rng.choice(np.flatnonzero(info["action_mask"])))
        over = terminated or truncated
    return dict(info)


@pytest.mark.parametrize("settings", [{}, {"mask": "commuting"}, {"initial": "basis_state"}, {"noise": "mumbai"}])
@pytest.mark.parametrize("seed", range(3))
def test_what_was_built_can_be_played(settings: dict[str, Any], seed: int) -> None:
    """The same circuit from its own angles has the same energy, observation and mask; from 0 a legal circuit too."""
    env = build("QAS-LiH-v0", **settings)
    stepped = random_episode(env, seed, 15)
    actions, angles, circuit = env.player.actions, env.player.angles, env.circuit.copy()
    assert [len(some) for some in angles] == [env.catalogue.num_angles[action] for action in actions]
    assert env.player.checked(actions) == tuple(actions)
    env.reset()
    observation, info = env.player.play(actions, angles)
    assert env.observation_space.contains(observation)
    assert info["energy"] <= stepped["energy"] + 1e-9 and info["energy"] == pytest.approx(stepped["energy"], abs=1e-3)
    np.testing.assert_array_equal(info["action_mask"], stepped["action_mask"])
    assert [operation[:2] for operation in env.circuit] == [operation[:2] for operation in circuit]
    for name in ("num_gates", "num_two_qubit_gates", "num_params", "depth"):
        assert info[name] == stepped[name]
    assert env.simulator.expectation(env.circuit, env.problem.hamiltonian) == pytest.approx(info["energy"], abs=1e-10)
    env.player.play(actions)
    env.step(int(np.flatnonzero(env.action_masks())[0]))
    assert len(env.episode.actions) == len(actions) + 1


def test_an_episode_that_is_over_at_once() -> None:
    env = build("QAS-TFIM-v0", num_qubits=2, max_gates=3)
    names = {(action.gate, action.qubits): k for k, action in enumerate(env.catalogue.actions)}
    _, info = env.player.play([names["ry", (0,)], names["ry", (1,)], names["cx", (0, 1)]])
    assert info["success"] and info["energy_error"] < 1e-9
    with pytest.raises(ResetNeeded):
        env.step(0)


def test_bad_circuits_change_nothing() -> None:
    env = build("QAS-LiH-v0", max_gates=5)
    random_episode(env, 0, 3)
    before = env.player.actions, env.player.angles, env.energy
    for actions, angles, message in [
        ([0, 0], None, "legal one after the other"),
        ([0, len(env.catalogue)], None, "legal"),
        ([-1], None, "legal"),
        ([0, 1, 0, 1, 0, 1], None, "at most 5"),
        ([0, 1], [()], "tuple for every action"),
        ([0], [(0.3,)], "tuple for every action"),
        ([12], [(float("nan"),)], "be finite"),
    ]:
        assert angles is not None or env.player.checked(actions) is None
        with pytest.raises(ValueError, match=message):
            env.player.play(actions, angles)
    assert (env.player.actions, env.player.angles, env.energy) == before


@pytest.mark.parametrize(
    "settings", [{}, {"actions": "blocks"}, {"gadgets": "grl"}, {"initial": "product_state"}, {"stop": True}]
)
def test_circuits_that_are_built_together(settings: dict[str, Any]) -> None:
    """They are those that single episodes build gate by gate, with their angles."""
    env = build("QAS-TFIM-v0", num_qubits=3, max_gates=12, **settings)
    rng, words = np.random.default_rng(0), [[]]
    while len(words) < 12:
        word = [*words[-1], int(rng.integers(len(env.catalogue.actions)))]
        words.append(word if env.player.checked(word) is not None else [])
    one_by_one, angles = [], []
    for word in words:
        circuit = env.initial.copy()
        for action in word:
            env.catalogue.append(circuit, action)
        circuit.params = rng.normal(size=circuit.num_params)
        one_by_one.append(circuit)
        angles.append(circuit.params)
    assert max(map(len, words)) > 1
    built = env.player._built(words, angles).circuits
    for circuit, expected in zip(built, one_by_one, strict=True):
        assert circuit == expected and circuit.depth() == expected.depth()
        assert circuit.copy().h(0).num_gates == expected.num_gates + 1
    played = env.player.play_many(words, angles, max_iterations=1)
    for circuit, energy in zip(played.circuits, played.energies, strict=True):
        assert env.simulator.expectation(circuit, env.problem.hamiltonian) == pytest.approx(energy, abs=1e-12)
    assert env.player.play_many([]).energies.size == 0
    with pytest.raises(ValueError, match="shape"):
        env.player.play_many([words[1]], [[0.0] * 99])


@pytest.mark.parametrize(
    "rules", [{}, {"vary": {"field": (0.5, 1.5)}}, {"noise": "percent_1_5"}], ids=["one", "family", "noise"]
)
def test_infos_are_those_of_circuits_that_are_shown(rules: dict[str, Any]) -> None:
    env = gym.make("QAS-TFIM-v0", num_qubits=2, max_gates=5, **rules).unwrapped
    env.reset(seed=0)
    circuits = [env.player.checked(own) for own in ([0], [2, 3, 0], [2, 0, 3, 1, 2])]
    played = env.player.play_many(circuits)
    before = list(env.episode.actions), env.energy
    infos = env.player.infos(circuits, played)
    assert ("vary" in rules) or (list(env.episode.actions), env.energy) == before
    for number, (actions, info) in enumerate(zip(circuits, infos, strict=True)):
        shown = env.player.show(actions, played, number)
        mask = shown.pop("action_mask")
        info.pop("action_mask", None)
        assert repr(info) == repr(shown) and len(mask) == len(env.catalogue)
        assert info["num_gates"] == env.circuit.num_gates
