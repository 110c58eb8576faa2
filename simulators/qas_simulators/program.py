"""The only door to the kernels: flat programs, and the functions that run them.

A circuit is flat already; here it meets the gate table's matrices, the noise and the observable.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from itertools import permutations
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qas_simulators.channels import ptm_of_kraus
from qas_simulators.circuit import Circuit, Table
from qas_simulators.gates import GATES, Gate, gate_index
from qas_simulators.kernels import entries, lanes, pauli_plan, statevector
from qas_simulators.kernels.compile import cache_directory as cache_directory
from qas_simulators.noise import NoiseModel
from qas_simulators.pauli import PauliSum

FloatArray = NDArray[np.float64]
Settings = tuple[int, float, float]
"""L-BFGS iterations, gradient tolerance and energy tolerance."""

ENERGY, GRADIENT, SCAN = range(3)
_NO_DESCENT: Final = (0, 0.0, 0.0)
_ONLY: Final = np.zeros(1, dtype=np.int64)


Links = tuple[NDArray[np.int64], FloatArray, FloatArray]
"""Source, factor and offset of every rotation; empty where every rotation is a parameter of its own."""

_UNLINKED: Final[Links] = np.empty(0, dtype=np.int64), np.empty(0), np.empty(0)
_UNUSED: Final[Links] = np.full(1, -1, dtype=np.int64), np.zeros(1), np.zeros(1)  # parameters that turn no gate


def links_of(circuit: Circuit) -> Links:
    """Return a circuit's links as the kernels read them."""
    if not circuit.is_linked or circuit.num_params + circuit.num_rotations == 0:
        return _UNLINKED
    if circuit.num_rotations == 0:
        return _UNUSED
    sources, factors, offsets = zip(*circuit.links, strict=True)
    return np.array(sources, dtype=np.int64), np.array(factors), np.array(offsets)


class Program(NamedTuple):
    """Circuits of one register, and everything else that their kernel needs to know.

    Links are those of the one circuit there is; where there are more, none has any.
    """

    solve: Callable[..., None]  # the kernel
    tables: NDArray[np.int32]  # (circuits, num_gates or more, 4)
    constants: tuple[NDArray[Any], ...]
    dtype: type  # of a state's entries
    size: int  # how many entries a state has
    vectors: tuple[int, int, int]  # states for which an energy, a gradient and a scan need memory
    links: Links = _UNLINKED


_ROTATIONS: Final = {"X": 0, "Y": 1, "Z": 2}  # both kernel modules number RX, RY, RZ so
_PAIRS: Final = {"XX": statevector.RXX, "YY": statevector.RYY, "ZZ": statevector.RZZ}
_SPECIAL: Final = {"cx": statevector.CX, "cz": statevector.CZ, "swap": statevector.SWAP}


def _statevector_tables() -> tuple[NDArray[np.int64], NDArray[np.complex128]]:
    kinds = np.empty(len(GATES), dtype=np.int64)
    matrices = np.zeros((len(GATES), 4, 4), dtype=np.complex128)
    for row, gate in enumerate(GATES):
        if gate.axis is not None:
            kinds[row] = statevector.PHASE if gate.is_phase else (_ROTATIONS | _PAIRS)[gate.axis]
            continue
        kinds[row] = _SPECIAL.get(gate.name, statevector.MATRIX1 if gate.num_qubits == 1 else statevector.MATRIX2)
        size = 2**gate.num_qubits
        matrices[row, :size, :size] = gate.matrix()
    return kinds, matrices


STATEVECTOR_KINDS, STATEVECTOR_MATRICES = _statevector_tables()


def statevector_program(tables: Table, observable: PauliSum, links: Links = _UNLINKED) -> Program:
    """Join circuits, ``(circuits, num_gates or more, 4)``, and an observable on the same number of qubits."""
    flips, diagonals = observable.grouped()
    constants = STATEVECTOR_KINDS, STATEVECTOR_MATRICES, flips, diagonals
    return Program(entries.solve_statevector, tables, constants, np.complex128, diagonals.shape[1], (2, 2, 3), links)


_CX: Final = GATES[gate_index("cx")].matrix()
_CY: Final = np.array([[1, 0, 0, 0], [0, 0, 0, -1j], [0, 0, 1, 0], [0, 1j, 0, 0]])
_EXCHANGES: Final = {"XX": (_CX, 0, 0), "YY": (_CY, 0, 1), "ZZ": (_CX, 1, 2)}  # gate, qubit and kind of the rotation


