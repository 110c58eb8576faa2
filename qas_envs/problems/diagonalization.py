"""Diagonalisation of mixed states: circuits whose unitary turns eigenstates into basis states, in order."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qas_envs.problems.linear_costs import MOST_QUBITS, linear_cost
from qas_envs.problems.problem import Problem
from qas_envs.problems.spins import heisenberg
from qas_envs.problems.unitaries import matrix_of
from qas_simulators import Circuit, PauliSum
from qas_simulators.errors import must, unknown_name

ComplexArray = NDArray[np.complex128]
FloatArray = NDArray[np.float64]
KINDS: Final = ("random", "heisenberg")
_ACCURACY: Final = 1e-3


def diagonalization(
    kind: str = "random", num_qubits: int = 2, rank: int = 4, seed: int = 0, state: ArrayLike | None = None
) -> Problem:
    """A mixed state to diagonalise: the energy is ``Tr(H U rho U†)`` for the circuit U and a fixed H.

    H has the basis states as eigenstates, with the energies ``k / (2**n - 1)`` of ``|k>``. Over all unitaries the
    energy is lowest where ``U rho U†`` is diagonal with its eigenvalues in descending order: then k-th of them is the
    probability of ``|k>``, and ``U† |k>`` its eigenvector. This is the cost of the variational quantum state
    eigensolver. The published tasks of circuit search minimise :func:`dephasing_cost` instead, which is quadratic in
    the state. With an error e of the energy it is at most ``2 (2**n - 1) e`` times the largest eigenvalue, and every
    eigenvalue is known to ``(2**n - 1) e``.

    Args:
        kind: ``"random"``, a state of Ginibre's ensemble, or ``"heisenberg"``, the first half of the ground state of an
            open Heisenberg chain of ``2 * num_qubits`` spins, whose eigenvalues are partly degenerate.
        num_qubits: 1 to 4.
        rank: Of ``"random"``, 1 to ``2**num_qubits``.
        seed: Of ``"random"``.
        state: The density matrix itself, ``(2**n, 2**n)``, in place of ``kind``.

    Raises:
        ValueError: An unknown kind, an impossible size or rank, or no density matrix.

    References:
        Cerezo, Sharma, Arrasmith, Coles, "Variational quantum state eigensolver", arXiv:2004.01372.
        LaRose et al., "Variational quantum state diagonalization", arXiv:1810.10506.

    Examples:
        >>> problem = diagonalization(state=[[0.5, 0.2], [0.2, 0.5]])
        >>> round(problem.empty_energy, 9), round(problem.ground_energy, 9)
        (0.5, 0.3)
    """
    if state is None:
        rho = mixed_state(kind, num_qubits, rank, seed)
        n = num_qubits
        name = f"diagonalisation ({n} qubits, " + (f"rank {rank}, seed {seed})" if kind == "random" else f"{kind})")
    else:
        rho = checked_state(state)
        n = len(rho).bit_length() - 1
        name = f"diagonalisation ({n} qubits)"
    return linear_cost(name, rho, _ladder(n), accuracy=_ACCURACY, unit="cost", provenance={"target": "eigenstates"})


def _ladder(num_qubits: int) -> PauliSum:
    """Return the operator with eigenvalue ``k / (2**n - 1)`` of ``|k>``."""
    terms = {"I" * num_qubits: 0.5}
    for qubit in range(num_qubits):
        label = "I" * (num_qubits - 1 - qubit) + "Z" + "I" * qubit
        terms[label] = -0.5 * 2**qubit / (2**num_qubits - 1)
    return PauliSum(terms)


def mixed_state(kind: str = "random", num_qubits: int = 2, rank: int = 4, seed: int = 0) -> ComplexArray:
    """Return the density matrix of a named state, ``(2**n, 2**n)``; arguments as for :func:`diagonalization`.

    Raises:
        ValueError: An unknown kind, or an impossible size or rank.
    """
    if kind not in KINDS:
        raise ValueError(unknown_name("kind", kind, KINDS))
    if not 1 <= num_qubits <= MOST_QUBITS:
        raise ValueError(must("num_qubits", f"lie in 1..{MOST_QUBITS}", num_qubits))
    size = 1 << num_qubits
    if kind == "heisenberg":
        chain = heisenberg(2 * num_qubits, field=0.0).hamiltonian.to_matrix()
        ground = np.linalg.eigh(chain.real)[1][:, 0].reshape(size, size)  # the first half is the less significant one
        return np.asarray(ground.T @ ground, dtype=np.complex128)
    if not 1 <= rank <= size:
        raise ValueError(must("rank", f"lie in 1..{size}", rank))
    rng = np.random.default_rng(seed)
    factor = rng.normal(size=(size, rank)) + 1j * rng.normal(size=(size, rank))
    return np.asarray(factor @ factor.conj().T / np.sum(np.abs(factor) ** 2))


def checked_state(state: Any) -> ComplexArray:
    """Return a density matrix as an array.

    Raises:
        ValueError: It is none.
    """
    try:
        array = np.asarray(state, dtype=np.complex128)
    except (TypeError, ValueError):
        raise ValueError(must("state", "be a density matrix of numbers", state)) from None
    sizes = [1 << n for n in range(1, MOST_QUBITS + 1)]
    if array.ndim != 2 or array.shape[0] != array.shape[1] or len(array) not in sizes:
        raise ValueError(must("state", f"have shape (2**n, 2**n) with n from 1 to {MOST_QUBITS}", array.shape))
    is_hermitian = np.abs(array - array.conj().T).max() <= 1e-9
    if not is_hermitian or not abs(np.trace(array) - 1) <= 1e-9 or np.linalg.eigvalsh(array)[0] < -1e-9:
        raise ValueError(must("state", "be Hermitian and positive, of trace 1", f"trace {np.trace(array):.6g}"))
    return array


def eigenpairs(circuit: Circuit, state: ArrayLike) -> tuple[FloatArray, ComplexArray]:
    """Return what a circuit says about a state's eigenvalues and eigenvectors.

    Args:
        circuit: A solution of :func:`diagonalization`.
        state: The density matrix, ``(2**n, 2**n)``.

    Returns:
        The probabilities of the basis states after the circuit, ``(2**n,)``, and the states ``U† |k>`` as columns,
        ``(2**n, 2**n)``.

    Examples:
        >>> values, _ = eigenpairs(Circuit(1).h(0), [[0.5, 0.2], [0.2, 0.5]])
        >>> values.round(9).tolist()
        [0.7, 0.3]
    """
    matrix = matrix_of(circuit)
    values = np.einsum("ki,ij,kj->k", matrix, checked_state(state), matrix.conj()).real
    return values, matrix.conj().T


def dephasing_cost(circuit: Circuit, state: ArrayLike) -> float:
    """Return ``Tr(rho**2) - Tr(Z(U rho U†)**2)``, where Z removes everything off the diagonal: 0 for a diagonal state.

    The cost of variational quantum state diagonalisation, which needs two copies of the state.

    Args:
        circuit: U.
        state: The density matrix rho, ``(2**n, 2**n)``.
    """
    rho = checked_state(state)
    return float(np.trace(rho @ rho).real - np.sum(eigenpairs(circuit, rho)[0] ** 2))
