"""Costs that are linear in a unitary's action on a mixed state, as energies of circuits that start after a preparation.

``Tr(O U D U†)`` for a Hermitian D, which need not be positive, is the energy of ``O x S`` after U on one half of a
purification of ``|D| / Tr |D|``, where S has the signs of D's eigenvalues.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qas_envs.problems.distributions import append_multiplexed, multiplexed_ry
from qas_envs.problems.problem import Problem
from qas_simulators import Circuit, PauliSum
from qas_simulators.errors import must
from qas_simulators.preparation import Preparation

MOST_QUBITS: Final = 4
"""Of circuits: their preparation may have twice as many."""
_NEGLIGIBLE: Final = 1e-12  # part of the largest eigenvalue that is rounding
_ROUNDING: Final = 1e-13  # of amplitudes and angles


def prepared_state(statevector: ArrayLike) -> Circuit:
    """Return a circuit of RY, RZ and CX that prepares a state, up to a global phase.

    Multiplexed RY gates prepare the absolute values, multiplexed RZ gates the phases (Mottonen et al.,
    quant-ph/0407010).

    Args:
        statevector: ``(2**n,)``, of norm 1, qubit 0 the least significant bit of the index.

    Examples:
        >>> prepared_state([0.6, 0.8j]).count_ops()
        {'ry': 1, 'rz': 1}
    """
    vector = np.array(statevector, dtype=np.complex128)
    for part in (vector.real, vector.imag):
        part[np.abs(part) < _ROUNDING] = 0.0
    circuit = multiplexed_ry(np.abs(vector) ** 2)
    phases = np.angle(vector)
    for target in range(circuit.num_qubits):
        turns = phases[1::2] - phases[::2]
        phases = 0.5 * (phases[1::2] + phases[::2])
        if np.abs(turns).max() > _ROUNDING:
            append_multiplexed(circuit, "rz", target, turns)
    return circuit


def purification(operator: NDArray[np.complex128]) -> tuple[Circuit, float, NDArray[np.complex128]]:
    """Return the canonical purification of the absolute value of a Hermitian operator, its trace norm, and its sign.

    The purification does not depend on which eigenvectors are chosen where eigenvalues are equal.

    Args:
        operator: ``(2**n, 2**n)``.

    Returns:
        A circuit that prepares ``sum_jk (sqrt |D|)_jk |k> |j> / sqrt(Tr |D|)`` on 2n qubits, the purified ones first;
        the trace norm; and the operator on the others, ``(2**n, 2**n)``, whose eigenvalues are the signs, 1 for 0.
    """
    values, vectors = np.linalg.eigh(operator if operator.imag.any() else operator.real)
    values = np.where(np.abs(values) > _NEGLIGIBLE * np.abs(values).max(), values, 0.0)
    norm = float(np.abs(values).sum())
    root = (vectors * np.sqrt(np.abs(values) / norm)) @ vectors.conj().T
    signs = (vectors * np.where(values < 0, -1.0, 1.0)) @ vectors.conj().T
    return prepared_state(root.T.ravel()), norm, np.asarray(signs.T, dtype=np.complex128)


def linear_cost(
    name: str,
    operator: ArrayLike,
    observable: PauliSum,
    constant: float = 0.0,
    accuracy: float = 1e-3,
    unit: str = "",
    provenance: Mapping[str, Any] | None = None,
) -> Problem:
    """The cost ``constant + Tr(O U D U†)`` of circuits U, for a Hermitian D that need not be positive.

    The lowest value over all unitaries is the sum of the products of D's eigenvalues in descending order and O's in
    ascending order, plus the constant.

    Args:
        name: Short label for tables.
        operator: D, ``(2**n, 2**n)`` with n up to 4: a mixed state, or a difference of some.
        observable: O, on n qubits.
        constant: Added to the cost.
        accuracy: Error below which a circuit counts as a solution.
        unit: Unit of the cost.
        provenance: As in :class:`Problem`.

    Raises:
        ValueError: D is not Hermitian, 0, not finite, too large, or not of the observable's size.

    Examples:
        Energy of a thermal state that a unitary may cool:

        >>> problem = linear_cost("qubit", [[0.25, 0.0], [0.0, 0.75]], PauliSum({"Z": -1.0}))
        >>> problem.num_qubits, round(problem.empty_energy, 9), problem.ground_energy
        (1, 0.5, -0.5)
    """
    array = np.asarray(operator, dtype=np.complex128)
    n = observable.num_qubits
    if n > MOST_QUBITS:
        raise ValueError(must("observable", f"have at most {MOST_QUBITS} qubits", n))
    if array.shape != (1 << n, 1 << n) or not np.isfinite(array).all() or not array.any():
        raise ValueError(must("operator", f"be a finite matrix of shape {(1 << n, 1 << n)}, not 0", array.shape))
    if not np.abs(array - array.conj().T).max() <= 1e-9 * np.abs(array).max():
        raise ValueError(must("operator", "be Hermitian", f"a matrix with {np.abs(array - array.conj().T).max():.3g}"))
    array = 0.5 * (array + array.conj().T)
    circuit, norm, signs = purification(array)
    signed = PauliSum.from_matrix(np.kron(signs, norm * observable.to_matrix()))
    hamiltonian = signed + constant * PauliSum({"I" * signed.num_qubits: 1.0}) if constant else signed
    lowest = constant + float(np.linalg.eigvalsh(array)[::-1] @ observable.eigenvalues(1 << n))
    hamiltonian = hamiltonian.prepared(Preparation(circuit, n))
    return Problem(name, hamiltonian, lowest, accuracy, unit, dict(provenance or {}))