class NoiseTables:
    """Every gate of the table on every choice of qubits, with its noise, for one register size.

    One-qubit gates come with their noise. A two-qubit gate of ours exchanges the 16 entries of its qubits. With Pauli
    noise and relaxation on both it still does, but for what relaxation adds to Z from I: that becomes a block on each
    qubit (``after``), fused with the one-qubit gates that follow. Any other noise makes a 16 x 16 block.

    A two-qubit rotation is an exchange that turns its Pauli string into that of one qubit, the rotation of that qubit,
    and the exchange again, now with the noise. ``turns`` has for every gate: which of its qubits is rotated, or -1; the
    kind of that rotation; the rows of the exchange and of a block that is 1.
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
        self.kinds[row] = pauli_plan.FIXED1 if gate.axis is None else _ROTATIONS[gate.axis]
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
        self.kinds[row] = pauli_plan.EXCHANGE2 if exchanges else pauli_plan.BLOCK2
        for pair in pairs:
            place = row, pair[0], pair[1] + 1
            self.channels[place] = _row_of((rest if exchanges else whole)[pair], self._rows2)
            for k in range(2):
                if exchanges and shifts[pair][k] != 0.0:
                    self.after[(*place, k)] = _row_of(_shift(shifts[pair][k]), self._rows1)

    def is_stable(self, circuit: Circuit) -> bool:
        """Tell whether the inverses of all gates with their noise amplify rounding errors little enough to be used."""
        names, qubit0, qubit1 = circuit.table[:, :3].T
        rows = self.channels[names, qubit0, qubit1 + 1]
        is_two_qubit = self.kinds[names] >= pauli_plan.EXCHANGE2
        after = self.after[names, qubit0, qubit1 + 1]
        growth = self.growth2[rows[is_two_qubit]].sum() + self.growth1[rows[~is_two_qubit]].sum()
        return bool(growth + self.growth1[after[after >= 0]].sum() <= pauli_plan.MAX_GROWTH)

    def program(self, tables: Table, observable: PauliSum, links: Links = _UNLINKED) -> Program:
        """Join circuits, ``(circuits, num_gates or more, 4)``, this noise and an observable."""
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
        return Program(entries.solve_pauli_transfer, tables, constants, np.float64, size, (1, 2, 2), links)


class Swaps:
    """16 x 16 blocks as damped and signed exchanges, in the forms the kernels want; rows that are none mean nothing.

    With ``out[p] = factors[p] * in[sources[p]]``, and ``sources`` its own inverse, there are four ways to go: forwards,
    transposed, and both of the inverse.

    Attributes:
        places: ``(rows, 17, 2)``: how many exchanges there are, then the two entries of each.
        factors: ``(rows, 4, 16, 2)``: by way, what is multiplied to the two entries of each exchange.
        pair_places: ``(rows, 2, 7)`` where one of the qubits, number 0 or 1 of the gate, is among the two lowest of the
            register. First whether this form exists; then twice three numbers: the two digits of the high qubit whose
            vectors mix, and the mask that permutes the digits of the low one.
        pair_factors: ``(rows, 2, 4, 2, 16)``: by low qubit, way and pair of digits, four times four factors: of the
            first vector, of the second; then of the second, of the first.
        inner_masks: ``(rows, 2)`` where the qubits are the two lowest, by the lowest's number: which of ``INNER_MASKS``
            permute the 16 entries in the terms of a sum, or -1.
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
        for number, terms in enumerate(lanes.INNER_MASKS):
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
    """Return the noise of a gate; nothing where it is refused, since no circuit with it comes as far as this."""
    if noise.reason_against(gate.name, qubits) is not None:
        return np.eye(4 ** len(qubits))
    return noise.transfer_matrix(gate.name, qubits)


def _shift(amount: float) -> FloatArray:
    """Return the block that adds so much of I to Z."""
    block = np.eye(4)
    block[3, 0] = amount
    return block


def _row_of(block: FloatArray, rows: dict[bytes, int]) -> int:
    """Return the row of a block among the distinct ones, adding it if it is new."""
    return rows.setdefault(np.ascontiguousarray(block + 0.0).tobytes(), len(rows))


