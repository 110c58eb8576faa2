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
    """Every gate of the table on every choice of qubits, with its noise, for one register size.

    One-qubit gates are fused with their noise; so are two-qubit gates where the result still exchanges entries.
    Otherwise one-qubit channels after a two-qubit gate stay blocks of their own (``after``), and a two-qubit channel
    makes a 16 x 16 block.
    """

    def __init__(self, noise: NoiseModel, num_qubits: int) -> None:
        self.kinds = np.empty(len(GATES), dtype=np.int64)
        self.channels = np.zeros((len(GATES), num_qubits, num_qubits + 1), dtype=np.int64)
        self.after = np.full((len(GATES), num_qubits, num_qubits + 1, 2), -1, dtype=np.int64)
        self._rows1: dict[bytes, int] = {}
        self._rows2: dict[bytes, int] = {}
        for row, gate in enumerate(GATES):
            (self._add_one_qubit_gate if gate.num_qubits == 1 else self._add_two_qubit_gate)(row, noise, num_qubits)
        self.blocks1 = np.frombuffer(b"".join(self._rows1)).reshape(-1, 4, 4).copy()
        self.forms = np.array([_form(block) for block in self.blocks1], dtype=np.int64)
        self.blocks2 = np.frombuffer(b"".join(self._rows2)).reshape(-1, 16, 16).copy()
        self.sources = np.argmax(np.abs(self.blocks2), axis=2).astype(np.int64)
        factors = np.take_along_axis(self.blocks2, self.sources[:, :, None], axis=2)[:, :, 0]
        self.factors: FloatArray = np.ascontiguousarray(factors, dtype=np.float64)

    def _add_one_qubit_gate(self, row: int, noise: NoiseModel, num_qubits: int) -> None:
        gate = GATES[row]
        self.kinds[row] = pauli_transfer.BLOCK1 if gate.axis is None else _ROTATIONS[gate.axis]
        bare = np.eye(4) if gate.axis is not None else ptm_of_kraus([gate.matrix()])
        for qubit in range(num_qubits):
            block = bare
            for channel, _ in noise.channels(gate.name, (qubit,)):
                block = channel.ptm @ block
            self.channels[row, qubit, 0] = _row_of(block, self._rows1)

    def _add_two_qubit_gate(self, row: int, noise: NoiseModel, num_qubits: int) -> None:
        gate = GATES[row]
        bare = ptm_of_kraus([gate.matrix()])
        bare[np.abs(bare) < 1e-15] = 0.0
        pairs = list(permutations(range(num_qubits), 2))
        local, fused = {}, {}  # noise on each qubit where all of it is local; gate and noise as one block
        for pair in pairs:
            own, block, is_local = [np.eye(4), np.eye(4)], bare, True
            for channel, where in noise.channels(gate.name, pair):
                if len(where) == 2:
                    block, is_local = channel.ptm @ block, False
                    continue
                position = pair.index(where[0])
                own[position] = channel.ptm @ own[position]
                wide = np.kron(np.eye(4), channel.ptm) if position == 0 else np.kron(channel.ptm, np.eye(4))
                block = wide @ block
            local[pair], fused[pair] = own if is_local else None, block
        apart = not all(map(_is_exchange, fused.values())) and all(own is not None for own in local.values())
        apart = apart and _is_exchange(bare)
        exchanges = apart or all(map(_is_exchange, fused.values()))
        self.kinds[row] = pauli_transfer.EXCHANGE2 if exchanges else pauli_transfer.BLOCK2
        for pair in pairs:
            place = row, pair[0], pair[1] + 1
            self.channels[place] = _row_of(bare if apart else fused[pair], self._rows2)
            own_blocks = local[pair]
            if apart and own_blocks is not None:
                self.after[place] = [_row_of(block, self._rows1) for block in own_blocks]

    def program(self, circuit: Circuit, observable: PauliSum) -> PauliTransferProgram:
        """Join a circuit, this noise and an observable."""
        return PauliTransferProgram(
            circuit.table,
            self.kinds,
            self.channels,
            self.blocks1,
            self.forms,
            self.after,
            self.sources,
            self.factors,
            self.blocks2,
            observable.pauli_indices(),
            observable.coefficients,
        )


def _row_of(block: FloatArray, rows: dict[bytes, int]) -> int:
    """Return the row of a block among the distinct ones, adding it if it is new."""
    return rows.setdefault(np.ascontiguousarray(block + 0.0).tobytes(), len(rows))


def _form(block: FloatArray) -> int:
    """Tell the cheapest way to apply a 4 x 4 block."""
    rest = block - np.diag(np.diag(block))
    rest[3, 0] = 0.0
    return pauli_transfer.RELAXING if block[0, 0] == 1.0 and not rest.any() else pauli_transfer.GENERAL


def _is_exchange(block: FloatArray) -> bool:
    """Tell whether each entry goes to one place and what is there comes back."""
    sources = np.argmax(np.abs(block), axis=1)
    return bool((np.count_nonzero(block, axis=1) == 1).all() and (sources[sources] == np.arange(len(block))).all())


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
