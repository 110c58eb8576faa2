"""The noise of every gate on every choice of qubits, as arrays that the Pauli-transfer kernels read."""

from __future__ import annotations

from itertools import permutations
from typing import Final

import numpy as np
from numpy.typing import NDArray

from qas_simulators import kernels
from qas_simulators.channels import ptm_of_kraus
from qas_simulators.circuit import Circuit
from qas_simulators.flat_circuit import Table
from qas_simulators.gates import GATES, Gate, gate_index
from qas_simulators.noise import NoiseModel
from qas_simulators.pauli import PauliSum
from qas_simulators.program import ROTATION_KINDS, UNLINKED, FloatArray, KernelProgram, Links

_CX: Final = GATES[gate_index("cx")].matrix()
_CY: Final = np.array([[1, 0, 0, 0], [0, 0, 0, -1j], [0, 0, 1, 0], [0, 1j, 0, 0]])
_EXCHANGES: Final = {"XX": (_CX, 0, 0), "YY": (_CY, 0, 1), "ZZ": (_CX, 1, 2)}  # gate, qubit and kind of the rotation


class NoiseTables:
    """Every gate of the table on every choice of qubits, with its noise, for one register size.

    A one-qubit gate and its noise are one 4 x 4 block. A fixed two-qubit gate permutes the 16 Pauli strings of its
    qubits, up to signs: an exchange. Pauli noise and relaxation only damp it, except that relaxation adds a part of I
    to Z; that becomes a 4 x 4 block on each qubit (``after``), fused with the one-qubit gates that follow. With any
    other noise the gate is a 16 x 16 block.

    A two-qubit rotation is an exchange that maps its Pauli string to one of a single qubit, the rotation of that qubit,
    and the exchange again, this time with the noise. ``turns`` has for every gate: which of its qubits is rotated, or
    -1; the kind of that rotation; the rows of the exchange and of the identity block.
    """

    def __init__(self, noise: NoiseModel, num_qubits: int) -> None:
        self.kinds = np.empty(len(GATES), dtype=np.int64)
        self.channels = np.zeros((len(GATES), num_qubits, num_qubits + 1), dtype=np.int64)
        self.after = np.full((len(GATES), num_qubits, num_qubits + 1, 2), -1, dtype=np.int64)
        self.turns = np.full((len(GATES), 4), -1, dtype=np.int64)
        self._rows1: dict[bytes, int] = {}
        self._rows2: dict[bytes, int] = {}
        for row, gate in enumerate(GATES):
            (self._add_one_qubit_gate if gate.num_qubits == 1 else self._add_two_qubit_gate)(row, noise, num_qubits)
        blocks1 = np.frombuffer(b"".join(self._rows1)).reshape(-1, 4, 4)
        blocks2 = np.frombuffer(b"".join(self._rows2)).reshape(-1, 16, 16)
        self.growth1, inverses1 = _inverses(blocks1)
        self.growth2, inverses2 = _inverses(blocks2)
        self.blocks1 = np.stack([blocks1, inverses1.swapaxes(1, 2)], axis=1)
        ways = [blocks2, blocks2.swapaxes(1, 2), inverses2.swapaxes(1, 2), inverses2]
        self.blocks2 = np.stack(ways, axis=1).reshape(-1, 2, 2, 16, 16)
        self.swaps = Swaps(blocks2)

    def _add_one_qubit_gate(self, row: int, noise: NoiseModel, num_qubits: int) -> None:
        gate = GATES[row]
        self.kinds[row] = kernels.pauli_plan.FIXED1 if gate.axis is None else ROTATION_KINDS[gate.axis]
        bare = np.eye(4) if gate.axis is not None else ptm_of_kraus([gate.matrix()])
        for qubit in range(num_qubits):
            self.channels[row, qubit, 0] = _row_of(_noise_after(gate, (qubit,), noise) @ bare, self._rows1)

    def _add_two_qubit_gate(self, row: int, noise: NoiseModel, num_qubits: int) -> None:
        gate = GATES[row]
        bare = ptm_of_kraus([gate.matrix() if gate.axis is None else _EXCHANGES[gate.axis][0]])
        bare[np.abs(bare) < 1e-15] = 0.0
        if gate.axis is not None:
            _, turned, kind = _EXCHANGES[gate.axis]
            self.turns[row] = turned, kind, _row_of(bare, self._rows2), _row_of(np.eye(4), self._rows1)
        pairs = list(permutations(range(num_qubits), 2))
        whole, rest, shifts = {}, {}, {}
        for pair in pairs:
            total = _noise_after(gate, pair, noise)
            shifts[pair] = total[3, 0], total[12, 0]
            whole[pair] = total @ bare
            rest[pair] = np.kron(_shift(-shifts[pair][1]), _shift(-shifts[pair][0])) @ whole[pair]
            rest[pair][np.abs(rest[pair]) < 1e-14] = 0.0
        exchanges = all(map(_is_exchange, rest.values()))
        self.kinds[row] = kernels.pauli_plan.EXCHANGE2 if exchanges else kernels.pauli_plan.BLOCK2
        for pair in pairs:
            place = row, pair[0], pair[1] + 1
            self.channels[place] = _row_of((rest if exchanges else whole)[pair], self._rows2)
            for k in range(2):
                if exchanges and shifts[pair][k] != 0.0:
                    self.after[(*place, k)] = _row_of(_shift(shifts[pair][k]), self._rows1)

    def is_stable(self, circuit: Circuit) -> bool:
        """Return whether the inverses of noisy gates amplify rounding errors little enough to be used."""
        names, qubit0, qubit1 = circuit.table[:, :3].T
        rows = self.channels[names, qubit0, qubit1 + 1]
        is_two_qubit = self.kinds[names] >= kernels.pauli_plan.EXCHANGE2
        after = self.after[names, qubit0, qubit1 + 1]
        growth = self.growth2[rows[is_two_qubit]].sum() + self.growth1[rows[~is_two_qubit]].sum()
        return bool(growth + self.growth1[after[after >= 0]].sum() <= kernels.pauli_plan.MAX_GROWTH)

    def program(
        self, tables: Table, observable: PauliSum, links: Links = UNLINKED, device: str = "cpu"
    ) -> KernelProgram:
        """Return the program of circuits, ``(circuits, num_gates or more, 4)``, with this noise and an observable."""
        constants = (
            self.kinds,
            self.channels,
            self.after,
            self.turns,
            self.blocks1,
            self.swaps.places,
            self.swaps.factors,
            self.swaps.pair_places,
            self.swaps.pair_factors,
            self.swaps.inner_masks,
            self.swaps.inner_factors,
            self.blocks2,
            self.growth1,
            self.growth2,
            observable.pauli_indices(),
            observable.coefficients,
        )
        size = 4 ** self.channels.shape[1]
        solve = kernels.entries.solve_pauli_transfer
        return KernelProgram(solve, tables, constants, np.float64, size, (1, 2, 2, 2), links, device)


