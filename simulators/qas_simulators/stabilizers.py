"""Stabiliser states and the Pauli strings that Clifford circuits make of others.

Many strings are kept as bit slices: for every qubit one Python integer with the bits of all strings, so that a gate
costs a few operations on integers, however many strings there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import NamedTuple, Self

import numpy as np

from qas_simulators.circuit import Circuit
from qas_simulators.errors import must
from qas_simulators.flat_circuit import MAX_QUBITS
from qas_simulators.gates import GATES, PAULI_MATRICES, ComplexMatrix
from qas_simulators.pauli import PauliSum

String = tuple[int, int, int]
"""``(-1)**sign`` times a Hermitian Pauli string with the masks ``x`` and ``z``: ``(x, z, sign)``."""

_ROUNDING = 1e-9


class _Rules(NamedTuple):
    """How a Clifford gate changes strings, bits of its qubits in the order x0, z0, x1, z1.

    ``bits[k]`` are the old bits whose parity is the new bit ``k``. The sign flips once for every tuple in ``flips``
    all of whose old bits are 1.
    """

    bits: tuple[tuple[int, ...], ...]
    flips: tuple[tuple[int, ...], ...]


@cache
def is_clifford(gate: int) -> bool:
    """Return whether a gate of the table maps Pauli strings to Pauli strings; rotations do not at most angles."""
    return GATES[gate].axis is None and _rules(gate, False) is not None


class PauliSlices:
    """Pauli strings that Clifford gates act on.

    Args:
        num_qubits: Size of the register.
        strings: The strings, which may be any Hermitian ones.
    """

    def __init__(self, num_qubits: int, strings: Iterable[String]) -> None:
        self._bits = [0] * (2 * num_qubits)  # x and z of qubit 0, then of qubit 1, ...
        self.signs = 0
        self.size = 0
        for x, z, sign in strings:
            for offset, mask in ((0, x), (1, z)):
                while mask:
                    qubit = (mask & -mask).bit_length() - 1
                    mask &= mask - 1
                    self._bits[2 * qubit + offset] |= 1 << self.size
            self.signs |= sign << self.size
            self.size += 1

    def conjugate(self, circuit: Circuit, back: bool = False) -> None:
        """Replace each string ``P`` by ``U P U^dagger`` for the circuit ``U``, or with ``back`` by ``U^dagger P U``.

        Raises:
            ValueError: A gate is no Clifford gate.
        """
        bits, signs = self._bits, self.signs
        rows = circuit.table[:, :3].tolist()
        for gate, qubit0, qubit1 in reversed(rows) if back else rows:
            rules = _rules(gate, back) if GATES[gate].axis is None else None
            if rules is None:
                raise ValueError(must("circuit", "have Clifford gates only", GATES[gate].name))
            places = (2 * qubit0, 2 * qubit0 + 1, 2 * qubit1, 2 * qubit1 + 1)
            old = [bits[place] for place in places[: len(rules.bits)]]
            for flip in rules.flips:
                both = old[flip[0]]
                for k in flip[1:]:
                    both &= old[k]
                signs ^= both
            for place, sources in zip(places, rules.bits, strict=False):
                new = old[sources[0]]
                for k in sources[1:]:
                    new ^= old[k]
                bits[place] = new
        self.signs = signs

    def copy(self) -> PauliSlices:
        """Return an independent copy."""
        twin = PauliSlices(0, ())
        twin._bits, twin.signs, twin.size = self._bits.copy(), self.signs, self.size
        return twin

    @property
    def flipping(self) -> int:
        """The strings that flip some bit, as a mask: their mean in a basis state is 0."""
        found = 0
        for bits in self._bits[::2]:
            found |= bits
        return found

    def strings(self) -> list[String]:
        """Return the strings."""
        found = []
        for k in range(self.size):
            x = sum(1 << qubit for qubit, bits in enumerate(self._bits[::2]) if bits >> k & 1)
            z = sum(1 << qubit for qubit, bits in enumerate(self._bits[1::2]) if bits >> k & 1)
            found.append((x, z, self.signs >> k & 1))
        return found


class StabilizerState:
    """A state that is the only one with the value 1 for ``n`` independent Pauli strings with signs, its generators.

    Two states are equal if their canonical generators are: the reduced row echelon form over the bits x of the qubits
    0 to ``n - 1``, then over the bits z.

    Args:
        num_qubits: Size of the register.
        strings: Generators as masks.

    Raises:
        ValueError: Strings that do not commute, depend on each other, or are not ``num_qubits`` many.

    References:
        S. Aaronson, D. Gottesman: Improved simulation of stabilizer circuits, quant-ph/0406196.
        H. J. Garcia, I. L. Markov, A. W. Cross: On the geometry of stabilizer states, arXiv:1711.07848 (the form).

    Examples:
        >>> bell = StabilizerState.of_circuit(Circuit(2).h(0).cx(0, 1))
        >>> bell.labels(), bell == StabilizerState.from_labels(["XX", "-YY"])
        (['+XX', '+ZZ'], True)
        >>> bell.overlap(StabilizerState.from_labels(["ZI", "IZ"]))
        0.5
    """

    def __init__(self, num_qubits: int, strings: Iterable[String]) -> None:
        rows = list(strings)
        if len(rows) != num_qubits:
            raise ValueError(must("generators", f"be {num_qubits} strings, one for each qubit", len(rows)))
        for k, (x, z, _) in enumerate(rows):
            if any(((x & other[1]).bit_count() ^ (z & other[0]).bit_count()) & 1 for other in rows[:k]):
                raise ValueError(must("generators", "commute", _label((x, z, 0), num_qubits)))
        self.num_qubits = num_qubits
        self.strings: tuple[String, ...] = tuple(_echelon(rows, num_qubits))
        if (0, 0) in {string[:2] for string in self.strings}:
            raise ValueError(must("generators", "be independent", [_label(row, num_qubits) for row in rows][:4]))

    @classmethod
    def from_labels(cls, labels: Sequence[str]) -> Self:
        """Return the state of generators such as ``"+XX"``, ``"-YY"`` or ``"ZI"``; the last letter is qubit 0.

        Raises:
            ValueError: As for the class; labels of different lengths, or with other letters.
        """
        if isinstance(labels, str) or not labels or not all(isinstance(label, str) for label in labels):
            raise ValueError(must("generators", 'be a list such as ["+XX", "+ZZ"]', labels))
        size = len(labels[0].lstrip("+-"))
        strings = []
        for label in labels:
            letters = label[1:] if label[:1] in ("+", "-") else label
            if len(letters) != size or not letters or set(letters) - set("IXYZ") or size > MAX_QUBITS:
                raise ValueError(must("generators", f"have {size} letters I, X, Y, Z, after a sign", label))
            x = sum(1 << k for k, letter in enumerate(reversed(letters)) if letter in "XY")
            z = sum(1 << k for k, letter in enumerate(reversed(letters)) if letter in "YZ")
            strings.append((x, z, int(label[0] == "-")))
        return cls(size, strings)

    @classmethod
    def of_circuit(cls, circuit: Circuit) -> Self:
        """Return the state that a Clifford circuit prepares.

        Raises:
            ValueError: A gate is no Clifford gate.
        """
        slices = PauliSlices(circuit.num_qubits, [(0, 1 << qubit, 0) for qubit in range(circuit.num_qubits)])
        slices.conjugate(circuit)
        return cls(circuit.num_qubits, slices.strings())

    def labels(self) -> list[str]:
        """Return the canonical generators."""
        return [_label(string, self.num_qubits) for string in self.strings]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, StabilizerState):
            return NotImplemented
        return self.num_qubits == other.num_qubits and self.strings == other.strings

    def __hash__(self) -> int:
        return hash((self.num_qubits, self.strings))

    def __repr__(self) -> str:
        return f"<StabilizerState: {self.num_qubits} qubits, {', '.join(self.labels()[:4])}, ...>"

    def common_rank(self, other: StabilizerState) -> int:
        """Return the number of independent strings, up to signs, that stabilise both states."""
        size = 2 * self.num_qubits
        rows = [_bits(string, self.num_qubits) for string in (*self.strings, *other.strings)]
        return size - _rank(rows)

    def overlap(self, other: StabilizerState) -> float:
        """Return the fidelity ``|<self|other>|**2``: 0, or a power of 1/2.

        It is ``2**(common_rank - n)``, unless a common string has opposite signs.
        """
        slices = PauliSlices(self.num_qubits, other.strings)
        slices.conjugate(graph_form(self).circuit, back=True)  # now the overlap with |0...0>
        rows = _echelon(slices.strings(), self.num_qubits)
        diagonal = [row for row in rows if row[0] == 0]
        return 0.0 if any(sign for _, _, sign in diagonal) else 2.0 ** (len(diagonal) - self.num_qubits)

    def observable(self) -> PauliSum:
        """Return the mean number of violated generators, the sum of ``(1 - g_k) / 2`` over the canonical ones.

        Its eigenvalues are 0, for this state only, to ``n``. Another stabiliser state has a multiple of 1/2.
        """
        x, z, signs = zip((0, 0, 0), *self.strings, strict=True)
        weights = [0.5 * self.num_qubits, *(-0.5 + sign for sign in signs[1:])]
        return PauliSum.from_masks(self.num_qubits, x, z, weights)


class GraphForm(NamedTuple):
    """A graph state that becomes a stabiliser state by Clifford gates on single qubits.

    Attributes:
        edges: Pairs of qubits, ``i < j``.
        circuit: Prepares the stabiliser state: H on all qubits, CZ on every edge, then gates on single qubits.
    """

    edges: tuple[tuple[int, int], ...]
    circuit: Circuit


def graph_form(state: StabilizerState) -> GraphForm:
    """Return a graph state that a stabiliser state is up to local Clifford gates, with a circuit of one CZ per edge.

    Every stabiliser state has such graphs (M. Van den Nest, J. Dehaene, B. De Moor, quant-ph/0308151). This one follows
    from the canonical generators; others may have fewer edges.

    Examples:
        >>> graph_form(StabilizerState.from_labels(["XXX", "ZZI", "IZZ"])).edges
        ((0, 1), (0, 2))
    """
    size = state.num_qubits
    pivots = {(x & -x).bit_length() - 1 for x, _, _ in state.strings if x}
    turned = [qubit for qubit in range(size) if qubit not in pivots]
    after = Circuit(size)
    for qubit in turned:
        after.h(qubit)
    slices = PauliSlices(size, state.strings)
    slices.conjugate(after)
    rows = _echelon(slices.strings(), size)
    edges = tuple((i, j) for i, (_, z, _) in enumerate(rows) for j in range(i + 1, size) if z >> j & 1)
    circuit = Circuit(size)
    for qubit in range(size):
        circuit.h(qubit)
    for edge in edges:
        circuit.cz(*edge)
    for qubit, (_, z, sign) in enumerate(rows):
        if z >> qubit & 1:
            circuit.append("sdg" if sign else "s", (qubit,))
        elif sign:
            circuit.z(qubit)
    for qubit in turned:
        circuit.h(qubit)
    return GraphForm(edges, circuit)


def slices_of(observable: PauliSum) -> PauliSlices:
    """Return the strings of an observable in the order of its coefficients; the slices are the caller's own."""
    if observable._slices is None:
        strings = zip(observable.x.tolist(), observable.z.tolist(), [0] * len(observable), strict=True)
        observable._slices = PauliSlices(observable.num_qubits, strings)
    slices: PauliSlices = observable._slices
    return slices.copy()


