"""Sets of gadgets: from patterns, without equivalent or unused ones, and at random."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import permutations, product

import numpy as np
from numpy.typing import NDArray

from qas_agents.gadgets.candidates import CandidateFinder, Pattern
from qas_agents.gadgets.programs import CallSequence, Dependencies, Vocabulary, made
from qas_simulators import Circuit, Gadget
from qas_simulators.errors import must
from qas_simulators.flat_circuit import Link
from qas_simulators.gadgets import Part
from qas_simulators.gates import GATES, gate_index

_LONGEST_NAME = 6  # gates
_PROBES = 2  # sets of angles at which two gadgets are compared
_MOST_PARAMS = 3  # largest number of parameters for which matrices are compared
_DRAWS = 1000  # attempts to draw a random gadget, most of which fail


def name_of(pattern: Pattern, vocabulary: Vocabulary) -> str:
    """Return an unused name: the joined names of the gates, or a number if they are many."""
    gates = [gate.name for call in pattern for gate in vocabulary.unrolled(call)]
    stem = "_".join(gates) if len(gates) <= _LONGEST_NAME else f"gadget_{len(gates)}"
    name, number = stem, 1
    while name in vocabulary.gadgets:
        number += 1
        name = f"{stem}_{number}"
    return name


def gadget_of(pattern: Pattern, vocabulary: Vocabulary, name: str) -> Gadget:
    """Return the gadget of a pattern; every angle is a separate parameter."""
    parts, used = [], 0
    for call in pattern:
        number = vocabulary.num_angles(call.name)
        links = tuple(Link(k, 1.0, 0.0) for k in range(used, used + number))
        parts.append(Part(vocabulary.gadgets.get(call.name, call.name), call.qubits, links))
        used += number
    return Gadget(name, 1 + max(q for call in pattern for q in call.qubits), used, tuple(parts))


def tidied(circuit: Circuit) -> Circuit:
    """Return the simplified circuit, or the circuit itself if simplification introduces other gates."""
    shorter = circuit.simplified()
    return shorter if {*shorter.count_ops()} <= {*circuit.count_ops()} else circuit


# -- equality --------------------------------------------------------------------------------------------------------


def equivalent(first: Gadget, second: Gadget, up_to_inverse: bool = True) -> bool:
    """Return whether two gadgets are equal up to numbering of the qubits, and order and signs of the parameters.

    Matrices are compared up to a phase. With more than three parameters only the gates are compared, up to the order of
    commuting ones.

    Args:
        first: A gadget.
        second: Another.
        up_to_inverse: Whether inverse gadgets count as equivalent.
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
    return CandidateFinder(Vocabulary()).pattern(CallSequence.of(gadget.circuit()).calls)[0]


def _relabelled(matrix: NDArray[np.complex128], places: Sequence[int]) -> NDArray[np.complex128]:
    """Return the unitary with qubit k renumbered to ``places[k]``."""
    rows = np.arange(len(matrix))
    moved = np.zeros_like(rows)
    for k, place in enumerate(places):
        moved |= ((rows >> k) & 1) << place
    return matrix[np.ix_(moved, moved)]


def _equal_up_to_phase(left: NDArray[np.complex128], right: NDArray[np.complex128]) -> bool:
    return bool(abs(abs(np.vdot(left, right)) - len(left)) < 1e-9)


def merged(gadgets: Iterable[Gadget]) -> list[Gadget]:
    """Return the gadgets that are not equivalent to an earlier one."""
    kept: list[Gadget] = []
    for gadget in gadgets:
        if not any(equivalent(gadget, other) for other in kept):
            kept.append(gadget)
    return kept


def standalone(gadgets: Iterable[Gadget]) -> list[Gadget]:
    """Return gadgets whose parts are gates or gadgets of the same set; gadgets with other parts are unrolled."""
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
    """Return the number of disjoint occurrences of a gadget in circuits, with any angles."""
    vocabulary = Vocabulary()
    finder = CandidateFinder(vocabulary)
    pattern, _ = finder.pattern(CallSequence.of(gadget.circuit()).calls)
    total = 0
    for circuit in circuits:
        dependencies = Dependencies(CallSequence.of(circuit), vocabulary)
        total += len(dependencies.disjoint(finder.matches(dependencies, pattern)))
    return total


def used(gadgets: Iterable[Gadget], circuits: Sequence[Circuit]) -> list[Gadget]:
    """Return the gadgets that occur in at least one circuit."""
    return [gadget for gadget in gadgets if num_uses(gadget, circuits)]


# -- chance ----------------------------------------------------------------------------------------------------------


def random_gadgets(models: Sequence[Gadget], gates: Sequence[str], rng: np.random.Generator) -> list[Gadget]:
    """Return random gadgets with as many one-qubit and two-qubit gates as given ones.

    They are the baseline for learned gadgets, which should be more useful than random actions of the same length.

    Args:
        models: Gadgets whose sizes are used.
        gates: One-qubit and two-qubit gates to draw from.
        rng: Source of randomness.

    Raises:
        ValueError: No gates on as many qubits as a gate of a model.
    """
    return [
        random_gadget([len(qubits) for _, qubits, _ in model.unrolled()], model.num_qubits, gates, rng, f"random_{k}")
        for k, model in enumerate(models, 1)
    ]


def random_gadget(
    sizes: Sequence[int], num_qubits: int, gates: Sequence[str], rng: np.random.Generator, name: str
) -> Gadget:
    """Return a connected random gadget that does not simplify.

    Args:
        sizes: Number of qubits of each of its gates.
        num_qubits: Number of qubits of the gadget.
        gates: Gates to draw from.
        rng: Source of randomness.
        name: Its name.

    Raises:
        ValueError: No gate on some number of qubits, or a thousand draws without such a gadget.
    """
    by_size = {size: [gate for gate in gates if GATES[gate_index(gate)].num_qubits == size] for size in (1, 2)}
    if any(not by_size[size] for size in sizes):
        raise ValueError(must("gates", f"include some on {sorted({*sizes})} qubits", list(gates)))
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
