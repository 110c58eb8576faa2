"""Circuits that prepare real matrix-product states: staircases of two-qubit blocks, written in RY and CX."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from qas_simulators.circuit import Circuit
from qas_simulators.errors import must
from qas_simulators.gates import GATE_INDEX
from qas_simulators.matrix_product_states import Limit, MatrixProductState

FloatArray = NDArray[np.float64]
_ZERO: Final = 1e-12  # radians; rotations by less are left out, modulo 2 pi
_Y: Final = np.array([[0.0, -1.0], [1.0, 0.0]])  # -i Y
_X, _Z = np.array([[0.0, 1.0], [1.0, 0.0]]), np.diag([1.0, -1.0])


def staircase(state: MatrixProductState, layers: int = 1) -> Circuit:
    """Return a circuit of RY and CX that prepares a real state, exactly where one layer and bond dimension 2 suffice.

    A state of bond dimension 2 is generated qubit by qubit: a block on qubits k and k + 1 turns the bond, which qubit k
    carries, into qubit k and the next bond. The first block needs one CX, the others two: ``2 n - 3`` in all. With more
    layers, each one prepares the bond-2 truncation of what the layers after it leave; these have two CX in every block.

    Args:
        state: Real, of at least two qubits.
        layers: Number of staircases, each with ``n - 1`` blocks.

    Raises:
        ValueError: The state is complex or has one qubit, or there is less than one layer.

    References:
        C. Schoen, E. Solano, F. Verstraete, J. I. Cirac, M. M. Wolf: Sequential generation of entangled multiqubit
        states, quant-ph/0501096. S.-J. Ran: Encoding of matrix product states into quantum circuits of one- and
        two-qubit gates, arXiv:1908.07958 (layers).

    Examples:
        >>> from qas_simulators import MPSSimulator, PauliSum
        >>> from qas_simulators.dmrg import dmrg
        >>> chain = PauliSum({"IZZ": -1.0, "ZZI": -1.0, "IIX": -1.0, "IXI": -1.0, "XII": -1.0})
        >>> found = dmrg(chain, max_bond=2)
        >>> circuit = staircase(found.state)
        >>> circuit.count_ops()["cx"], abs(MPSSimulator().expectation(circuit, chain) - found.energy) < 1e-9
        (3, True)
    """
    if state.num_qubits < 2:
        raise ValueError(must("state", "have at least 2 qubits", state.num_qubits))
    if any(np.iscomplexobj(tensor) for tensor in state.tensors):
        raise ValueError(must("state", "be real, to be written in RY and CX", "complex"))
    if layers < 1:
        raise ValueError(must("layers", "be at least 1", layers))
    left, found = state.copy(), []
    for _ in range(layers):
        found.append(_blocks_of(left.compressed(Limit(2))))
        for site in reversed(range(left.num_qubits - 1)):  # undo the layer, whose first block is on qubits 0 and 1
            left.apply(site, found[-1][site].T, Limit())
    circuit = _Staircase(state.num_qubits)
    for number, layer in enumerate(reversed(found)):
        for site, block in enumerate(layer):
            if number == 0 and site == 0:
                circuit.prepare(block[:, 0])
            else:
                circuit.turn(site, block)
    return circuit.finished()


def _blocks_of(state: MatrixProductState) -> list[FloatArray]:
    """Return the rotations ``(4, 4)`` of determinant 1 that generate a state, the first qubit least significant."""
    size = state.num_qubits
    last = state.pair(size - 2)  # bond, (qubit, last qubit)
    tensors = [*state.tensors[: size - 2], last.reshape(len(last), 2, 2)]
    blocks = []
    for tensor in tensors:
        columns: FloatArray = np.zeros((2, 2, 2))  # bond, qubit, next bond
        columns[: len(tensor), :, : tensor.shape[2]] = tensor
        rows = columns.transpose(0, 2, 1).reshape(2, 4)[: len(tensor)]
        blocks.append(_completed(rows))
    return blocks


def _completed(rows: FloatArray) -> FloatArray:
    """Return the rotation whose first columns span those vectors; they are made orthonormal."""
    left, _, right = np.linalg.svd(rows, full_matrices=True)
    matrix = np.concatenate([left @ right[: len(rows)], right[len(rows) :]]).T
    if np.linalg.det(matrix) < 0:
        matrix[:, -1] *= -1.0
    return np.asarray(matrix)


def _quaternions() -> tuple[list[FloatArray], list[FloatArray]]:
    """Return the two commuting sets of units whose products are a basis of the real 4 x 4 matrices."""
    eye = np.eye(2)
    one, high, low = np.eye(4), np.kron(_Y, eye), np.kron(eye, _Y)
    both = np.kron(_X, _Y), np.kron(_Y, _Z)  # -i X Y on (high, low) and -i Y Z
    return [one, high, both[0], high @ both[0]], [one, low, both[1], low @ both[1]]


_HIGH, _LOW = _quaternions()


def euler_angles(rotation: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the angles of a rotation of four dimensions as ``RY RY . CX . RY RY . CX . RY RY``.

    CX has its control on the first, least significant qubit. The rotation is a product of two commuting quaternions,
    each of which is ``exp(a J / 2) exp(b K / 2) exp(c J / 2)``.

    Args:
        rotation: Real and orthogonal with determinant 1, ``(4, 4)``.

    Returns:
        The angles of the first and of the second qubit, in radians, in the order of the gates, ``(3,)`` each.
    """
    table = np.array([[np.sum(first @ second * rotation) for second in _LOW] for first in _HIGH]) / 4.0
    left, values, right = np.linalg.svd(table)
    high, low = _angles_of(left[:, 0] * values[0]), _angles_of(right[0])
    low[1], high[1] = high[1], low[1]  # between the CX, a turn of one qubit is one of both that the other's do not move
    return low, high


