"""Snapshots of an environment for checkpoints: the episode, the curriculum and all randomness, as JSON keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qas_envs.episode import Snapshot
from qas_envs.judging import note_truncation

if TYPE_CHECKING:
    from qas_envs.circuit_env import CircuitBuildingEnv


def state_of(env: CircuitBuildingEnv) -> dict[str, Any]:
    """Return the state of an environment, in numbers that JSON keeps exactly."""
    episode = env.episode.snapshot()
    drift = {} if env.drift is None else {"drift": list(env.drift.state())}
    return {
        "rng": env.np_random.bit_generator.state,
        "simulator_rng": env.simulator.rng.bit_generator.state,
        "curriculum": dict(vars(env.curriculum)),
        "context": list(episode.context),
        "actions": episode.actions,
        "params": env.circuit.params.tolist(),
        "energy": episode.energy,
        "first_energy": episode.first_energy,
        "wasted": episode.wasted,
        "halt_at": episode.halt_at,
        "over": episode.over,
        "threshold": episode.threshold,
        **drift,
    }


def restore(env: CircuitBuildingEnv, state: Mapping[str, Any]) -> None:
    """Continue where :func:`state_of` was called, in an environment that was built alike."""
    episode = env.episode
    if env.family is not None:
        episode.switch(tuple(state["context"]))
        env.curriculum.start(episode.problem)
    vars(env.curriculum).update(state["curriculum"])
    if env.drift is not None:
        env.drift.restore(tuple(state["drift"]))
        env.meet_noise()
    env.np_random.bit_generator.state = state["rng"]
    env.simulator.rng.bit_generator.state = state["simulator_rng"]
    episode.restore(
        Snapshot(
            episode.problem,
            episode.context,
            state["actions"],
            state["params"],
            state["energy"],
            state["first_energy"],
            state["wasted"],
            state["halt_at"],
            state["over"],
            state["threshold"],
            {},
        )
    )
    note_truncation(episode)
    env._renderer.begin(episode.error)