def _inverses(blocks: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return the logarithms of the inverses' norms, infinite where there is none, and the inverses or zeros."""
    left, values, right = np.linalg.svd(blocks)
    with np.errstate(divide="ignore"):
        growth = np.maximum(0.0, -np.log(values[:, -1]))
    reciprocals = np.where(np.isfinite(growth)[:, None], 1.0 / np.maximum(values, 1e-300), 0.0)
    return growth, np.einsum("rji,rj,rkj->rik", right, reciprocals, left)


def _is_exchange(block: FloatArray) -> bool:
    """Tell whether each entry goes to one place and what is there comes back."""
    sources = np.argmax(np.abs(block), axis=1)
    return bool((np.count_nonzero(block, axis=1) == 1).all() and (sources[sources] == np.arange(len(block))).all())


class _Memory(threading.local):
    """The working memory of this thread's last program, because fresh pages cost more than a small simulation."""

    def __init__(self) -> None:
        self.bytes = np.empty(0, dtype=np.uint8)

    def array(self, dtype: type, size: int) -> NDArray[Any]:
        """Return ``size`` entries that the next call may overwrite."""
        needed = size * np.dtype(dtype).itemsize
        if needed > _KEPT:
            return np.empty(size, dtype=dtype)
        if needed > self.bytes.size:
            self.bytes = np.empty(needed, dtype=np.uint8)
        return self.bytes[:needed].view(dtype)


_KEPT: Final = 2**26  # bytes
_MEMORY = _Memory()


def _solve(program: Program, task: int, *arguments: Any) -> NDArray[Any]:
    """Run the kernel of a program; return its memory."""
    memory = _MEMORY.array(program.dtype, program.vectors[task] * program.size)
    program.solve(program.tables, *program.constants, memory, program.links, *arguments)
    return memory


def _solve_one(
    program: Program, task: int, params_batch: FloatArray, gradients: FloatArray, first: int, settings: Settings
) -> tuple[NDArray[Any], FloatArray, NDArray[np.int64]]:
    """Run the kernel for the one circuit of a program; return its memory, the energies and the counts."""
    energies = np.empty(len(params_batch))
    counts = np.array([[program.tables.shape[1], params_batch.shape[1], first, len(params_batch)]])
    cursor = np.zeros(1, dtype=np.int64)
    memory = _solve(program, task, cursor, _ONLY, (params_batch, gradients, energies), counts, settings)
    return memory, energies, counts


@cache
def thread_pool(num_threads: int) -> ThreadPoolExecutor:
    """Return the threads that run kernels side by side; kernels hold no lock."""
    return ThreadPoolExecutor(num_threads, "qas-kernel")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=thread_pool.cache_clear)  # a child has none of its parent's threads


_WORTH_A_THREAD: Final = 2**22  # entries touched, some hundred microseconds: handing work over costs about a hundred


def _entries_touched(program: Program) -> int:
    per_amplitude = 4 if program.dtype is np.complex128 else 1
    return per_amplitude * program.size * int(program.tables.shape[1])