# -- strings -----------------------------------------------------------------------------------------------------------


def _product(first: String, second: String) -> String:
    """Return the product of two commuting strings."""
    x, z = first[0] ^ second[0], first[1] ^ second[1]
    power = (first[0] & first[1]).bit_count() + (second[0] & second[1]).bit_count() - (x & z).bit_count()
    power += 2 * (first[1] & second[0]).bit_count()
    return x, z, first[2] ^ second[2] ^ (power >> 1 & 1)


def _echelon(strings: Sequence[String], num_qubits: int) -> list[String]:
    """Return the reduced row echelon form of commuting strings: over the bits x, then over the bits z."""
    rows, place = list(strings), 0
    for part in (0, 1):
        for qubit in range(num_qubits):
            found = next((k for k in range(place, len(rows)) if rows[k][part] >> qubit & 1), None)
            if found is None:
                continue
            rows[place], rows[found] = rows[found], rows[place]
            pivot = rows[place]
            for k, row in enumerate(rows):
                if k != place and row[part] >> qubit & 1:
                    rows[k] = _product(row, pivot)
            place += 1
    return rows


def _bits(string: String, num_qubits: int) -> int:
    return string[0] | string[1] << num_qubits


def _rank(rows: Iterable[int]) -> int:
    """Return the rank of binary vectors."""
    pivots: dict[int, int] = {}
    for row in rows:
        while row:
            lead = row.bit_length()
            if lead not in pivots:
                pivots[lead] = row
                break
            row ^= pivots[lead]
    return len(pivots)


