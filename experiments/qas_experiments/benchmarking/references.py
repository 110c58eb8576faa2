"""References for results: product states, qubit-ADAPT, and floors, the lowest errors with few two-qubit gates."""

from __future__ import annotations

from typing import Any

from qas_agents import qubit_adapt, skeleton_floors, usual_pool
from qas_envs.problems import Problem, known_floors
from qas_experiments.benchmarking.verification import without_own_code
from qas_experiments.building import make_environment
from qas_experiments.runs.files import settings_from
from qas_simulators import StatevectorSimulator

_ADAPT_OPERATORS = 30
_MOST_QUBITS_FOR_FLOORS = 4


def adapt_path(problem: Problem) -> list[tuple[int, float]]:
    """Return CNOTs and error of each step of qubit-ADAPT, until the error is below 1e-9; none after a preparation."""
    path: list[tuple[int, float]] = []
    if problem.hamiltonian.preparation is not None:
        return path
    for step in qubit_adapt(problem.hamiltonian, usual_pool(problem.hamiltonian), _ADAPT_OPERATORS):
        path.append((step.circuit.num_two_qubit_gates, max(step.energy - problem.ground_energy, 1e-16)))
        if path[-1][1] < 1e-9:
            break
    return path


def reference_of(settings: dict[str, Any], floors: int) -> dict[str, Any] | None:
    """Return the references of an instance, None with noise.

    Args:
        settings: Settings of a record of the instance.
        floors: Longest skeletons to search if no floors are known; -1 for no search.
    """
    env = make_environment(without_own_code(settings_from(settings)), evaluation=True, is_silent=True)
    if not isinstance(env.simulator, StatevectorSimulator):
        return None
    problem = env.problem
    ground, hamiltonian = problem.ground_energy, problem.hamiltonian
    bounds = [(floor.two_qubit_gates, floor.error) for floor in known_floors(problem)]
    if not bounds and problem.num_qubits <= _MOST_QUBITS_FOR_FLOORS and floors >= 0:
        bounds = [(floor.two_qubit_gates, floor.energy - ground) for floor in skeleton_floors(hamiltonian, floors)]
    product = StatevectorSimulator().expectation(problem.best_product_state(), hamiltonian) - ground
    return {
        "accuracy": problem.accuracy,
        "unit": problem.unit,
        "product": float(max(product, 0.0)),
        "adapt": adapt_path(problem),
        "floors": [[gates, float(max(error, 1e-16))] for gates, error in bounds],
        "block_floors": [[one.two_qubit_gates, max(one.error, 1e-16)] for one in known_floors(problem, "blocks")],
    }
