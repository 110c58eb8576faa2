"""The snippets of docs/works_with.md; those of libraries that no extra installs run with ``-m slow``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from qas_envs import CircuitBuildingEnv

PAGE = (Path(__file__).parents[1] / "docs" / "works_with.md").read_text("utf-8")
SNIPPETS = re.findall(r"```py(?:thon)?\n(.*?)```", PAGE, re.DOTALL)
HEAVY = re.findall(r"```py\n(.*?)```", PAGE, re.DOTALL)
LIBRARIES = ("ray.rllib", "torchrl", "tianshou", "skrl")


def test_snippets_are_short() -> None:
    assert len(SNIPPETS) == 9 and len(HEAVY) == len(LIBRARIES)
    lengths = [len([line for line in code.splitlines() if line.strip()]) for code in SNIPPETS]
    assert max(lengths) <= 15, lengths


@pytest.mark.slow  # 2 minutes: python -m pytest -m slow tests/test_works_with.py
@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(("number", "library"), [*enumerate(LIBRARIES)])
def test_heavy_libraries_never_choose_an_illegal_action(
    number: int, library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip(library)
    monkeypatch.setenv("RAY_ADDRESS", "local")  # not a cluster that runs by chance
    steps, original = [], CircuitBuildingEnv.step

    def step(env: CircuitBuildingEnv, action: np.int64):  # type: ignore[no-untyped-def]
        assert env.action_masks()[action], "TorchRL, RLlib, Tianshou and skrl choose by the mask"
        steps.append(action)
        return original(env, action)

    monkeypatch.setattr(CircuitBuildingEnv, "step", step)
    names: dict[str, Any] = {}
    exec(compile(HEAVY[number], library, "exec"), names)
    assert len(steps) > 15
    if library == "torchrl":  # actors are deterministic by default
        rollouts = [names["env"].rollout(20, names["policy"])["action"].tolist() for _ in range(4)]
        assert any(rollout != rollouts[0] for rollout in rollouts)


@pytest.mark.parametrize("choice", [True, "rllib", "tianshou", ("a", "b")])
@pytest.mark.parametrize("encoding", ["tensor", "gates", "pauli"])
def test_masks_in_observations(choice: object, encoding: str) -> None:
    """They equal those of ``info`` after every step, in single and in all vector environments."""
    names = {
        True: ("observation", "action_mask"),
        "rllib": ("observations", "action_mask"),
        "tianshou": ("obs", "mask"),
    }
    seen, mask = names.get(choice, choice)  # type: ignore[arg-type, misc]
    rules = {"num_qubits": 2, "max_gates": 4, "encoding": encoding, "mask_in_observation": choice}
    env = gym.make("QAS-TFIM-v0", **rules)
    plain = gym.make("QAS-TFIM-v0", **{**rules, "mask_in_observation": False})
    ours = gym.make_vec("QAS-TFIM-v0", num_envs=2, **rules)
    theirs = gym.make_vec("QAS-TFIM-v0", num_envs=2, vectorization_mode="sync", **rules)
    assert ours.observation_space == theirs.observation_space
    observation, info = env.reset(seed=0)
    alone, _ = plain.reset(seed=0)
    vectors = [envs.reset(seed=0) for envs in (ours, theirs)]
    rng = np.random.default_rng(0)
    for _ in range(10):
        assert set(observation) == {seen, mask} and env.observation_space.contains(observation)
        np.testing.assert_array_equal(observation[mask], info["action_mask"])
        np.testing.assert_array_equal(observation[seen], alone)
        for observations, infos in vectors:
            np.testing.assert_array_equal(observations[mask], infos["action_mask"])
            np.testing.assert_array_equal(observations[mask][0], observation[mask])
            np.testing.assert_array_equal(observations[seen][0], observation[seen])
            assert ours.observation_space.contains(observations)
            assert {name: infos[name].dtype.kind for name in ("success", "energy", "depth")} == {
                "success": "b",
                "energy": "f",
                "depth": "i",
            }
        action = int(rng.integers(env.action_space.n))  # legal or not
        observation, _, over, cut, info = env.step(np.int64(action))
        alone = plain.step(np.int64(action))[0]
        vectors = [(stepped[0], stepped[4]) for envs in (ours, theirs) for stepped in [envs.step([action] * 2)]]
        if over or cut:
            observation, info = env.reset()
            alone, _ = plain.reset()
            vectors = [(stepped[0], stepped[4]) for envs in (ours, theirs) for stepped in [envs.step([0, 0])]]


def test_numbers_in_info_are_numpy() -> None:
    env = gym.make("QAS-TFIM-v0", num_qubits=2, vary={"field": (0.5, 1.5)})
    _, info = env.reset(seed=0)
    assert all(isinstance(value, np.generic | np.ndarray) for value in info.values())
    assert info["success"].shape == () and info["num_gates"].dtype == np.int64 and "field" in info


def test_an_illegal_gadget_costs_one_gate_of_the_budget() -> None:
    env = gym.make("QAS-H2-v0", gadgets="excitations", max_gates=40).unwrapped
    assert isinstance(env, CircuitBuildingEnv)
    env.reset(seed=0)
    gadget = int(np.argmax(env.catalogue.num_gates))
    env.step(gadget)
    used, number = env.episode.used_gates, len(env.circuit)
    assert number > 5 and env.action_masks().dtype == bool and not env.action_masks()[gadget]
    _, _, _, _, info = env.step(gadget)
    assert (env.episode.used_gates, len(env.circuit), info["evaluations"]) == (used + 1, number, 0)