def _label(string: String, num_qubits: int) -> str:
    x, z, sign = string
    letters = ("IXZY"[(x >> qubit & 1) + 2 * (z >> qubit & 1)] for qubit in reversed(range(num_qubits)))
    return ("-" if sign else "+") + "".join(letters)


# -- gates -------------------------------------------------------------------------------------------------------------


@cache
def _rules(gate: int, back: bool) -> _Rules | None:
    """Return what a gate of the table does to strings, or ``None`` if it is no Clifford gate."""
    matrix, size = GATES[gate].matrix(), GATES[gate].num_qubits
    turn = matrix.conj().T if back else matrix
    strings = [_matrix(code, size) for code in range(4**size)]
    images, signs = [], []
    for string in strings:
        turned = turn @ string @ turn.conj().T
        overlaps = np.array([np.trace(other @ turned).real / 2**size for other in strings])
        image = int(np.argmax(np.abs(overlaps)))
        if abs(abs(overlaps[image]) - 1.0) > _ROUNDING:
            return None
        images.append(image)
        signs.append(overlaps[image] < 0)
    bits = tuple(tuple(k for k in range(2 * size) if images[1 << k] >> bit & 1) for bit in range(2 * size))
    return _Rules(bits, _monomials(signs, 2 * size))


def _matrix(code: int, num_qubits: int) -> ComplexMatrix:
    """Return the matrix of a string whose bits x0, z0, x1, z1 are those of ``code``."""
    matrix = PAULI_MATRICES["IXZY"[code & 3]]
    if num_qubits == 2:
        matrix = np.asarray(np.kron(PAULI_MATRICES["IXZY"[code >> 2]], matrix), dtype=np.complex128)
    return matrix


def _monomials(values: Sequence[bool], num_bits: int) -> tuple[tuple[int, ...], ...]:
    """Return the monomials whose sum modulo 2 is a function of bits, given by its values (Moebius transform)."""
    sums = [int(value) for value in values]
    for bit in range(num_bits):
        for k in range(len(sums)):
            if k >> bit & 1:
                sums[k] ^= sums[k ^ 1 << bit]
    return tuple(tuple(bit for bit in range(num_bits) if k >> bit & 1) for k, one in enumerate(sums) if one)
