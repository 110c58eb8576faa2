"""Circuits of entangling blocks in real arithmetic, many at once: energies, minima, and where further blocks help."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qas_simulators.circuit import Circuit
from qas_simulators.errors import must, unknown_name
from qas_simulators.gates import gate_index
from qas_simulators.pauli import PauliSum
from qas_simulators.program import FloatArray, solve_each
from qas_simulators.real_arithmetic import insertion_slopes, real_program

Pair = tuple[int, int]
ENTANGLERS: Final = ("cx", "cz")
_TOGETHER: Final = 256  # circuits in one call of a kernel
_TOLERANCES: Final = 1e-6, 1e-8  # of L-BFGS: gradient, energy


@dataclass(frozen=True)
class BlockCircuit:
    """RY on every qubit, then blocks: an entangling gate on a pair of qubits and RY on both.

    Attributes:
        pairs: The qubits of each block; of CX, the control is first.
        angles: Of the first row, then two for each block, in radians, ``(num_qubits + 2 * blocks,)``.
    """

    pairs: tuple[Pair, ...]
    angles: FloatArray

    @property
    def num_qubits(self) -> int:
        """Number of qubits."""
        return len(self.angles) - 2 * len(self.pairs)

    def without(self, removed: Sequence[int]) -> BlockCircuit:
        """Return the circuit without the entanglers of some blocks; their rotations are added to earlier ones."""
        places = self._last_angles()
        angles = self.angles.copy()
        gone = {*removed}
        target = np.arange(len(angles))
        first = self.num_qubits
        for block in sorted(gone):
            for side in (0, 1):
                index = first + 2 * block + side
                target[index] = target[places[block][side]]
                angles[target[index]] += angles[index]
        kept = [k for k in range(len(self.pairs)) if k not in gone]
        own = [first + 2 * k + side for k in kept for side in (0, 1)]
        return BlockCircuit(tuple(self.pairs[k] for k in kept), angles[[*range(first), *own]])

    def with_block(self, place: int, pairs: Sequence[Pair], frame: Sequence[tuple[int, float]]) -> BlockCircuit:
        """Return the circuit with further blocks, whose angles are 0, between two sets of rotations.

        Args:
            place: Number of the block before which they are inserted.
            pairs: Their qubits.
            frame: Qubits, and angles by which they are turned before these blocks and turned back after them.
        """
        first, before = self.num_qubits, self._last_angles((*self.pairs[:place], *((q, q) for q, _ in frame)))
        angles = np.insert(self.angles, first + 2 * place, np.zeros(2 * len(pairs)))
        last = {
            qubit: first + 2 * (place + k) + side for k, pair in enumerate(pairs) for side, qubit in enumerate(pair)
        }
        for k, (qubit, angle) in enumerate(frame):
            angles[before[place + k][0]] += angle
            angles[last[qubit]] -= angle
        return BlockCircuit((*self.pairs[:place], *pairs, *self.pairs[place:]), angles)

    def moved(self, block: int, place: int) -> BlockCircuit:
        """Return the circuit with a block, and its angles, at another place."""
        order = [k for k in range(len(self.pairs)) if k != block]
        order.insert(place, block)
        return self.reordered(order)

    def reordered(self, order: Sequence[int]) -> BlockCircuit:
        """Return the circuit with its blocks, and their angles, in another order."""
        own = [self.num_qubits + 2 * k + side for k in order for side in (0, 1)]
        return BlockCircuit(tuple(self.pairs[k] for k in order), self.angles[[*range(self.num_qubits), *own]])

    def _last_angles(self, pairs: Sequence[Pair] | None = None) -> list[tuple[int, int]]:
        """Return, for each block, the indices of the angles that turn its qubits before it."""
        first, found = self.num_qubits, []
        last = list(range(first))
        for block, (a, b) in enumerate(self.pairs if pairs is None else pairs):
            found.append((last[a], last[b]))
            if a != b:
                last[a], last[b] = first + 2 * block, first + 2 * block + 1
        return found


class Minima(NamedTuple):
    """Circuits after an optimisation.

    Attributes:
        circuits: With their new angles.
        energies: In the Hamiltonian's unit, ``(B,)``.
    """

    circuits: list[BlockCircuit]
    energies: FloatArray


class Insertion(NamedTuple):
    """Blocks to insert, which together are the identity.

    Attributes:
        slope: Euclidean norm of the energy's derivatives by the angles between them, in energy per radian.
        before: The circuit without them.
        place: Number of the block before which they are inserted.
        pairs: Their qubits.
        frame: Qubits, and angles by which they are turned before these blocks and turned back after them.
    """

    slope: float
    before: BlockCircuit
    place: int
    pairs: tuple[Pair, ...]
    frame: tuple[tuple[int, float], ...]

    @property
    def circuit(self) -> BlockCircuit:
        """The circuit with the blocks."""
        return self.before.with_block(self.place, self.pairs, self.frame)


class BlockBench:
    """Evaluates and optimises circuits of blocks for one Hamiltonian, without noise.

    Args:
        hamiltonian: With a real matrix.
        entangler: ``"cx"`` or ``"cz"``.
        ways: The pairs on which blocks may act, in the order that the gate has them; all by default.

    Attributes:
        evaluations: Energies evaluated so far, as on hardware: two per derivative of an inserted block.

    Raises:
        ValueError: A Hamiltonian that is not real or has a preparation, an unknown entangler, or pairs outside the
            register.

    Examples:
        >>> bench = BlockBench(PauliSum({"XX": 1.0, "ZZ": 1.0}))
        >>> flat = BlockCircuit((), np.zeros(2))
        >>> best = max(bench.insertions(flat, [0]), key=lambda one: one.slope)
        >>> round(bench.minimize([BlockCircuit(((0, 1),), np.ones(4))], 100).energies.item(), 6)
        -2.0
    """

    def __init__(self, hamiltonian: PauliSum, entangler: str = "cx", ways: Sequence[Pair] | None = None) -> None:
        hamiltonian.require_no_preparation("blocks in real arithmetic")
        if not hamiltonian.is_real:
            raise ValueError(must("hamiltonian", "have a real matrix", hamiltonian))
        if entangler not in ENTANGLERS:
            raise ValueError(unknown_name("entangler", entangler, ENTANGLERS))
        self.num_qubits = hamiltonian.num_qubits
        self.ways = list(combinations(range(self.num_qubits), 2)) if ways is None else [*ways]
        if any(a == b or not {a, b} <= {*range(self.num_qubits)} for a, b in self.ways):
            raise ValueError(must("ways", f"be pairs of {self.num_qubits} qubits", self.ways))
        self.is_cx = entangler == "cx"
        self._entangler, self._turn = gate_index(entangler), gate_index("ry")
        self._hamiltonian, self._unit = hamiltonian.in_unit()
        self.evaluations = 0

    # -- energies ------------------------------------------------------------------------------------------------------

    def energies(self, circuits: Sequence[BlockCircuit]) -> FloatArray:
        """Return the energies ``(B,)`` at the circuits' own angles."""
        return self._solve(circuits, None)[1]

    def minimize(self, circuits: Sequence[BlockCircuit], max_iterations: int) -> Minima:
        """Minimise each circuit over all of its angles by L-BFGS."""
        return Minima(*self._solve(circuits, max_iterations))

    def _solve(
        self, circuits: Sequence[BlockCircuit], max_iterations: int | None
    ) -> tuple[list[BlockCircuit], FloatArray]:
        found: list[BlockCircuit] = []
        energies = np.empty(len(circuits))
        for begin in range(0, len(circuits), _TOGETHER):
            part = circuits[begin : begin + _TOGETHER]
            sizes = [(self.num_qubits + 3 * len(one.pairs), len(one.angles), len(one.angles), 1) for one in part]
            tables = np.full((len(part), max(size[0] for size in sizes), 4), (self._turn, 0, -1, -1), dtype=np.int32)
            params = np.zeros((len(part), max(size[1] for size in sizes)))
            for row, one in enumerate(part):
                tables[row, : sizes[row][0]] = self._table(one)
                params[row, : sizes[row][1]] = one.angles
            settings = None if max_iterations is None else (max_iterations, *_TOLERANCES)
            program, rows = real_program(tables, self._hamiltonian), np.arange(len(part))
            values, counts = solve_each(program, params, rows, np.array(sizes, dtype=np.int64), settings)
            energies[begin : begin + len(part)] = self._unit * values
            self.evaluations += int(counts[:, 0].sum())
            found += [BlockCircuit(one.pairs, params[row, : len(one.angles)]) for row, one in enumerate(part)]
        return found, energies

    def _table(self, circuit: BlockCircuit) -> NDArray[np.int32]:
        n, size = self.num_qubits, len(circuit.pairs)
        table = np.full((n + 3 * size, 4), -1, dtype=np.int32)
        table[:n, 0], table[:n, 1], table[:n, 3] = self._turn, np.arange(n), np.arange(n)
        if size:
            blocks, pairs = table[n:].reshape(size, 3, 4), np.array(circuit.pairs)
            blocks[:, 0, 0], blocks[:, 0, 1:3] = self._entangler, pairs
            blocks[:, 1:, 0], blocks[:, 1:, 1] = self._turn, pairs
            blocks[:, 1:, 3] = n + np.arange(2 * size).reshape(size, 2)
        return table

    def circuit(self, circuit: BlockCircuit) -> Circuit:
        """Return it as an ordinary circuit."""
        made = Circuit(self.num_qubits)
        for gate, first, second, param in self._table(circuit).tolist():
            made.append_row(gate, first, second, float(circuit.angles[param]) if param >= 0 else 0.0)
        return made

    # -- where blocks help ---------------------------------------------------------------------------------------------

    def insertions(self, circuit: BlockCircuit, places: Sequence[int]) -> list[Insertion]:
        """Return, for every pair of qubits and each place, two blocks to insert.

        Between two equal entanglers ``E``, RY on the first qubit is a rotation about ``Y P``, and RY on the second one
        about ``P' Y``, where ``P`` and ``P'`` are X or Z. Rotations around the blocks turn ``P`` and ``P'`` into the
        combinations of X and Z for which the derivatives are largest. Places at which the blocks would be the same
        circuit as at an earlier one are left out.

        Args:
            circuit: At its minimum, for derivatives that mean something.
            places: Numbers of blocks; their number for the end.
        """
        flips, signs = [], []
        for a, b in self.ways:
            for first, second in ((1 << a, 1 << b), (1 << b, 1 << a)):  # Y on the first, X or Z on the second
                flips += [first | second, first]
                signs += [first, first | second]
        ordered = sorted({*places}, reverse=True)
        slopes = self._slopes(circuit, ordered, flips, signs).reshape(len(ordered), len(self.ways), 4)
        found = []
        for row, place in zip(slopes, ordered, strict=True):
            before = {*circuit.pairs[place - 1]} if place else set()
            for (a, b), (yx, yz, xy, zy) in zip(self.ways, row.tolist(), strict=True):
                if place == 0 or before & {a, b}:
                    about_b = np.arctan2(yz, yx) if self.is_cx else np.arctan2(-yx, yz)
                    frame = (a, float(np.arctan2(-xy, zy))), (b, float(about_b))
                    slope = float(np.sqrt(yx**2 + yz**2 + xy**2 + zy**2))
                    found.append(Insertion(slope, circuit, place, ((a, b), (a, b)), frame))
        return found

    def quadruples(self, circuit: BlockCircuit, number: int) -> list[Insertion]:
        """Return six blocks on four qubits to append, for those with the steepest slopes of ``Y X X X``.

        They are three entanglers with a common qubit, RY on that, and the three again. In molecules these are the
        double excitations, which a closed shell needs first.

        Args:
            circuit: At its minimum.
            number: How many strings, each with Y on one of four qubits.
        """
        available = {frozenset(way): way for way in self.ways}
        quads = [(q, *rest) for four in combinations(range(self.num_qubits), 4) for q, rest in _centers(four)]
        quads = [quad for quad in quads if all(frozenset((quad[0], q)) in available for q in quad[1:])]
        if not quads:
            return []
        flips = [sum(1 << q for q in quad) for quad in quads]
        slopes = np.abs(self._slopes(circuit, [len(circuit.pairs)], flips, [1 << quad[0] for quad in quads])[0])
        found = []
        for k in np.argsort(-slopes, kind="stable")[:number].tolist():
            center, *others = quads[k]
            ways = [available[frozenset((center, q))] for q in others]
            turned = [q for q, way in zip(others, ways, strict=True) if not (self.is_cx and way[1] == q)]
            frame = tuple((q, -np.pi / 2) for q in turned)
            pairs = *ways, *reversed(ways)
            found.append(Insertion(float(slopes[k]), circuit, len(circuit.pairs), pairs, frame))
        return found

    def _slopes(
        self, circuit: BlockCircuit, places: Sequence[int], flips: Sequence[int], signs: Sequence[int]
    ) -> FloatArray:
        """Return derivatives by the angles of inserted strings, ``(places, strings)``."""
        gates = np.array([self.num_qubits + 3 * place for place in places], dtype=np.int64)
        whole = self.circuit(circuit)
        masks = np.array(flips, dtype=np.int64), np.array(signs, dtype=np.int64)
        _, slopes = insertion_slopes(whole, self._hamiltonian, gates, *masks)
        self.evaluations += 1 + 2 * slopes.size
        return self._unit * slopes


def _centers(four: tuple[int, ...]) -> list[tuple[int, tuple[int, ...]]]:
    return [(q, tuple(other for other in four if other != q)) for q in four]