def _angles_of(quaternion: FloatArray) -> FloatArray:
    real, first, second, third = quaternion
    middle = 2.0 * np.arctan2(np.hypot(second, third), np.hypot(real, first))
    total, difference = np.arctan2(first, real), np.arctan2(third, second)
    return np.array([total - difference, middle, total + difference])


class _Staircase:
    """A circuit of RY and CX in which rotations that follow each other are added."""

    def __init__(self, num_qubits: int) -> None:
        self._circuit = Circuit(num_qubits)
        self._waiting = np.zeros(num_qubits)  # radians

    def prepare(self, vector: FloatArray) -> None:
        """Turn ``|00>`` of the first two qubits into a vector ``(4,)``."""
        high, values, low = np.linalg.svd(vector.reshape(2, 2))  # second qubit, first qubit
        sign = 1.0
        for matrix in (high, low.T):
            if np.linalg.det(matrix) < 0:
                matrix[:, 1] *= -1.0
                sign = -sign
        self._waiting[0] += 2.0 * np.arctan2(sign * values[1], values[0])
        self._cx(0)
        self._waiting[0] += 2.0 * np.arctan2(low[0, 1], low[0, 0])
        self._waiting[1] += 2.0 * np.arctan2(high[1, 0], high[0, 0])

    def turn(self, site: int, rotation: FloatArray) -> None:
        """Apply a rotation of two qubits."""
        low, high = euler_angles(rotation)
        for k in range(3):
            self._waiting[site] += low[k]
            self._waiting[site + 1] += high[k]
            if k < 2:
                self._cx(site)

    def finished(self) -> Circuit:
        """Return the circuit."""
        for qubit in range(self._circuit.num_qubits):
            self._flush(qubit)
        return self._circuit

    def _cx(self, site: int) -> None:
        self._flush(site)
        self._flush(site + 1)
        self._circuit.append_row(GATE_INDEX["cx"], site, site + 1, 0.0)

    def _flush(self, qubit: int) -> None:
        angle = float(np.remainder(self._waiting[qubit] + np.pi, 2.0 * np.pi) - np.pi)
        self._waiting[qubit] = 0.0
        if abs(angle) > _ZERO:
            self._circuit.ry(angle, qubit)
