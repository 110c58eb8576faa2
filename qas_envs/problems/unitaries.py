"""Compilation of unitaries: circuits that equal a target up to a global phase."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qas_envs.problems.linear_costs import MOST_QUBITS
from qas_envs.problems.problem import Problem
from qas_simulators import Circuit, PauliSum, StatevectorSimulator
from qas_simulators.errors import must, unknown_name
from qas_simulators.gates import GATES, gate_index
from qas_simulators.preparation import Preparation

ComplexArray = NDArray[np.complex128]
_ACCURACY: Final = 1e-3
_R: Final = float(np.sqrt(0.5))
_MAGIC: Final = _R * np.array([[1, 0, 0, 1j], [0, 1j, 1, 0], [0, 1j, -1, 0], [1, 0, 0, -1j]])  # columns: Bell states


def _controlled(gate: str, controls: int = 1) -> ComplexArray:
    """Return a gate on qubit 0 that acts where all other qubits are 1."""
    matrix = np.eye(2 << controls, dtype=np.complex128)
    matrix[-2:, -2:] = GATES[gate_index(gate)].matrix()
    return matrix


_FIXED: Final[dict[str, ComplexArray]] = {
    "cx": _controlled("x"),
    "ch": _controlled("h"),
    "cs": _controlled("s"),
    "iswap": np.array([[1, 0, 0, 0], [0, 0, 1j, 0], [0, 1j, 0, 0], [0, 0, 0, 1]], dtype=np.complex128),
    "swap": np.asarray(GATES[gate_index("swap")].matrix()),
    "toffoli": _controlled("x", 2),
}
TARGETS: Final = (*_FIXED, "qft", "random")
"""Names of targets: gates of fixed size, the quantum Fourier transform, and Haar-random unitaries."""


def unitary(
    target: str = "random", num_qubits: int | None = None, seed: int = 0, matrix: ArrayLike | None = None
) -> Problem:
    """A unitary to compile: the energy is ``1 - |Tr(U† V)|**2 / 4**n`` for the circuit U and the target V.

    It is the infidelity of the two channels' Choi states, which a global phase does not change. Circuits act on one
    half of n entangled pairs, as in the Hilbert-Schmidt test. The average infidelity of pure states is
    ``2**n / (2**n + 1)`` of it.

    Args:
        target: A gate, ``"cx"``, ``"ch"``, ``"cs"``, ``"iswap"``, ``"swap"`` or ``"toffoli"`` (controls above qubit
            0); ``"qft"``, the quantum Fourier transform; or ``"random"``, of Haar's measure.
        num_qubits: 1 to 4, for ``"qft"`` and ``"random"``; by default 2.
        seed: Of ``"random"``.
        matrix: V itself, ``(2**n, 2**n)``, qubit 0 the least significant bit of the index, in place of ``target``.

    Raises:
        ValueError: An unknown target, an impossible size, or a matrix that is not unitary.

    References:
        Khatri et al., "Quantum-assisted quantum compiling", arXiv:1807.00800.

    Examples:
        >>> problem = unitary("swap")
        >>> problem.num_qubits, round(problem.empty_energy, 9), fewest_cx(target_matrix("swap"))
        (2, 0.75, 3)
    """
    if matrix is None:
        wanted = target_matrix(target, num_qubits, seed)
        name = target if target in _FIXED else f"{target} ({len(wanted).bit_length() - 1} qubits)"
        name = f"unitary {name[:-1]}, seed {seed})" if target == "random" else f"unitary {name}"
    else:
        wanted, name = _checked(matrix), "unitary"
    n = len(wanted).bit_length() - 1
    pairs = Circuit(2 * n)
    for qubit in range(n):
        pairs.h(n + qubit).cx(n + qubit, qubit)
    choi = wanted.T.ravel() / np.sqrt(len(wanted))  # V |j> beside |j>, which is the more significant half
    infidelity = PauliSum({"I" * 2 * n: 1.0}) + (-1.0) * PauliSum.projector(choi)
    return Problem(name, infidelity.prepared(Preparation(pairs, n)), 0.0, _ACCURACY, "", {"target": "unitary"})


def target_matrix(target: str, num_qubits: int | None = None, seed: int = 0) -> ComplexArray:
    """Return the matrix of a named target, ``(2**n, 2**n)``.

    Raises:
        ValueError: An unknown target or an impossible size.
    """
    if target not in TARGETS:
        raise ValueError(unknown_name("target", target, TARGETS))
    if target in _FIXED:
        size = len(_FIXED[target]).bit_length() - 1
        if num_qubits not in (None, size):
            raise ValueError(must("num_qubits", f"be {size} for {target!r}", num_qubits))
        return _FIXED[target]
    n = 2 if num_qubits is None else num_qubits
    if not 1 <= n <= MOST_QUBITS:
        raise ValueError(must("num_qubits", f"lie in 1..{MOST_QUBITS}", n))
    index = np.arange(1 << n)
    if target == "qft":
        return np.asarray(np.exp(2j * np.pi * np.outer(index, index) / (1 << n)) / np.sqrt(1 << n))
    rng = np.random.default_rng(seed)
    factor, triangle = np.linalg.qr(rng.normal(size=(1 << n, 1 << n)) + 1j * rng.normal(size=(1 << n, 1 << n)))
    return np.asarray(factor * (np.diag(triangle) / np.abs(np.diag(triangle))))


def _checked(matrix: Any) -> ComplexArray:
    try:
        array = np.asarray(matrix, dtype=np.complex128)
    except (TypeError, ValueError):
        raise ValueError(must("matrix", "be a unitary matrix of numbers", matrix)) from None
    sizes = [1 << n for n in range(1, MOST_QUBITS + 1)]
    if array.ndim != 2 or array.shape[0] != array.shape[1] or len(array) not in sizes:
        raise ValueError(must("matrix", f"have shape (2**n, 2**n) with n from 1 to {MOST_QUBITS}", array.shape))
    difference = np.abs(array @ array.conj().T - np.eye(len(array))).max()
    if not difference <= 1e-9:  # also refuses NaN
        raise ValueError(must("matrix", "be unitary", f"a matrix that differs by {difference:.3g}"))
    return array


def matrix_of(circuit: Circuit) -> ComplexArray:
    """Return a circuit's unitary ``(2**n, 2**n)``, qubit 0 the least significant bit of the index.

    Examples:
        >>> matrix_of(Circuit(1).x(0)).real
        array([[0., 1.],
               [1., 0.]])
    """
    columns = []
    for state in range(1 << circuit.num_qubits):
        begin = Circuit(circuit.num_qubits)
        for qubit in range(circuit.num_qubits):
            if state >> qubit & 1:
                begin.x(qubit)
        columns.append(StatevectorSimulator().statevector(begin.extend(circuit)))
    return np.stack(columns, axis=1)


def makhlin_invariants(matrix: ArrayLike) -> tuple[complex, float]:
    """Return Makhlin's invariants G1 and G2 of a two-qubit unitary, equal exactly for those that differ by local gates.

    Args:
        matrix: ``(4, 4)``, unitary.

    Raises:
        ValueError: Another shape, or a matrix that is not unitary.

    References:
        Makhlin, "Nonlocal properties of two-qubit gates and mixed states", quant-ph/0002045.

    Examples:
        >>> [[round(abs(value), 9) for value in makhlin_invariants(target_matrix(name))] for name in ("cx", "swap")]
        [[0.0, 1.0], [1.0, 3.0]]
    """
    array = _two_qubit(matrix)
    in_bell_basis = _MAGIC.conj().T @ array @ _MAGIC
    symmetric, determinant = in_bell_basis.T @ in_bell_basis, np.linalg.det(array)
    square = np.trace(symmetric) ** 2
    first, second = square / 16, (square - np.trace(symmetric @ symmetric)) / 4
    return complex(first / determinant), float((second / determinant).real)


def fewest_cx(matrix: ArrayLike, tolerance: float = 1e-9) -> int:
    """Return the number of CX that a two-qubit unitary needs with any one-qubit gates: 0 to 3.

    Args:
        matrix: ``(4, 4)``, unitary.
        tolerance: Deviation that counts as rounding.

    Raises:
        ValueError: Another shape, or a matrix that is not unitary.

    References:
        Shende, Bullock, Markov, "Recognizing small-circuit structure in two-qubit operators", quant-ph/0308045.
    """
    array = _two_qubit(matrix)
    special = array / np.linalg.det(array) ** 0.25
    flip = np.kron([[0, -1j], [1j, 0]], [[0, -1j], [1j, 0]])
    gamma = special @ flip @ special.T @ flip
    trace = np.trace(gamma)
    if np.abs(gamma - np.sign(trace.real) * np.eye(4)).max() <= tolerance:
        return 0
    if abs(trace) <= tolerance and np.abs(gamma @ gamma + np.eye(4)).max() <= tolerance:
        return 1
    return 2 if abs(trace.imag) <= tolerance else 3


def _two_qubit(matrix: ArrayLike) -> ComplexArray:
    array = _checked(matrix)
    if len(array) != 4:
        raise ValueError(must("matrix", "have shape (4, 4)", array.shape))
    return array
