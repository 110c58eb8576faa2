"""Exhaustive skeleton search: the smallest number of two-qubit gates for a given error.

A skeleton is a sequence of pairs of qubits on which CZ gates act. The single-qubit gates between them are arbitrary, so
that the lowest energy of a skeleton is a lower bound for all circuits with CX or CZ gates on the same pairs. With
:func:`block_circuits` only the single-qubit gates of blocks are between them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice, permutations

import numpy as np

from qas_simulators import Circuit, CircuitBatch, PauliSum, StatevectorSimulator
from qas_simulators.errors import must
from qas_simulators.gates import GATES, gate_index
from qas_simulators.optimizers import ScanLBFGS
from qas_simulators.optimizers.scan_lbfgs import turned

Pair = tuple[int, int]
Skeleton = tuple[Pair, ...]
CircuitOf = Callable[[int, Skeleton], Circuit]
"""Returns the circuit of a skeleton on a number of qubits; its angles are replaced."""

_MOST_QUBITS_FOR_SYMMETRIES = 7
_TOGETHER = 16  # skeletons in one call of a kernel


@dataclass(frozen=True)
class Floor:
    """Lowest energy found with some number of two-qubit gates.

    Attributes:
        two_qubit_gates: Number of two-qubit gates.
        energy: The lowest energy found: an upper bound of the true floor, since angles are searched from random starts.
        circuit: A circuit with this energy.
        skeletons: Number of skeletons tried.
        evaluations: Energy evaluations spent on them, most with gradients.
    """

    two_qubit_gates: int
    energy: float
    circuit: Circuit
    skeletons: int
    evaluations: int


def skeleton_floors(
    hamiltonian: PauliSum,
    max_two_qubit_gates: int,
    *,
    couplings: Collection[Pair] | None = None,
    starts: int = 4,
    seed: int = 0,
    enough: float = -np.inf,
    should_stop: Callable[[], bool] = lambda: False,
    circuit_of: CircuitOf | None = None,
) -> Iterator[Floor]:
    """Yield the floor of 0, 1, ... ``max_two_qubit_gates`` gates, trying every skeleton from several random angles.

    It ends earlier where more gates prepare no other states: after one gate on two qubits.

    Args:
        hamiltonian: The operator whose energy is minimised.
        max_two_qubit_gates: Length of the longest skeletons.
        couplings: Pairs that may be coupled, in any order of their qubits; all by default.
        starts: Random starts per skeleton.
        seed: Seeds the random starts.
        enough: End a length, and the search, at the first energy below this.
        should_stop: Called after every skeleton; if true, the search ends without the unfinished floor.
        circuit_of: Returns the circuit of a skeleton; by default :func:`dressed`, with any one-qubit gates.

    Raises:
        ValueError: Negative number of gates, no starts, or invalid pairs.
    """
    if max_two_qubit_gates < 0:
        raise ValueError(must("max_two_qubit_gates", "not be negative", max_two_qubit_gates))
    if starts < 1:
        raise ValueError(must("starts", "be at least 1", starts))
    for length in range(max_two_qubit_gates + 1):
        numbered = enumerate(distinct_skeletons(hamiltonian, length, couplings))
        floor = best_of(hamiltonian, length, numbered, starts, seed, enough, should_stop, circuit_of)
        if floor is None or floor.skeletons == 0:
            return
        yield floor
        if floor.energy < enough:
            return


def distinct_skeletons(
    hamiltonian: PauliSum, length: int, couplings: Collection[Pair] | None = None
) -> Iterator[Skeleton]:
    """Yield the skeletons of a length that are not equivalent for a Hamiltonian, always in the same order.

    Args:
        hamiltonian: Skeletons that its qubit permutation symmetries map to each other are equivalent.
        length: Number of two-qubit gates.
        couplings: Pairs that may be coupled, in any order of their qubits; all by default.

    Examples:
        >>> chain = PauliSum({"ZZI": -1.0, "IZZ": -1.0, "XII": -1.0, "IXI": -1.0, "IIX": -1.0})
        >>> list(distinct_skeletons(chain, 1))  # (1, 2) is (0, 1) read from the other end
        [((0, 1),), ((0, 2),)]
    """
    n, starts_empty = hamiltonian.circuit_qubits, hamiltonian.preparation is None
    pairs = _pairs(couplings, n)
    symmetries = _symmetries(hamiltonian, pairs) if starts_empty else []
    yield from skeletons(n, pairs, length, symmetries, starts_empty)


def best_of(
    hamiltonian: PauliSum,
    length: int,
    numbered: Iterable[tuple[int, Skeleton]],
    starts: int = 4,
    seed: int = 0,
    enough: float = -np.inf,
    should_stop: Callable[[], bool] = lambda: False,
    circuit_of: CircuitOf | None = None,
) -> Floor | None:
    """Return the lowest energy of given skeletons of one length, or None if the search was stopped.

    Seed, length and number of a skeleton determine its random starts, so that a long list can be tried in parts.

    Args:
        hamiltonian: The operator whose energy is minimised.
        length: Number of two-qubit gates of the skeletons.
        numbered: Skeletons with their numbers.
        starts: Random starts per skeleton.
        seed: Seeds the random starts.
        enough: End at the first energy below this.
        should_stop: Called after every skeleton.
        circuit_of: Returns the circuit of a skeleton; by default :func:`dressed`.

    Examples:
        >>> pair = PauliSum({"ZZ": 1.0, "XX": 1.0, "YY": 1.0})
        >>> round(best_of(pair, 1, enumerate(distinct_skeletons(pair, 1))).energy, 6)
        -3.0
    """
    n, build = hamiltonian.circuit_qubits, circuit_of or (dressed if hamiltonian.preparation is None else _turned_first)
    simulator, optimizer = StatevectorSimulator(), ScanLBFGS(max_iterations=400)
    best, best_energy, count, evaluations = Circuit(n), np.inf, 0, 0
    remaining = iter(numbered)
    while some := list(islice(remaining, _TOGETHER)):
        circuits = []
        for number, skeleton in some:
            circuit, rng = build(n, skeleton), np.random.default_rng((seed, length, number))
            circuits += [turned(circuit, rng.uniform(-np.pi, np.pi, circuit.num_params)) for _ in range(starts)]
        batch = CircuitBatch(circuits, max(1, *(max(one.num_gates, one.num_params) for one in circuits)))
        found = optimizer.minimize_each(simulator, batch, hamiltonian, range(len(batch)), [0] * len(batch))
        assert found is not None  # there is no noise
        for first in range(0, len(batch), starts):  # one skeleton after the other, as if each were tried by itself
            count += 1
            for place in range(first, first + starts):
                evaluations += int(found.evaluations[place])
                if found.energies[place] < best_energy:
                    best, best_energy = circuits[place].copy(), float(found.energies[place])
            if best_energy < enough:
                return Floor(length, best_energy, best, count, evaluations)
            if should_stop():
                return None
    return Floor(length, best_energy, best, count, evaluations)


def skeletons(
    num_qubits: int,
    pairs: Sequence[Pair],
    length: int,
    symmetries: Sequence[Sequence[int]] = (),
    starts_empty: bool = True,
) -> Iterator[Skeleton]:
    """Yield one sequence of pairs for each class of sequences that prepare the same states.

    Left out are:

    - other orders of neighbouring gates without a common qubit;
    - a fourth gate in a row on one pair, because three gates suffice for any two-qubit unitary;
    - if circuits start in ``|0...0>``, a second gate in a row on a pair of untouched qubits, because one gate suffices
      for any two-qubit state;
    - images under ``symmetries``, which are permutations of the qubits.

    The same holds for blocks of CX or CZ with RY: RY before, between and after two CZ prepare every rotation in SO(4),
    so that four blocks in a row prepare no more than two, and one block suffices for any real two-qubit state.
    """

    def grow(head: Skeleton) -> Iterator[Skeleton]:
        if len(head) == length:
            if all(_canonical(_image(head, permutation)) >= head for permutation in symmetries):
                yield head
            return
        for pair in pairs:
            if _fits(head, pair, starts_empty):
                yield from grow((*head, pair))

    if length >= 0 and num_qubits >= 1:
        yield from grow(())


def dressed(num_qubits: int, skeleton: Skeleton) -> Circuit:
    """Return a skeleton with arbitrary single-qubit rotations, without redundant angles.

    A rotation about Z commutes with CZ. Every qubit therefore needs an RX at the start, RZ and RX after each of its CZ
    gates, and an RZ at the end.
    """
    circuit = Circuit(num_qubits)
    for qubit in range(num_qubits):
        circuit.rx(0.0, qubit)
    for pair in skeleton:
        circuit.cz(*pair)
        for qubit in pair:
            circuit.rz(0.0, qubit).rx(0.0, qubit)
    for qubit in range(num_qubits):
        circuit.rz(0.0, qubit)
    return circuit


def _turned_first(num_qubits: int, skeleton: Skeleton) -> Circuit:
    """Return the same with RZ before everything, which matters where circuits do not start in ``|0...0>``."""
    circuit = Circuit(num_qubits)
    for qubit in range(num_qubits):
        circuit.rz(0.0, qubit)
    return circuit.extend(dressed(num_qubits, skeleton))


def block_circuits(entangler: str = "cx", dressing: Sequence[str] = ("ry",)) -> CircuitOf:
    """Return a function that makes the circuit of a skeleton of blocks, for ``circuit_of``.

    A row of ``dressing`` on all qubits comes first. Each block is the entangler with ``dressing`` on both of its
    qubits, as in environments with ``actions="blocks"``.

    Args:
        entangler: ``"cx"`` or ``"cz"``.
        dressing: One-qubit gates in order, such as those of :func:`qas_simulators.dressings.usual_dressing`.

    Raises:
        ValueError: Another entangler, of which other skeletons are equivalent.

    Examples:
        >>> block_circuits("cx", ("ry",))(2, ((0, 1),)).count_ops()
        {'ry': 4, 'cx': 1}
    """
    if entangler not in ("cx", "cz"):
        raise ValueError(must("entangler", "be 'cx' or 'cz'", entangler))

    rotations = [(gate, 0.0 if GATES[gate_index(gate)].num_params else None) for gate in dressing]

    def circuit_of(num_qubits: int, skeleton: Skeleton) -> Circuit:
        circuit = Circuit(num_qubits)
        for pair in (None, *skeleton):
            if pair is not None:
                circuit.append(entangler, pair)
            for qubit in range(num_qubits) if pair is None else pair:
                for gate, angle in rotations:
                    circuit.append(gate, (qubit,), angle)
        return circuit

    return circuit_of


def _pairs(couplings: Collection[Pair] | None, num_qubits: int) -> list[Pair]:
    if couplings is None:
        return list(combinations(range(num_qubits), 2))
    pairs = {(min(pair), max(pair)) for pair in couplings}
    for pair in pairs:
        if pair[0] == pair[1] or not 0 <= pair[0] <= pair[1] < num_qubits:
            raise ValueError(must("couplings", f"be pairs of two qubits in 0..{num_qubits - 1}", pair))
    return sorted(pairs)


def _fits(head: Skeleton, pair: Pair, starts_empty: bool) -> bool:
    """Return whether ``head`` followed by ``pair`` is the representative of its class."""
    for position in reversed(range(len(head))):
        before = head[position]
        if before == pair:
            return _may_repeat(head[: position + 1], pair, starts_empty)
        if before[0] in pair or before[1] in pair:
            return True
        if pair < before:
            return False  # the other order of the two is the representative
    return True


def _may_repeat(head: Skeleton, pair: Pair, starts_empty: bool) -> bool:
    """Return whether a pair may follow a sequence whose last gate on one of its qubits is on the same pair."""
    row = 0
    for before in reversed(head):
        if before == pair:
            row += 1
        elif before[0] in pair or before[1] in pair:
            return row < 3
    return not starts_empty and row < 3  # on untouched qubits one gate suffices for any state


def _canonical(skeleton: Skeleton) -> Skeleton:
    """Return the lexicographically smallest order that exchanges only gates without a common qubit."""
    left, ordered = list(skeleton), []
    while left:
        free = [k for k, pair in enumerate(left) if all(not {*pair} & {*before} for before in left[:k])]
        ordered.append(left.pop(min(free, key=lambda k: left[k])))
    return tuple(ordered)


def _image(skeleton: Skeleton, permutation: Sequence[int]) -> Skeleton:
    return tuple((min(a, b), max(a, b)) for a, b in ((permutation[p], permutation[q]) for p, q in skeleton))


def _symmetries(hamiltonian: PauliSum, pairs: Sequence[Pair]) -> list[tuple[int, ...]]:
    """Return the permutations of qubits, except the identity, that preserve the Hamiltonian and the couplings."""
    n = hamiltonian.num_qubits
    if n > _MOST_QUBITS_FOR_SYMMETRIES:
        return []
    terms, found = hamiltonian.terms(), []
    for permutation in permutations(range(n)):
        if permutation == tuple(range(n)) or {*_image(tuple(pairs), permutation)} != {*pairs}:
            continue
        if all(abs(terms.get(_moved(label, permutation), np.inf) - value) < 1e-12 for label, value in terms.items()):
            found.append(permutation)
    return found


def _moved(label: str, permutation: Sequence[int]) -> str:
    """Return the label with the factor of qubit q on qubit ``permutation[q]``; labels read right to left."""
    moved = [""] * len(label)
    for qubit, factor in enumerate(reversed(label)):
        moved[permutation[qubit]] = factor
    return "".join(reversed(moved))
