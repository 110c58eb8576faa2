"""Warnings about environments that are too easy, or in which success is out of reach."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Final

from qas_envs.problems.states import fidelity_ceiling

if TYPE_CHECKING:
    from qas_envs.circuit_env import CircuitBuildingEnv

_MOST_QUBITS: Final = 14  # with more qubits, evaluating all basis states takes seconds


def warn_of(env: CircuitBuildingEnv) -> None:
    """Give all warnings about a new environment."""
    for warning in (_out_of_reach, _solved_by_x_gates, _solved_at_once, _decided_by_rounding):
        if text := warning(env):
            warnings.warn(text, UserWarning, stacklevel=3)


def _out_of_reach(env: CircuitBuildingEnv) -> str:
    problem, threshold = env.problem, env.curriculum.threshold
    ceiling = fidelity_ceiling(problem, getattr(env.simulator, "noise", None)) if env.rules.is_bounded else None
    if ceiling is None or 1 - ceiling < threshold:
        return ""
    return (
        f"Success is out of reach: under this noise no circuit prepares {problem.name} with a fidelity above "
        f"{ceiling:g}, and the threshold asks for more than {1 - threshold:g}."
    )


def _solved_by_x_gates(env: CircuitBuildingEnv) -> str:
    problem, threshold = env.problem, env.curriculum.threshold
    if not _starts_empty(env) or threshold > problem.accuracy or problem.num_qubits > _MOST_QUBITS:
        return ""
    if "model" in problem.provenance and not problem.hamiltonian.x.any():  # combinatorial optimisation, by its nature
        return ""
    errors = problem.basis_energies() - problem.ground_energy
    if not errors.min() < threshold <= errors[0]:  # the empty circuit has a warning of its own
        return ""
    return (
        f"{problem.name} is solved by X gates alone: the error of the best basis state is {errors.min():.3g}, "
        f"the threshold {threshold:.3g}."
    )


def _starts_empty(env: CircuitBuildingEnv) -> bool:
    """Return whether episodes start with the empty circuit, or with rotations by 0 that blocks begin with."""
    is_idle = abs(env.episode.first_energy - env.problem.empty_energy) < 1e-9 * max(1.0, abs(env.problem.empty_energy))
    return env.rules.initial is None or (env.catalogue.has_blocks and is_idle)


def _solved_at_once(env: CircuitBuildingEnv) -> str:
    error, threshold = abs(env.energy - env.curriculum.reference_energy), env.curriculum.threshold
    if error >= threshold:
        return ""
    first = "initial" if len(env.initial) else "empty"
    return (
        f"The {first} circuit already meets the success threshold of {env.problem.name}: its error is "
        f"{error:.3g}, the threshold {threshold:.3g}. Any first gate can end the episode."
    )


def _decided_by_rounding(env: CircuitBuildingEnv) -> str:
    """The released settings of some chains begin with a threshold that is the empty circuit's error."""
    if not _starts_empty(env):
        return ""
    threshold = env.curriculum.threshold
    error = abs(env.problem.empty_energy - env.curriculum.reference_energy)
    if abs(error - threshold) > 1e-9 * error:
        return ""
    return (
        f"The first threshold of success, {threshold:.9g}, is the error of the empty circuit of {env.problem.name}: "
        "rounding decides whether a gate that does nothing succeeds."
    )
