"""Rollouts of a frozen policy, and the trivial circuits that results are compared with."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from qas_envs import CircuitBuildingEnv
from qas_envs.problems.clifford import target_state
from qas_envs.simulation import without_shots
from qas_envs.snapshots import restore, state_of
from qas_experiments.training.recorder import Solution, has_shot_noise
from qas_simulators import Circuit, StabilizerSimulator
from qas_simulators.stabilizers import graph_form

_MOST_QUBITS: Final = 16  # of trivial circuits that all amplitudes are needed for


def rollout(
    agent: Any, env: CircuitBuildingEnv, deterministic: bool = True, noise_step: int | None = None
) -> tuple[Solution, int]:
    """Play one episode with the agent's actions; return its last circuit and the number of gradients.

    Args:
        agent: The agent.
        env: The environment.
        deterministic: Whether actions are greedy.
        noise_step: Number of the noise model of a drift; ``None`` for what the drift's schedule says.
    """
    started = time.perf_counter()
    observation, info = env.reset(options=None if noise_step is None else {"noise": noise_step})
    evaluations = gradients = 0
    over = False
    while not over:
        action, _ = agent.predict(observation, deterministic=deterministic, action_masks=info["action_mask"])
        observation, _, terminated, truncated, info = env.step(action)
        evaluations += int(info["evaluations"])
        gradients += int(info["gradients"])
        over = terminated or truncated
    seconds = time.perf_counter() - started
    energy, error = float(info["energy"]), float(info["energy_error"])
    if has_shot_noise(env):  # a policy is ranked by its circuit's exact energy, not by a lucky estimate
        energy = without_shots(env.simulator).expectation(env.circuit, env.problem.hamiltonian)
        error = energy - env.problem.ground_energy
    return Solution(env.circuit.copy(), energy, error, evaluations, seconds), gradients


def instance_name(env: CircuitBuildingEnv) -> str:
    """Return the problem's name, or the family's."""
    if env.family is None:
        return env.problem.name
    return f"family of {env.family.at(env.family.first()).name}: {', '.join(env.family.names)}"


def trivial_circuits(env: CircuitBuildingEnv) -> dict[str, Solution]:
    """Return the empty circuit, best basis state and best product state; energies with the environment's noise.

    With more than 16 qubits only the empty circuit. With Clifford gates a graph state takes the place of the product
    state, which has angles.
    """
    problem, is_clifford = env.problem, isinstance(env.simulator, StabilizerSimulator)
    builds: dict[str, Callable[[], Circuit]] = {"empty circuit": lambda: Circuit(problem.num_qubits)}
    if problem.num_qubits <= _MOST_QUBITS:
        builds["best basis state"] = problem.best_basis_state
        if not is_clifford:
            builds["best product state"] = problem.best_product_state
    if is_clifford and "generators" in problem.provenance:
        builds["graph state"] = lambda: graph_form(target_state(problem)).circuit
    rows = {}
    for name, build in builds.items():
        started = time.perf_counter()
        circuit = build()
        energy = without_shots(env.simulator).expectation(circuit, problem.hamiltonian)
        rows[name] = Solution(circuit, energy, energy - problem.ground_energy, 1, time.perf_counter() - started)
    return rows


class PolicyWatcher:
    """Evaluates the greedy policy on its own environment during training, and saves the best policy.

    Args:
        env: The environment; with a drift it has the noise that the training has at that time.
        path: File of the best policy.
        training: The training environment.
    """

    def __init__(self, env: CircuitBuildingEnv, path: str, training: CircuitBuildingEnv) -> None:
        self._env, self._training = env, training
        self._path = path
        self.best: Solution | None = None

    def state(self) -> dict[str, Any]:
        """Return the best solution and the state of the environment, as JSON content."""
        return {"best": None if self.best is None else self.best.state(), "env": state_of(self._env)}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore a :meth:`state`."""
        self.best = None if state["best"] is None else Solution.of_state(state["best"])
        restore(self._env, state["env"])

    def played(self, agent: Any) -> tuple[Solution, int]:
        """Play one greedy episode under the present noise, and return as :func:`rollout`."""
        drift = self._training.drift
        return rollout(agent, self._env, noise_step=None if drift is None else drift.number)

    def evaluate(self, agent: Any) -> tuple[Solution, int]:
        """Play one greedy episode, save the agent if its circuit is the best, and return as :func:`rollout`."""
        found, gradients = self.played(agent)
        accuracy = self._env.problem.accuracy
        if self.best is None or found.rank(accuracy) < self.best.rank(accuracy):
            self.best = found
            agent.save(self._path)
        return found, gradients
