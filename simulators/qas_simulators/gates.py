"""The gate table: every gate's name, qubits, and either its rotation axis or its matrix.

To add a gate, add a row here: circuits, kernels, noise models, QASM and Qiskit bridges read this table.

Conventions: a rotation is ``exp(-i angle / 2 * P)`` with ``P`` a Pauli matrix, or the product of one on each of two
qubits; ``p`` is RZ times the phase ``exp(i angle / 2)``. For two-qubit gates the *first* qubit argument is the least
significant bit of the matrix index, as in Qiskit. A gate has one angle or none: Qiskit's ``u``, with three, is the
three rotations that :meth:`Circuit.u` appends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from qas_simulators.errors import unknown_name

ComplexMatrix = NDArray[np.complex128]

PAULI_MATRICES: Final[dict[str, ComplexMatrix]] = {
    "I": np.eye(2, dtype=np.complex128),
    "X": np.array([[0, 1], [1, 0]], dtype=np.complex128),
    "Y": np.array([[0, -1j], [1j, 0]], dtype=np.complex128),
    "Z": np.array([[1, 0], [0, -1]], dtype=np.complex128),
}


@dataclass(frozen=True)
class Gate:
    """One row of the gate table.

    Attributes:
        name: Lower-case OpenQASM 3 / Qiskit name.
        num_qubits: 1 or 2.
        axis: ``"X"``, ``"Y"``, ``"Z"``, ``"XX"``, ``"YY"`` or ``"ZZ"`` for a rotation, else ``None``.
        fixed_matrix: Unitary ``(2**num_qubits, 2**num_qubits)`` of a gate without a parameter, else ``None``.
        inverse: Name of the gate that undoes this one; a rotation is undone by its own negative angle.
        symbol: The gate's symbol in a text drawing.
        is_phase: A rotation about Z is multiplied by ``exp(i angle / 2)``, so that ``|0>`` keeps its phase.
    """

    name: str
    num_qubits: int
    axis: str | None
    fixed_matrix: ComplexMatrix | None
    inverse: str
    symbol: str
    is_phase: bool = False

    @property
    def num_params(self) -> int:
        """Number of angles, 0 or 1."""
        return 0 if self.axis is None else 1

    @property
    def is_controlled(self) -> bool:
        """Whether the gate acts on the second qubit only where the first is 1, and leaves the first as it is."""
        if self.num_qubits != 2 or self.fixed_matrix is None:
            return False
        blocks = self.fixed_matrix.reshape(2, 2, 2, 2)  # second, first; second, first
        return bool(np.array_equal(blocks[:, 0, :, 0], np.eye(2)) and not blocks[:, 0, :, 1].any())

    @property
    def is_symmetric(self) -> bool:
        """Whether a two-qubit gate is the same when its qubits are exchanged."""
        if self.num_qubits != 2:
            return False
        order, matrix = [0, 2, 1, 3], self.matrix(1.0)  # any angle that is no multiple of pi
        return bool(np.array_equal(matrix, matrix[order][:, order]))

    def matrix(self, angle: float = 0.0) -> ComplexMatrix:
        """Return the unitary, shape ``(2**num_qubits, 2**num_qubits)``; ``angle`` in radians for rotations."""
        if self.axis is None:
            assert self.fixed_matrix is not None
            return self.fixed_matrix
        generator = PAULI_MATRICES[self.axis[0]]
        for letter in self.axis[1:]:
            generator = np.asarray(np.kron(PAULI_MATRICES[letter], generator), dtype=np.complex128)
        phase = np.exp(0.5j * angle) if self.is_phase else 1.0
        identity = np.eye(len(generator))
        return np.asarray(phase * (np.cos(angle / 2) * identity - 1j * np.sin(angle / 2) * generator))


def _rotation(name: str, axis: str, is_phase: bool = False) -> Gate:
    return Gate(name, len(axis), axis, None, name, name.upper(), is_phase)


def _fixed(name: str, matrix: list[list[complex]] | ComplexMatrix, inverse: str = "", symbol: str = "") -> Gate:
    array = np.array(matrix, dtype=np.complex128)
    array.flags.writeable = False
    return Gate(name, int(np.log2(len(array))), None, array, inverse or name, symbol or name.upper())


_R = float(np.sqrt(0.5))
_SX: ComplexMatrix = np.array([[1 + 1j, 1 - 1j], [1 - 1j, 1 + 1j]], dtype=np.complex128) / 2
_T = np.exp(0.25j * np.pi)

GATES: Final[tuple[Gate, ...]] = (
    _rotation("rx", "X"),
    _rotation("ry", "Y"),
    _rotation("rz", "Z"),
    _fixed("id", PAULI_MATRICES["I"], symbol="I"),
    _fixed("x", PAULI_MATRICES["X"]),
    _fixed("y", PAULI_MATRICES["Y"]),
    _fixed("z", PAULI_MATRICES["Z"]),
    _fixed("h", [[_R, _R], [_R, -_R]]),
    _fixed("s", [[1, 0], [0, 1j]], inverse="sdg"),
    _fixed("sdg", [[1, 0], [0, -1j]], inverse="s", symbol="S†"),
    _fixed("t", [[1, 0], [0, _T]], inverse="tdg"),
    _fixed("tdg", [[1, 0], [0, np.conj(_T)]], inverse="t", symbol="T†"),
    _fixed("sx", _SX, inverse="sxdg", symbol="√X"),
    _fixed("sxdg", _SX.conj().T.copy(), inverse="sx", symbol="√X†"),
    _fixed("cx", [[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0], [0, 1, 0, 0]], symbol="X"),
    _fixed("cz", [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, -1]], symbol="Z"),
    _fixed(
        "ecr",
        np.array([[0, 1, 0, 1j], [1, 0, -1j, 0], [0, 1j, 0, 1], [-1j, 0, 1, 0]], dtype=np.complex128) * _R,
        symbol="ECR",
    ),
    _fixed("swap", [[1, 0, 0, 0], [0, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]], symbol="x"),
    _rotation("p", "Z", is_phase=True),
    _rotation("rxx", "XX"),
    _rotation("ryy", "YY"),
    _rotation("rzz", "ZZ"),
)

GATE_INDEX: Final[dict[str, int]] = {gate.name: index for index, gate in enumerate(GATES)}


def gate_index(name: str) -> int:
    """Return a gate's row in the table.

    Raises:
        ValueError: The name is not in the table; the message lists the names and the nearest one.
    """
    try:
        return GATE_INDEX[name]
    except KeyError:
        message = unknown_name("gate", name, GATE_INDEX)
        if name in ("u", "u3", "U"):
            message = f"Gate {name!r} has three angles, those of a table have one: use 'rz', 'ry', 'rz' (`Circuit.u`)."
        raise ValueError(message) from None
