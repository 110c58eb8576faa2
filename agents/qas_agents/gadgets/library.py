"""Sets of gadgets: made of patterns, drawn at random, without those that are equal or unused."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

from qas_agents.gadgets.candidates import CandidateFinder, Pattern
from qas_agents.gadgets.programs import Dependencies, Program, Vocabulary, made
from qas_simulators import Circuit, Gadget
from qas_simulators.errors import must
from qas_simulators.flat_circuit import Link
from qas_simulators.gadgets import Part
from qas_simulators.gates import GATES, gate_index

_LONGEST_NAME = 6  # gates
_PROBES = 2  # angles at which two gadgets are compared
_MOST_PARAMS = 3  # of gadgets whose matrices are compared
_DRAWS = 1000  # of random gadgets, most of them in vain


def name_of(pattern: Pattern, vocabulary: Vocabulary) -> str:
    """Return a free name: the gates', joined; numbered if it is taken, or too long."""
    gates = [gate.name for call in pattern for gate in vocabulary.unrolled(call)]
    stem = "_".join(gates) if len(gates) <= _LONGEST_NAME else f"gadget_{len(gates)}"
    name, number = stem, 1
    while name in vocabulary.gadgets:
        number += 1
        name = f"{stem}_{number}"
    return name


def gadget_of(pattern: Pattern, vocabulary: Vocabulary, name: str) -> Gadget:
    """Return the gadget of a pattern, every angle a parameter of its own."""
    parts, used = [], 0
    for call in pattern:
        number = vocabulary.num_angles(call.name)
        links = tuple(Link(k, 1.0, 0.0) for k in range(used, used + number))
        parts.append(Part(vocabulary.gadgets.get(call.name, call.name), call.qubits, links))
        used += number
    return Gadget(name, 1 + max(q for call in pattern for q in call.qubits), used, tuple(parts))


def tidied(circuit: Circuit) -> Circuit:
    """Return a circuit simplified, or as it is where that would take gates that it does not hold."""
    shorter = circuit.simplified()
    return shorter if {*shorter.count_ops()} <= {*circuit.count_ops()} else circuit


# -- equality --------------------------------------------------------------------------------------------------------


def equivalent(first: Gadget, second: Gadget, up_to_inverse: bool = True) -> bool:
    """Tell whether one gadget is the other with qubits renumbered, parameters permuted, and signs of them changed.

    Matrices are compared, up to a phase. With more than three parameters only the gates are, up to the order of what
    commutes.

    Args:
        first: A gadget.
        second: Another.
        up_to_inverse: Whether one may also be the other's inverse, which makes other unitaries.
    """
    if first == second:
        return True
    if (first.num_qubits, first.num_params) != (second.num_qubits, second.num_params):
        return False
    if first.num_params > _MOST_PARAMS:
        return not (first.is_linked or second.is_linked) and _pattern(first) == _pattern(second)
    probes = np.random.default_rng(0).uniform(-np.pi, np.pi, (_PROBES, first.num_params))
    wanted = [first.unitary(params) for params in probes]
    for order in permutations(range(first.num_params)):
        for signs in product((1.0, -1.0), repeat=first.num_params):
            theirs = [second.unitary(np.array(signs) * params[list(order)]) for params in probes]
            for places in permutations(range(first.num_qubits)):
                moved = [_relabelled(matrix, places) for matrix in theirs]
                tried = [moved, [matrix.conj().T for matrix in moved]] if up_to_inverse else [moved]
                if any(all(map(_equal_up_to_phase, wanted, some)) for some in tried):
                    return True
    return False


def _pattern(gadget: Gadget) -> Pattern:
    return CandidateFinder(Vocabulary()).pattern(Program.of(gadget.circuit()).calls)[0]


def _relabelled(matrix: NDArray[np.complex128], places: Sequence[int]) -> NDArray[np.complex128]:
    """Return a unitary with qubit k at place ``places[k]``."""
    rows = np.arange(len(matrix))
    moved = np.zeros_like(rows)
    for k, place in enumerate(places):
        moved |= ((rows >> k) & 1) << place
    return matrix[np.ix_(moved, moved)]


def _equal_up_to_phase(left: NDArray[np.complex128], right: NDArray[np.complex128]) -> bool:
    return bool(abs(abs(np.vdot(left, right)) - len(left)) < 1e-9)