class Swaps:
    """16 x 16 blocks as damped and signed exchanges, in the layouts that the kernels read.

    Entry ``p`` becomes ``factors[p] * in[sources[p]]``, where ``sources`` is its own inverse. There are four ways to
    apply a block: plain, transposed, inverse, and the inverse transposed. Rows of blocks that are no exchanges hold
    numbers without meaning, which kernels do not read.

    Attributes:
        places: ``(rows, 17, 2)``: the number of exchanges, then the two entries of each.
        factors: ``(rows, 4, 16, 2)``: by way, the factors of the two entries of each exchange.
        pair_places: ``(rows, 2, 7)`` where one of the qubits, number 0 or 1 of the gate, is among the two lowest of the
            register. First whether this form exists; then for two pairs three numbers: the two digits of the high qubit
            whose vectors mix, and the mask that permutes the digits of the low one.
        pair_factors: ``(rows, 2, 4, 2, 16)``: by low qubit, way and pair of digits, four times four factors: of the
            first vector and of the second in the first; of the second and of the first in the second.
        inner_masks: ``(rows, 2)`` where the qubits are the two lowest, by the lowest's number: the row of
            ``INNER_MASKS`` whose masks permute the 16 entries in the terms of a sum, or -1.
        inner_factors: ``(rows, 2, 4, 4, 16)``: by lowest qubit and way, the factors of each term.
    """

    def __init__(self, blocks: FloatArray) -> None:
        sources = np.argmax(np.abs(blocks), axis=2)
        factors = np.take_along_axis(blocks, sources[:, :, None], axis=2)[:, :, 0]
        back = np.take_along_axis(factors, sources, axis=1)
        with np.errstate(divide="ignore"):
            ways = np.stack([factors, back, 1.0 / factors, 1.0 / back], axis=1)
        rows = len(blocks)
        self.places = np.zeros((rows, 17, 2), dtype=np.int64)
        self.factors = np.zeros((rows, 4, 16, 2))
        self.pair_places = np.zeros((rows, 2, 7), dtype=np.int64)
        self.pair_factors = np.zeros((rows, 2, 4, 2, 16))
        self.inner_masks = np.full((rows, 2), -1, dtype=np.int64)
        self.inner_factors = np.zeros((rows, 2, 4, 4, 16))
        for row in range(rows):
            source = sources[row]
            moved = [p for p in range(16) if p < source[p] or (p == source[p] and factors[row, p] != 1.0)]
            both = np.stack([moved, source[moved]], axis=1).astype(np.int64)
            self.places[row, 0, 0] = len(moved)
            self.places[row, 1 : 1 + len(moved)] = both
            self.factors[row, :, : len(moved)] = ways[row][:, both]
            for low in range(2):
                self._add_pairs(row, low, source, ways[row])
                self._add_inner(row, low, source, ways[row])

    def _add_inner(self, row: int, low: int, source: NDArray[np.intp], ways: FloatArray) -> None:
        entries = np.arange(16) if low == 0 else np.arange(16).reshape(4, 4).T.ravel()  # by place in the register
        masks = entries[source[entries]] ^ np.arange(16)  # ``entries`` is its own inverse
        for number, terms in enumerate(kernels.passes.INNER_MASKS):
            if set(masks.tolist()) <= set(terms):
                self.inner_masks[row, low] = number
                for k, mask in enumerate(terms):
                    self.inner_factors[row, low, :, k] = np.where(masks == mask, ways[:, entries], 0.0)

    def _add_pairs(self, row: int, low: int, source: NDArray[np.intp], ways: FloatArray) -> None:
        entries = np.arange(16).reshape(4, 4)  # by the digits of the high and the low qubit
        entries = entries if low == 0 else entries.T
        from_low, from_high = (source[entries] >> 2 * low) & 3, (source[entries] >> 2 * (1 - low)) & 3
        masks, moves = from_low ^ np.arange(4), from_high ^ np.arange(4)[:, None]
        move = max(int(moves.max()), 1)
        mask = masks[:, 0]
        partner = np.arange(4) ^ move
        is_lanes = (masks == mask[:, None]).all() and ((moves == 0) | (moves == move)).all()
        if not is_lanes or (mask != mask[partner]).any() or not set(mask.tolist()) <= {0, 1, 3}:
            return
        pairs = [(digit, int(partner[digit])) for digit in range(4) if digit < partner[digit]]
        self.pair_places[row, low] = [1, *(n for pair in pairs for n in (*pair, int(mask[pair[0]])))]
        for number, (first, second) in enumerate(pairs):
            quarters = []
            for digit, stays in ((first, True), (first, False), (second, True), (second, False)):
                quarters.append(np.where((moves[digit] == 0) == stays, ways[:, entries[digit]], 0.0))
            self.pair_factors[row, low, :, number] = np.concatenate(quarters, axis=1)


