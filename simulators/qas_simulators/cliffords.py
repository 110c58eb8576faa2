"""A circuit as rotations about Pauli strings and one Clifford circuit after them.

With ``U = C R_m ... R_1``, where ``C`` holds all Clifford gates and ``R_k`` turns about a Pauli string, an expectation
value is that of the observable ``C^dagger H C`` after the rotations alone. Strings are triples ``(x, z, power)`` for
``i**power X^x Z^z``, ``x`` and ``z`` bit masks.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from qas_simulators.circuit import Circuit
from qas_simulators.errors import must
from qas_simulators.gates import GATES, PAULI_MATRICES, ComplexMatrix
from qas_simulators.pauli import PauliSum

FloatArray = NDArray[np.float64]
String = tuple[int, int, int]
Rotation = tuple[int, int, int, int, float]
_ROUNDING: Final = 1e-9
_LETTERS: Final = {"I": (0, 0), "X": (1, 0), "Y": (1, 1), "Z": (0, 1)}


@dataclass(frozen=True)
class PauliRotations:
    """Rotations ``exp(-i angle / 2 * sign * P)`` in the order in which they act, and the observable after them.

    Attributes:
        x: Masks of the strings' bits that are flipped, ``(rotations,)``.
        z: Masks of the bits that give a sign, ``(rotations,)``.
        signs: 1 or -1 for each string, ``(rotations,)``.
        sources: The rotation of the circuit that each one is, or -1 for a gate with a constant angle.
        constants: The constant angles, 0 elsewhere, in radians.
        observable: Conjugated by all Clifford gates.
    """

    x: NDArray[np.int64]
    z: NDArray[np.int64]
    signs: FloatArray
    sources: NDArray[np.int64]
    constants: FloatArray
    observable: PauliSum

    def angles(self, own: FloatArray) -> FloatArray:
        """Return the angle of every rotation, given those of the circuit's."""
        return np.asarray(np.append(own, 0.0)[self.sources] + self.constants)


def pauli_rotations(circuit: Circuit, observable: PauliSum) -> PauliRotations:
    """Return the rotations of a circuit about Pauli strings, and the observable after them.

    Raises:
        ValueError: A gate is neither a Clifford gate nor a rotation about a Pauli string.

    Examples:
        CX after a rotation about X on its control conjugates the observable:

        >>> circuit = Circuit(2).rx(0.5, 0).cx(0, 1)
        >>> found = pauli_rotations(circuit, PauliSum({"ZI": 1.0}))
        >>> found.x.tolist(), found.observable.terms()
        ([1], {'ZZ': 1.0})
    """
    frame = Frame(circuit.num_qubits)
    rows = [rotation for *_, rotation in walk(circuit, frame) if rotation is not None]
    columns = list(zip(*rows, strict=True)) if rows else [(), (), (), (), ()]
    return PauliRotations(
        np.array(columns[0], dtype=np.int64),
        np.array(columns[1], dtype=np.int64),
        np.array(columns[2], dtype=np.float64),
        np.array(columns[3], dtype=np.int64),
        np.array(columns[4], dtype=np.float64),
        frame.conjugated(observable),
    )


def walk(circuit: Circuit, frame: Frame) -> Iterator[tuple[int, tuple[int, ...], Rotation | None]]:
    """Yield every gate's row of the gate table, its qubits, and the rotation that it is, ``None`` for Clifford gates.

    A rotation is ``x, z, sign, source, constant angle``, see :class:`PauliRotations`. When a gate is yielded, ``frame``
    holds the Clifford gates up to it.

    Raises:
        ValueError: A gate is neither a Clifford gate nor a rotation about a Pauli string.
    """
    for gate, qubit0, qubit1, param in circuit.table.tolist():
        qubits = (qubit0,) if qubit1 < 0 else (qubit0, qubit1)
        images = None if param >= 0 else _clifford(gate)
        if images is not None:
            frame.append(images, qubits)
            yield gate, qubits, None
            continue
        letters, angle = (GATES[gate].axis, 0.0) if param >= 0 else _constant_rotation(gate)
        x, z, power = frame.image(*placed(letters or "", qubits))
        sign = 1 - ((power - (x & z).bit_count()) & 3)  # 1 or -1
        yield gate, qubits, (x, z, sign, param, angle)