def merged(gadgets: Iterable[Gadget]) -> list[Gadget]:
    """Return gadgets without those that are equivalent to an earlier one."""
    kept: list[Gadget] = []
    for gadget in gadgets:
        if not any(equivalent(gadget, other) for other in kept):
            kept.append(gadget)
    return kept


def standalone(gadgets: Iterable[Gadget]) -> list[Gadget]:
    """Return gadgets that are made of each other or of gates, but of no other gadgets: those are unrolled."""
    some = list(gadgets)
    names = {gadget.name for gadget in some}
    return [gadget if _inner_names(gadget) <= names else _flat(gadget) for gadget in some]


def _inner_names(gadget: Gadget) -> set[str]:
    inner = [part.what for part in gadget.parts if isinstance(part.what, Gadget)]
    return {one.name for one in inner}.union(*(_inner_names(one) for one in inner))


def _flat(gadget: Gadget) -> Gadget:
    parts = tuple(Part(name, qubits, () if link is None else (link,)) for name, qubits, link in gadget.unrolled())
    return Gadget(gadget.name, gadget.num_qubits, gadget.num_params, parts)


# -- use -------------------------------------------------------------------------------------------------------------


def num_uses(gadget: Gadget, circuits: Iterable[Circuit]) -> int:
    """Return how often circuits hold a gadget's gates, without overlaps, whatever the angles."""
    vocabulary = Vocabulary()
    finder = CandidateFinder(vocabulary)
    pattern, _ = finder.pattern(Program.of(gadget.circuit()).calls)
    total = 0
    for circuit in circuits:
        dependencies = Dependencies(Program.of(circuit), vocabulary)
        total += len(dependencies.disjoint(finder.matches(dependencies, pattern)))
    return total


def used(gadgets: Iterable[Gadget], circuits: Sequence[Circuit]) -> list[Gadget]:
    """Return the gadgets that some circuit holds."""
    return [gadget for gadget in gadgets if num_uses(gadget, circuits)]


# -- chance ----------------------------------------------------------------------------------------------------------


def random_gadgets(models: Sequence[Gadget], gates: Sequence[str], rng: np.random.Generator) -> list[Gadget]:
    """Return random gadgets as large as given ones: as many gates on one and two qubits, drawn anew.

    The opponent that tells whether learned gadgets are more than longer actions.

    Args:
        models: Their sizes are taken.
        gates: What to draw from: one-qubit and two-qubit gates of the table.
        rng: Source of randomness.

    Raises:
        ValueError: No gate of the size that a model has.
    """
    return [
        random_gadget([len(qubits) for _, qubits, _ in model.unrolled()], model.num_qubits, gates, rng, f"random_{k}")
        for k, model in enumerate(models, 1)
    ]


def random_gadget(
    sizes: Sequence[int], num_qubits: int, gates: Sequence[str], rng: np.random.Generator, name: str
) -> Gadget:
    """Return a connected random gadget that no shorter one equals.

    Args:
        sizes: On how many qubits each of its gates acts.
        num_qubits: Its formal qubits.
        gates: What to draw from.
        rng: Source of randomness.
        name: Its name.

    Raises:
        ValueError: No gate of some size, or a thousand draws without a gadget of that kind.
    """
    by_size = {size: [gate for gate in gates if GATES[gate_index(gate)].num_qubits == size] for size in (1, 2)}
    if any(not by_size[size] for size in sizes):
        raise ValueError(must("gates", f"hold some on {sorted({*sizes})} qubits", list(gates)))
    vocabulary = Vocabulary()
    finder = CandidateFinder(vocabulary)
    for _ in range(_DRAWS):
        calls = []
        for size in rng.permutation(sizes).tolist():
            choice = by_size[size][rng.integers(len(by_size[size]))]
            calls.append(made(choice, rng.permutation(num_qubits)[:size].tolist()))
        pattern, qubits = finder.pattern(calls)
        if len(qubits) == num_qubits and finder.is_connected(pattern) and not finder.is_trivial(pattern):
            return gadget_of(pattern, vocabulary, name)
    raise ValueError(must("sizes", f"be those of a gadget on {num_qubits} qubits", list(sizes)))