def evaluate(program: Program, params_batch: FloatArray, gradients: FloatArray, num_threads: int = 1) -> FloatArray:
    """Return the energies ``(B,)`` of ``params_batch`` ``(B, num_params)``, rows shared out to threads.

    ``gradients`` is filled if its shape is ``(B, num_params)`` and left alone if it is ``(0, num_params)``.
    """

    def part(rows: slice) -> FloatArray:
        task = GRADIENT if len(gradients) else ENERGY
        return _solve_one(program, task, params_batch[rows], gradients[rows], params_batch.shape[1], _NO_DESCENT)[1]

    size = -(-len(params_batch) // num_threads)
    if num_threads == 1 or len(params_batch) * _entries_touched(program) < _WORTH_A_THREAD:
        return part(slice(None))
    rows = [slice(start, start + size) for start in range(0, len(params_batch), size)]
    others = [thread_pool(num_threads).submit(part, others) for others in rows[1:]]
    return np.concatenate([part(rows[0]), *(other.result() for other in others)])


_SAMPLES: Final = 8, 64  # of a period: at least, at most


def turn_to_minimum(here: float, up: float, down: float) -> tuple[float, float]:
    """Return by how much to turn, in radians, to the minimum of a sinusoid, and its value there.

    Args:
        here: Its value.
        up: That a quarter of a period further.
        down: That a quarter of a period before.
    """
    middle = 0.5 * (up + down)
    sine, cosine = 0.5 * (up - down), here - middle
    amplitude = float(np.hypot(sine, cosine))
    if amplitude <= 1e-12:
        return 0.0, here
    return float(np.arctan2(-sine, -cosine)), middle - amplitude


def _sample(program: Program, params: FloatArray, first: int) -> int:
    """Move each parameter from index ``first`` on to the minimum of its sinusoid, or the best point of its period.

    In a shared angle an energy is a sum of sinusoids, up to the frequency that is the sum of its factors; there are
    four points to that one's period.

    Returns:
        How many energies were evaluated.
    """
    sources, factors, _ = program.links
    evaluations = 0
    for k in range(first, len(params)):
        own = np.abs(factors[sources == k])
        own = own[own > 0]
        if own.size == 0:
            continue  # of no rotation
        if own.size == 1:
            points = np.tile(params, (3, 1))
            points[:, k] += 0.5 * np.pi / own[0] * np.array([0.0, 1.0, -1.0])
            params[k] += turn_to_minimum(*evaluate(program, points, points[:0]))[0] / own[0]
            evaluations += 3
            continue
        low, high = _SAMPLES
        number = int(min(high, max(low, np.ceil(4.0 * own.sum() / own.min()))))
        points = np.tile(params, (number, 1))
        points[:, k] += 2.0 * np.pi / own.min() / number * np.arange(number)
        evaluations += number
        energies = evaluate(program, points, points[:0])
        best = int(np.argmin(np.round(energies, 12)))  # the first of equals, so that symmetry does not shift angles
        params[k] = points[best, k]
    return evaluations


def sweep(program: Program, params: FloatArray, first: int = 0) -> float:
    """Move each angle from index ``first`` on to the exact minimum of its sinusoid, in place; return the energy."""
    batch = params[None, :]
    return float(_solve_one(program, SCAN, batch, batch[:0], first, _NO_DESCENT)[1][0])


def minimize(program: Program, params: FloatArray, first: int, settings: Settings) -> tuple[float, int, int]:
    """Scan the angles from index ``first`` on, then run L-BFGS on all, changing ``params`` in place.

    Returns:
        Energy, number of evaluations (energies and gradients), number of gradients among them.
    """
    batch, sampled = params[None, :], 0
    if len(program.links[0]) > 0 and first < len(params):
        first, sampled = len(params), _sample(program, params, first)
    _, energies, counts = _solve_one(program, SCAN, batch, batch[:0], first, settings)
    return float(energies[0]), int(counts[0, 1]) + sampled, int(counts[0, 2])


def minimize_each(
    program: Program,
    params: FloatArray,
    rows: NDArray[np.int64],
    counts: NDArray[np.int64],
    settings: Settings,
    num_threads: int = 1,
) -> tuple[FloatArray, NDArray[np.int64]]:
    """Do what :func:`minimize` does for circuits ``rows`` of a program.

    Args:
        program: The circuits.
        params: Their angles, ``(circuits, at least num_params)``, changed in place.
        rows: Which circuits.
        counts: Number of gates, number of angles, the first angle to scan and 1 for each of them, ``(rows, 4)``; it is
            overwritten.
        settings: As in :func:`minimize`; no iterations for energies alone.
        num_threads: Threads that share the circuits.

    Returns:
        Energies ``(rows,)``, evaluations and gradients ``(rows, 2)``.
    """
    energies = np.empty(len(params))
    arguments = np.zeros(1, dtype=np.int64), rows, (params, params[:0], energies), counts, settings
    others = [thread_pool(num_threads).submit(_solve, program, SCAN, *arguments) for _ in range(1, num_threads)]
    try:
        _solve(program, SCAN, *arguments)
    finally:
        wait(others)  # also after an interruption: until then they change angles
    for other in others:
        other.result()
    return energies[rows], counts[:, 1:3]


def pulled_back(program: Program, params: FloatArray) -> FloatArray:
    """Return the observable in the Heisenberg picture, pulled back through all gates: its coefficients ``(4**n,)``."""
    batch = params[None, :]
    memory, *_ = _solve_one(program, GRADIENT, batch, np.empty_like(batch), len(params), _NO_DESCENT)
    return memory[program.size :].copy()


def final_state(program: Program, params: FloatArray) -> NDArray[Any]:
    """Return the statevector ``(2**n,)`` or the Pauli vector ``(4**n,)`` the program prepares."""
    batch = params[None, :]
    memory, *_ = _solve_one(program, ENERGY, batch, batch[:0], len(params), _NO_DESCENT)
    return memory[: program.size].copy()