class Frame:
    """What all Clifford gates so far, ``C``, make of X and Z on every qubit: ``C^dagger P C``."""

    def __init__(self, num_qubits: int) -> None:
        self._x: list[String] = [(1 << qubit, 0, 0) for qubit in range(num_qubits)]
        self._z: list[String] = [(0, 1 << qubit, 0) for qubit in range(num_qubits)]

    def append(self, images: tuple[String, ...], qubits: tuple[int, ...]) -> None:
        """Add a gate, given the images of X and Z on its first qubit, then on its second one."""
        found = []
        for x, z, power in images:
            wide = [sum(1 << qubit for k, qubit in enumerate(qubits) if mask >> k & 1) for mask in (x, z)]
            found.append(self.image(wide[0], wide[1], power))
        for k, qubit in enumerate(qubits):
            self._x[qubit], self._z[qubit] = found[2 * k], found[2 * k + 1]

    def image(self, x: int, z: int, power: int) -> String:
        """Return ``C^dagger P C`` of a string."""
        found_x, found_z = 0, 0
        for mask, images in ((x, self._x), (z, self._z)):
            while mask:
                qubit = (mask & -mask).bit_length() - 1
                mask &= mask - 1
                other_x, other_z, other_power = images[qubit]
                power += other_power + 2 * (found_z & other_x).bit_count()
                found_x, found_z = found_x ^ other_x, found_z ^ other_z
        return found_x, found_z, power & 3

    def conjugated(self, observable: PauliSum) -> PauliSum:
        """Return ``C^dagger H C``."""
        x, z = np.zeros_like(observable.x), np.zeros_like(observable.z)
        powers = np.bitwise_count(observable.x & observable.z).astype(np.int64)
        for masks, images in ((observable.x, self._x), (observable.z, self._z)):
            for qubit, (other_x, other_z, other_power) in enumerate(images):
                held = masks >> qubit & 1
                powers += held * (other_power + 2 * np.bitwise_count(z & other_x).astype(np.int64))
                x, z = x ^ held * other_x, z ^ held * other_z
        signs = 1 - ((powers - np.bitwise_count(x & z).astype(np.int64)) & 3)
        return PauliSum.from_masks(observable.num_qubits, x, z, signs * observable.coefficients)


def placed(letters: str, qubits: tuple[int, ...]) -> String:
    """Return the string of letters on some qubits."""
    x = sum(_LETTERS[letter][0] << qubit for letter, qubit in zip(letters, qubits, strict=True))
    z = sum(_LETTERS[letter][1] << qubit for letter, qubit in zip(letters, qubits, strict=True))
    return x, z, (x & z).bit_count()


def _matrix_of(letters: str) -> ComplexMatrix:
    """Return the matrix of letters, the first one on the least significant bit."""
    matrix = PAULI_MATRICES[letters[0]]
    for letter in letters[1:]:
        matrix = np.asarray(np.kron(PAULI_MATRICES[letter], matrix), dtype=np.complex128)
    return matrix


def _words(num_qubits: int) -> list[str]:
    return ["I", "X", "Y", "Z"] if num_qubits == 1 else [a + b for a in "IXYZ" for b in "IXYZ"]


@cache
def _clifford(gate: int) -> tuple[String, ...] | None:
    """Return what a gate of the table makes of X and Z on each of its qubits, or ``None`` if it is no Clifford gate."""
    row = GATES[gate]
    matrix, qubits = row.matrix(), tuple(range(row.num_qubits))
    images = []
    for generator in ("X", "Z") if row.num_qubits == 1 else ("XI", "ZI", "IX", "IZ"):
        turned = matrix.conj().T @ _matrix_of(generator) @ matrix
        overlaps = {word: np.trace(_matrix_of(word) @ turned).real / len(matrix) for word in _words(row.num_qubits)}
        word = max(overlaps, key=lambda one: abs(overlaps[one]))
        if abs(abs(overlaps[word]) - 1.0) > _ROUNDING:
            return None
        x, z, power = placed(word, qubits)
        images.append((x, z, (power + (0 if overlaps[word] > 0 else 2)) & 3))
    return tuple(images)


@cache
def _constant_rotation(gate: int) -> tuple[str, float]:
    """Return the letters and the angle of a gate of the table without a parameter, such as T: RZ by pi / 4."""
    row = GATES[gate]
    matrix = row.matrix()
    parts = {word: np.trace(_matrix_of(word) @ matrix) / len(matrix) for word in _words(row.num_qubits)}
    identity = parts.pop("I" * row.num_qubits)
    letters = max(parts, key=lambda one: abs(parts[one]))
    if abs(abs(identity) ** 2 + abs(parts[letters]) ** 2 - 1.0) > _ROUNDING or abs(identity) < _ROUNDING:
        raise ValueError(must("circuit", "have Clifford gates and rotations about Pauli strings only", row.name))
    return letters, float(2.0 * np.arctan((1j * parts[letters] / identity).real))
