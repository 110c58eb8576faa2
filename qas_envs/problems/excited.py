"""Excited states: the eigenstates below are raised by a penalty, as in variational quantum deflation."""

from __future__ import annotations

from typing import Any

import numpy as np

from qas_envs.problems.problem import Problem
from qas_simulators import PauliSum
from qas_simulators.bridges.operators import read_operator
from qas_simulators.errors import must

_MOST_QUBITS = 6
_DEGENERATE = 1e-9  # of the width of the spectrum


def excited_state(
    hamiltonian: Any,
    level: int = 1,
    penalty: float | None = None,
    name: str = "Hamiltonian",
    accuracy: float = 1e-3,
    unit: str = "",
) -> Problem:
    """An excited state of an observable, as the ground state of ``H + penalty sum |E_k><E_k|`` over the levels below.

    Variational quantum deflation (Higgott, Wang, Brierley, Quantum 3, 156, 2019) with the exact lower eigenstates in
    place of optimised ones, so that errors of these do not add up.

    Args:
        hamiltonian: As for :func:`~qas_envs.problems.hamiltonians.ground_state`; 1 to 6 qubits.
        level: Number of the eigenstate, from 0 on; equal energies are counted separately.
        penalty: Above the difference between the energy asked for and the lowest one; twice this by default.
        name: For tables.
        accuracy: Error below which a circuit counts as a solution.
        unit: Unit of energies.

    Raises:
        ValueError: Not Hermitian, too many qubits, no such level, or a penalty that is too small.

    Examples:
        >>> problem = excited_state({"ZZ": -1.0, "XI": -0.5, "IX": -0.5}, level=1)
        >>> round(problem.ground_energy, 9), len(problem.provenance["energies"])
        (-1.0, 4)
    """
    observable = read_operator(hamiltonian, None)
    if observable.num_qubits > _MOST_QUBITS:
        raise ValueError(must("hamiltonian", f"have at most {_MOST_QUBITS} qubits", observable.num_qubits))
    energies, states = np.linalg.eigh(observable.to_matrix())
    if not 0 <= level < len(energies):
        raise ValueError(must("level", f"lie in 0..{len(energies) - 1}", level))
    rise = float(energies[level] - energies[0])
    width = float(energies[-1] - energies[0])
    least = rise + _DEGENERATE * width
    height = 2.0 * max(rise, _DEGENERATE * width) if penalty is None else float(penalty)
    if level and not least < height < np.inf:
        raise ValueError(must("penalty", f"be above {least:.9g}, from the lowest energy to the one asked for", penalty))
    lower = states[:, :level]
    raised = observable + height * PauliSum.from_matrix(lower @ lower.conj().T) if level else observable
    provenance = {"source": type(hamiltonian).__name__, "level": level, "penalty": height if level else 0.0}
    return Problem(
        name=f"{name}, level {level}",
        hamiltonian=raised,
        ground_energy=float(energies[level]),
        accuracy=accuracy,
        unit=unit,
        provenance={**provenance, "energies": energies.tolist()},
    )
