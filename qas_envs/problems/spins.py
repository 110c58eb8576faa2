"""Spin models."""

from __future__ import annotations

import math

from qas_envs.problems.problem import Problem
from qas_simulators import PauliSum
from qas_simulators.errors import must


def tfim(num_qubits: int = 4, field: float = 1.0, coupling: float = 1.0) -> Problem:
    """Transverse-field Ising model on an open chain, ``H = -J sum Z_i Z_{i+1} - h sum X_i``.

    Args:
        num_qubits: Length of the chain, at least 2.
        field: Transverse field ``h``.
        coupling: ``J``, the unit of energy if left at 1.

    Raises:
        ValueError: The chain is shorter than 2 or longer than 20, or a strength is not finite.
    """
    if not 2 <= num_qubits <= 20:
        raise ValueError(must("num_qubits", "lie in 2..20", num_qubits))
    for argument, value in (("field", field), ("coupling", coupling)):
        if not math.isfinite(value):
            raise ValueError(must(argument, "be finite", value))
    terms = {}
    for site in range(num_qubits):
        terms["I" * (num_qubits - 1 - site) + "X" + "I" * site] = -field
    for site in range(num_qubits - 1):
        terms["I" * (num_qubits - 2 - site) + "ZZ" + "I" * site] = -coupling
    hamiltonian = PauliSum(terms)
    return Problem(
        name=f"TFIM (n={num_qubits}, h={field:g})",
        hamiltonian=hamiltonian,
        ground_energy=hamiltonian.ground_energy(),
        accuracy=1e-3,
        unit="J",
        provenance={"model": "open transverse-field Ising chain", "field": field, "coupling": coupling},
    )
