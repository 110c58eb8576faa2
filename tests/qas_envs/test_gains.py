"""Gains of all legal actions: slopes by the parameter-shift rule, scans on a grid of angles."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

import qas_envs  # noqa: F401  # registers the ids
from qas_envs import CircuitBuildingEnv


def tfim_env(**arguments: object) -> CircuitBuildingEnv:
    return gym.make("QAS-TFIM-v0", **arguments).unwrapped  # type: ignore[return-value, arg-type]


@pytest.mark.parametrize("actions", ["blocks", "gates"])
def test_gains_are_those_of_the_steps(actions: str) -> None:
    env = tfim_env(num_qubits=3, actions=actions, field=0.7)
    env.reset(seed=0)
    for action in (1, 4) if actions == "gates" else (1,):
        env.step(action)
    gains, before = env.player.gains(), env.circuit.copy()
    hamiltonian, simulator = env.problem.hamiltonian, env.simulator
    mask = env.episode.mask.array
    assert np.isnan(gains.slopes[mask[: len(gains.slopes)] == 0]).all()
    for action in np.flatnonzero(mask).tolist():
        circuit = before.copy()
        new = env.catalogue.append(circuit, action)
        params, first = circuit.params, circuit.num_params - new
        gradient = np.zeros(new)
        for k in range(new):  # central differences by the parameter-shift rule
            shifted = np.tile(params, (2, 1))
            shifted[:, first + k] += [np.pi / 2, -np.pi / 2]
            up, down = simulator.expectations(circuit, hamiltonian, shifted)
            gradient[k] = (up - down) / 2
        assert gains.slopes[action] == pytest.approx(np.linalg.norm(gradient), abs=1e-9)
        for k in range(new):
            grid = np.tile(params, (721, 1))
            grid[:, first + k] = np.linspace(-np.pi, np.pi, 721)
            params[first + k] = grid[np.argmin(simulator.expectations(circuit, hamiltonian, grid)), first + k]
        best = simulator.expectation(circuit, hamiltonian, params)
        assert gains.scanned[action] == pytest.approx(env.energy - best, abs=2e-4)
    assert env.circuit == before


def test_gains_are_those_of_the_circuit_where_its_energy_is_not_known() -> None:
    optimizer = {"name": "scan_lbfgs", "starts": 3, "warm": False, "when": "end"}
    env = tfim_env(num_qubits=3, optimizer=optimizer, stop=True, gates=["x", "ry", "cx"], actions="gates")
    env.reset(seed=0)
    env.step(env.catalogue.index("x", 0))
    idle = env.catalogue.index("cx", 1, 2)
    assert env.player.gains().scanned[idle] == pytest.approx(0.0, abs=1e-12)
