"""The only door to the kernels: flat programs, and the functions that run them.

A circuit is flat already; here it meets the gate table's matrices, the noise and the observable.
"""

from __future__ import annotations

from itertools import permutations
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from qas_simulators.channels import ptm_of_kraus
from qas_simulators.circuit import Circuit
from qas_simulators.gates import GATES
from qas_simulators.kernels import entries, pauli_transfer, statevector
from qas_simulators.kernels.pauli_transfer import PauliTransferProgram
from qas_simulators.kernels.statevector import StatevectorProgram
from qas_simulators.noise import NoiseModel
from qas_simulators.pauli import PauliSum

Program = StatevectorProgram | PauliTransferProgram
FloatArray = NDArray[np.float64]

_ROTATIONS: Final = {"X": 0, "Y": 1, "Z": 2}  # both kernel modules number RX, RY, RZ so
_SPECIAL: Final = {"cx": statevector.CX, "cz": statevector.CZ, "swap": statevector.SWAP}


def _statevector_tables() -> tuple[NDArray[np.int64], NDArray[np.complex128]]:
    kinds = np.empty(len(GATES), dtype=np.int64)
    matrices = np.zeros((len(GATES), 4, 4), dtype=np.complex128)
    for row, gate in enumerate(GATES):
        if gate.axis is not None:
            kinds[row] = _ROTATIONS[gate.axis]
            continue
        kinds[row] = _SPECIAL.get(gate.name, statevector.MATRIX1 if gate.num_qubits == 1 else statevector.MATRIX2)
        size = 2**gate.num_qubits
        matrices[row, :size, :size] = gate.matrix()
    return kinds, matrices


STATEVECTOR_KINDS, STATEVECTOR_MATRICES = _statevector_tables()


def statevector_program(circuit: Circuit, observable: PauliSum) -> StatevectorProgram:
    """Join a circuit and an observable on the same number of qubits."""
    flips, diagonals = observable.grouped()
    return StatevectorProgram(circuit.table, STATEVECTOR_KINDS, STATEVECTOR_MATRICES, flips, diagonals)


class NoiseTables:
    """Every gate of the table on every choice of qubits, fused with its noise, for one register size."""

    def __init__(self, noise: NoiseModel, num_qubits: int) -> None:
        self.kinds = np.empty(len(GATES), dtype=np.int64)
        self.channels = np.zeros((len(GATES), num_qubits, num_qubits + 1), dtype=np.int64)
        blocks1: dict[bytes, FloatArray] = {}
        blocks2: dict[bytes, FloatArray] = {}
        for row, gate in enumerate(GATES):
            bare = np.eye(4) if gate.axis is not None else ptm_of_kraus([gate.matrix()])
            store = blocks1 if gate.num_qubits == 1 else blocks2
            for qubits in permutations(range(num_qubits), gate.num_qubits):
                block = bare
                for channel in noise.channels(gate.name, qubits):
                    block = channel.ptm @ block
                key = block.tobytes()
                store.setdefault(key, block)
                second = qubits[1] + 1 if len(qubits) == 2 else 0
                self.channels[row, qubits[0], second] = list(store).index(key)
            self.kinds[row] = pauli_transfer.BLOCK1 if gate.axis is None else _ROTATIONS[gate.axis]
        self.blocks1 = np.array(list(blocks1.values()))
        self.diagonal = np.array([np.count_nonzero(b - np.diag(np.diag(b))) == 0 for b in self.blocks1])
        self.blocks2 = np.array(list(blocks2.values())).reshape(-1, 16, 16)
        self.blocks2[np.abs(self.blocks2) < 1e-15] = 0.0  # rounding of exact zeros would hide a permutation
        self.sources = np.argmax(np.abs(self.blocks2), axis=2).astype(np.int64)
        factors = np.take_along_axis(self.blocks2, self.sources[:, :, None], axis=2)[:, :, 0]
        identity = np.tile(np.arange(16), (len(self.blocks2), 1))
        alone = (np.count_nonzero(self.blocks2, axis=2) == 1).all()  # one entry a row
        is_exchange = alone and (np.take_along_axis(self.sources, self.sources, axis=1) == identity).all()
        for row, gate in enumerate(GATES):
            if gate.num_qubits == 2:
                self.kinds[row] = pauli_transfer.EXCHANGE2 if is_exchange else pauli_transfer.BLOCK2
        self.factors: FloatArray = np.ascontiguousarray(factors, dtype=np.float64)

    def program(self, circuit: Circuit, observable: PauliSum) -> PauliTransferProgram:
        """Join a circuit, this noise and an observable."""
        return PauliTransferProgram(
            circuit.table,
            self.kinds,
            self.channels,
            self.blocks1,
            self.diagonal,
            self.sources,
            self.factors,
            self.blocks2,
            observable.pauli_indices(),
            observable.coefficients,
        )


def _solve(program: Program, *arguments: Any) -> tuple[FloatArray, int, int]:
    statevector_program = isinstance(program, StatevectorProgram)
    kernel = entries.solve_statevector if statevector_program else entries.solve_pauli_transfer
    result: tuple[FloatArray, int, int] = kernel(*program, *arguments)
    return result


_NO_STATEVECTOR, _NO_PAULI_VECTOR = np.empty(0, dtype=np.complex128), np.empty(0, dtype=np.float64)


def _no_state(program: Program) -> NDArray[Any]:
    return _NO_STATEVECTOR if isinstance(program, StatevectorProgram) else _NO_PAULI_VECTOR


def evaluate(program: Program, params_batch: FloatArray, gradients: FloatArray) -> FloatArray:
    """Return the energies ``(B,)`` of ``params_batch`` ``(B, num_params)``.

    ``gradients`` is filled if its shape is ``(B, num_params)`` and left alone if it is ``(0, num_params)``.
    """
    return _solve(program, params_batch, gradients, _no_state(program), 0, 0, 0.0, 0.0)[0]


def minimize(
    program: Program,
    params: FloatArray,
    first: int,
    max_iterations: int,
    gradient_tolerance: float,
    energy_tolerance: float,
) -> tuple[float, int, int]:
    """Scan the angles from index ``first`` on, then run L-BFGS on all, changing ``params`` in place.

    Returns:
        Energy, number of evaluations (energies and gradients), number of gradients among them.
    """
    batch = params[None, :]
    energies, evaluations, gradients = _solve(
        program, batch, batch[:0], _no_state(program), first, max_iterations, gradient_tolerance, energy_tolerance
    )
    return float(energies[0]), evaluations, gradients


def final_state(program: Program, params: FloatArray) -> NDArray[Any]:
    """Return the statevector ``(2**n,)`` or the Pauli vector ``(4**n,)`` the program prepares."""
    if isinstance(program, StatevectorProgram):
        state: NDArray[Any] = np.empty(program.diagonals.shape[1], dtype=np.complex128)
    else:
        state = np.empty(4 ** program.channels.shape[1], dtype=np.float64)
    batch = params[None, :]
    _solve(program, batch, batch[:0], state, 0, 0, 0.0, 0.0)
    return state
