"""An episode is data: clones are independent and complete, snapshots lead back, and judging needs nothing else."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import pytest

from qas_envs import CircuitBuildingEnv
from qas_envs.episode import Episode
from qas_envs.judging import judge
from qas_envs.masks import MASKS
from qas_envs.whole_circuits import CircuitPlayer
from tests.conftest import steady
from tests.qas_envs.test_environment import build

SETTINGS: list[dict[str, Any]] = [
    {},
    {"encoding": {"name": "tensor", "angles": True, "threshold": True}, "gadgets": "grl"},
    {"encoding": "graph", "mask": "commuting", "initial": "product_state"},
    {"encoding": "gates", "mask": "none", "stop": True},
    {"encoding": "pauli", "illegal": "skip", "noise": "mumbai"},
    {"vary": {"field": (0.5, 1.5)}},
]


def seen(episode: Episode, env: CircuitBuildingEnv) -> bytes:
    """Return everything that an episode shows."""
    observation = episode.encoder.observe(episode.view(env.simulator, episode.threshold))
    gates = [*map(tuple, episode.circuit)]
    return repr((episode.snapshot(), gates, np.asarray(episode.mask.array), observation)).encode()


def walk(episode: Episode, env: CircuitBuildingEnv, steps: int) -> None:
    """Append random legal gates, angles not optimised, and judge each of them."""
    rng = np.random.default_rng(steps)
    curriculum = copy.deepcopy(env.curriculum)
    for _ in range(steps):
        gates = episode.mask.array[: len(env.catalogue.actions)]
        action = episode.check(rng.choice(np.flatnonzero(gates)))
        episode.append(action)
        outcome = judge(episode, curriculum, action, episode.energy)
        assert not outcome.terminated


@pytest.mark.parametrize("settings", SETTINGS, ids=steady)
def test_a_clone_is_complete_and_independent(settings: dict[str, Any]) -> None:
    env = build("QAS-TFIM-v0", num_qubits=3, max_gates=40, curriculum={"name": "fixed", "threshold": 1e-9}, **settings)
    env.reset(seed=0)
    walk(env.episode, env, 5)
    clone, before = env.episode.clone(), seen(env.episode, env)
    assert seen(clone, env) == before
    walk(clone, env, 4)
    assert seen(env.episode, env) == before, "the clone's gates are its own"
    walk(env.episode, env, 4)
    assert seen(clone, env) == seen(env.episode, env), "the same gates lead to the same episode"
    after = env.episode.clone()
    env.reset(seed=0)
    assert seen(after, env) == seen(clone, env), "a reset reaches no clone"


@pytest.mark.parametrize("settings", SETTINGS, ids=steady)
def test_a_snapshot_leads_back(settings: dict[str, Any]) -> None:
    env = build("QAS-TFIM-v0", num_qubits=3, max_gates=40, curriculum={"name": "fixed", "threshold": 1e-9}, **settings)
    env.reset(seed=0)
    walk(env.episode, env, 5)
    before, snapshot = seen(env.episode, env), env.episode.snapshot()
    walk(env.episode, env, 3)
    env.episode.restore(snapshot)
    assert seen(env.episode, env) == before


def test_a_mask_of_ones_own_is_copied_deeply() -> None:
    class Own(MASKS["frontier"]):  # type: ignore[misc, valid-type, name-defined]
        copy = None

    env = build("QAS-TFIM-v0", num_qubits=2, mask=Own)
    env.reset(seed=0)
    clone = env.episode.clone()
    clone.append(0)
    clone.record(0)
    assert not clone.mask.array[0] and env.episode.mask.array[0]


def test_checked_actions_belong_to_their_player() -> None:
    """What another player checked is checked again: its environment may allow more."""
    free, strict = build("QAS-TFIM-v0", num_qubits=2, mask="none"), build("QAS-TFIM-v0", num_qubits=2)
    actions = free.player.checked([0, 0])
    assert actions == (0, 0)
    free.player.play(actions)
    with pytest.raises(ValueError, match="legal one after the other"):
        strict.player.play(actions)
    assert isinstance(strict.player, CircuitPlayer) and strict.player.checked(actions) is None
