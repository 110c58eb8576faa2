"""State preparation: minimise the infidelity with a target."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from qas_envs.problems.problem import Problem
from qas_simulators import PauliSum
from qas_simulators.errors import must

STATE_ACCURACY = 0.02
"""Infidelity: a fidelity of 0.98, as in KANQAS (arXiv:2406.17630)."""


def state_preparation(name: str, statevector: ArrayLike) -> Problem:
    """Return the problem whose energy is ``1 - |<target|psi>|**2`` (with noise ``1 - <target|rho|target>``)."""
    projector = PauliSum.projector(statevector)
    hamiltonian = PauliSum({"I" * projector.num_qubits: 1.0}) + (-1.0) * projector
    return Problem(name, hamiltonian, ground_energy=0.0, accuracy=STATE_ACCURACY, unit="", provenance={"target": name})


def ghz(num_qubits: int = 3) -> Problem:
    """``(|0...0> + |1...1>) / sqrt(2)`` on 2 to 10 qubits."""
    if not 2 <= num_qubits <= 10:
        raise ValueError(must("num_qubits", "lie in 2..10", num_qubits))
    target = np.zeros(1 << num_qubits)
    target[[0, -1]] = np.sqrt(0.5)
    return state_preparation(f"GHZ-{num_qubits}", target)


def bell() -> Problem:
    """``(|00> + |11>) / sqrt(2)``."""
    target = np.zeros(4)
    target[[0, -1]] = np.sqrt(0.5)
    return state_preparation("Bell", target)