def _noise_after(gate: Gate, qubits: tuple[int, ...], noise: NoiseModel) -> FloatArray:
    """Return the noise of a gate, or no noise where it is refused: circuits with such a gate never reach a kernel."""
    if noise.reason_against(gate.name, qubits) is not None:
        return np.eye(4 ** len(qubits))
    return noise.transfer_matrix(gate.name, qubits)


def _shift(amount: float) -> FloatArray:
    """Return the block that adds ``amount`` times I to Z."""
    block = np.eye(4)
    block[3, 0] = amount
    return block


def _row_of(block: FloatArray, rows: dict[bytes, int]) -> int:
    """Return the row of a block among the distinct blocks; add it if it is new."""
    return rows.setdefault(np.ascontiguousarray(block + 0.0).tobytes(), len(rows))


def _inverses(blocks: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the logarithms of the inverses' norms and the inverses; infinity and zeros where there is none."""
    left, values, right = np.linalg.svd(blocks)
    with np.errstate(divide="ignore"):
        growth = np.maximum(0.0, -np.log(values[:, -1]))
    reciprocals = np.where(np.isfinite(growth)[:, None], 1.0 / np.maximum(values, 1e-300), 0.0)
    return growth, np.einsum("rji,rj,rkj->rik", right, reciprocals, left)


def _is_exchange(block: FloatArray) -> bool:
    """Return whether a block permutes its entries in pairs, up to factors."""
    sources = np.argmax(np.abs(block), axis=1)
    return bool((np.count_nonzero(block, axis=1) == 1).all() and (sources[sources] == np.arange(len(block))).all())
