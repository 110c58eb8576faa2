"""Ground states of any Hamiltonian a user brings."""

from __future__ import annotations

from typing import Any

import numpy as np

from qas_envs.problems.problem import Problem
from qas_simulators import PauliSum
from qas_simulators.errors import must


def ground_state(
    hamiltonian: Any, name: str = "Hamiltonian", accuracy: float = 1e-3, unit: str = "", num_qubits: int | None = None
) -> Problem:
    """The ground state of an observable; its exact energy is computed (dense to 10 qubits, Lanczos above).

    Args:
        hamiltonian: A ``PauliSum``, a mapping of labels to coefficients, a Hermitian matrix ``(2**n, 2**n)``, a Qiskit
            ``SparsePauliOp`` or an OpenFermion ``QubitOperator``.
        name: For tables.
        accuracy: Error below which a circuit counts as a solution.
        unit: Unit of energies.
        num_qubits: Size of the register, for OpenFermion, whose operators do not know it; by default what they touch.

    Raises:
        ValueError: Not Hermitian, or something else.
    """
    observable = _pauli_sum(hamiltonian, num_qubits)
    if num_qubits is not None and observable.num_qubits != num_qubits:
        raise ValueError(must("num_qubits", f"be the {observable.num_qubits} of the Hamiltonian", num_qubits))
    return Problem(name, observable, observable.ground_energy(), accuracy, unit, {"source": type(hamiltonian).__name__})


def _pauli_sum(hamiltonian: Any, num_qubits: int | None) -> PauliSum:
    if isinstance(hamiltonian, PauliSum):
        return hamiltonian
    if isinstance(hamiltonian, dict):
        return PauliSum(hamiltonian)
    kind = f"{type(hamiltonian).__module__}.{type(hamiltonian).__name__}"
    if kind.startswith("qiskit."):
        return PauliSum.from_qiskit(hamiltonian)
    if kind.startswith("openfermion.") and hasattr(hamiltonian, "terms"):
        return _from_openfermion(hamiltonian, num_qubits)
    matrix = np.asarray(hamiltonian)
    if matrix.dtype == object or matrix.ndim != 2:
        choices = "be a PauliSum, labels with coefficients, a matrix, a SparsePauliOp or a QubitOperator"
        raise ValueError(must("hamiltonian", choices, kind))
    return PauliSum.from_matrix(matrix)


def _from_openfermion(operator: Any, num_qubits: int | None) -> PauliSum:
    """Read a ``QubitOperator``: terms are tuples of qubit and letter."""
    touched = [factor[0] for term in operator.terms for factor in term]
    size = max(touched, default=0) + 1 if num_qubits is None else num_qubits
    if max(touched, default=0) >= size:
        raise ValueError(must("num_qubits", f"be at least {max(touched) + 1}", num_qubits))
    terms: dict[str, float] = {}
    for factors, coefficient in operator.terms.items():
        if abs(complex(coefficient).imag) > 1e-12 or any(letter not in "XYZ" for _, letter in factors):
            raise ValueError(must("hamiltonian", "be Hermitian with letters X, Y, Z", f"{factors}: {coefficient}"))
        letters = ["I"] * size
        for qubit, letter in factors:
            letters[size - 1 - qubit] = letter
        label = "".join(letters)
        terms[label] = terms.get(label, 0.0) + complex(coefficient).real
    return PauliSum(terms)
