"""Stabiliser states as targets of Clifford circuits, and the fewest two-qubit gates of small ones."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from qas_envs.problems.problem import Problem
from qas_envs.problems.stabilizer_targets import CODES, GRAPHS, LATTICE_CODES, ghz, graph_state
from qas_envs.problems.stabilizer_targets import random_graph_state as random_graph
from qas_envs.problems.stabilizer_targets import random_state as after_random_gates
from qas_simulators import StabilizerState
from qas_simulators.errors import must, unknown_name
from qas_simulators.flat_circuit import MAX_QUBITS
from qas_simulators.stabilizers import graph_form

TARGETS: Final = ("ghz", *GRAPHS, "random_graph", "random", *CODES, *LATTICE_CODES)
"""Names of targets."""
_ACCURACY: Final = 0.25  # half of the smallest error of another stabiliser state
_MOST_EXACT: Final = 7  # qubits: 2**21 graphs
Edge = tuple[int, int]


def clifford_state(
    target: str = "ghz",
    num_qubits: int | None = None,
    seed: int = 0,
    edge_probability: float = 0.5,
    two_qubit_gates: int | None = None,
    distance: int | None = None,
    edges: Iterable[Sequence[int]] | None = None,
    generators: Sequence[str] | None = None,
) -> Problem:
    """A stabiliser state as the target of Clifford circuits.

    The energy is the mean number of violated generators, of the target's ``n`` canonical ones: in a stabiliser state
    each of them counts 0, 1/2 or 1. It is 0 for the target only and a multiple of 1/2 for other stabiliser states. So a
    state counts as prepared, by an error below 1/4, exactly when its canonical generators are those of the target.

    Args:
        target: ``"ghz"``; a graph state: ``"line"``, ``"ring"``, ``"star"``, ``"grid"``, ``"complete"`` or
            ``"random_graph"``; ``"random"``, the state after a random Clifford circuit; or an encoded zero:
            ``"five_qubit"``, ``"steane"``, ``"shor"``, ``"surface"`` or ``"toric"``.
        num_qubits: 2 to 128; by default 5, or what the code, the edges or the generators say.
        seed: Of ``"random_graph"`` and ``"random"``.
        edge_probability: Of ``"random_graph"``, in [0.2, 1].
        two_qubit_gates: Number of CX of the circuit of ``"random"``, by default ``num_qubits``.
        distance: Of ``"surface"`` (odd, 3 by default) and ``"toric"`` (2 by default).
        edges: A graph, in place of a name.
        generators: Pauli strings with signs, such as ``["+XX", "-ZZ"]``, in place of a name; the last letter is
            qubit 0.

    Raises:
        ValueError: An unknown target, a number out of range, or a number of qubits that the target does not have.

    Examples:
        >>> problem = clifford_state("ghz", 3)
        >>> problem.provenance["generators"], problem.empty_energy
        (['+XXX', '+ZIZ', '+ZZI'], 0.5)
        >>> clifford_state("toric", distance=7).num_qubits
        98
    """
    name, state = _target(target, num_qubits, seed, edge_probability, two_qubit_gates, distance, edges, generators)
    if num_qubits is not None and num_qubits != state.num_qubits:
        raise ValueError(must("num_qubits", f"be {state.num_qubits} for {name}", num_qubits))
    provenance: dict[str, Any] = {"target": name, "generators": state.labels()}
    if target == "random" and edges is None and generators is None:
        provenance["planted_two_qubit_gates"] = state.num_qubits if two_qubit_gates is None else two_qubit_gates
    return Problem(name, state.observable(), 0.0, _ACCURACY, "", provenance)


def _target(
    target: str,
    num_qubits: int | None,
    seed: int,
    edge_probability: float,
    two_qubit_gates: int | None,
    distance: int | None,
    edges: Iterable[Sequence[int]] | None,
    generators: Sequence[str] | None,
) -> tuple[str, StabilizerState]:
    """Return the name and the state of a target."""
    if generators is not None:
        state = StabilizerState.from_labels(list(generators))
        return f"stabiliser state (n={state.num_qubits})", state
    if edges is not None:
        pairs = [tuple(edge) for edge in edges]
        size = _checked_size(num_qubits, 1 + max((max(pair, default=0) for pair in pairs), default=1))
        return f"graph state (n={size})", graph_state(size, pairs)
    if target in CODES:
        return f"{target} code", CODES[target]()
    if target in LATTICE_CODES:
        own = {} if distance is None else {"distance": distance}
        state = LATTICE_CODES[target](**own)
        return f"{target} code (n={state.num_qubits})", state
    size = _checked_size(num_qubits, 5)
    if target == "ghz":
        return f"GHZ-{size} by Clifford gates", ghz(size)
    if target in GRAPHS:
        return f"{target} graph state (n={size})", graph_state(size, GRAPHS[target](size))
    if target == "random_graph":
        return f"random graph state (n={size}, seed {seed})", random_graph(size, seed, edge_probability)
    if target == "random":
        number = size if two_qubit_gates is None else two_qubit_gates
        return f"random stabiliser state (n={size}, {number} CX, seed {seed})", after_random_gates(size, seed, number)
    raise ValueError(unknown_name("target", target, TARGETS))


def _checked_size(num_qubits: int | None, default: int) -> int:
    size = default if num_qubits is None else num_qubits
    if not 2 <= size <= MAX_QUBITS:
        raise ValueError(must("num_qubits", f"lie in 2..{MAX_QUBITS}", size))
    return size


def target_state(problem: Problem) -> StabilizerState:
    """Return the target of a problem that :func:`clifford_state` made.

    Raises:
        ValueError: It was made otherwise.
    """
    generators = problem.provenance.get("generators")
    if generators is None:
        raise ValueError(must("problem", "be one of clifford_state", problem.name))
    return StabilizerState.from_labels(generators)


# -- the fewest two-qubit gates ----------------------------------------------------------------------------------------


def fewest_two_qubit_gates(state: StabilizerState, couplings: Collection[Edge] | None = None) -> int:
    """Return the smallest number of CX or CZ that prepare a stabiliser state, with any Clifford gates on single qubits.

    Exact, to 7 qubits. Up to gates on single qubits stabiliser states are graphs, equivalent under local
    complementation. A two-qubit gate of the class of CX toggles an edge of one of the equivalent graphs, or does
    nothing that gates on single qubits could not do. So the number is a distance between classes of graphs, found by
    breadth-first search.

    Args:
        state: The target.
        couplings: Pairs of qubits that gates may act on; ``None`` for all.

    Raises:
        ValueError: More than 7 qubits, or couplings that do not reach the state.

    References:
        M. Van den Nest, J. Dehaene, B. De Moor: Graphical description of the action of local Clifford transformations
        on graph states, quant-ph/0308151.

    Examples:
        >>> fewest_two_qubit_gates(StabilizerState.from_labels(["XXX", "ZZI", "IZZ"]))
        2
    """
    size = state.num_qubits
    if size > _MOST_EXACT:
        raise ValueError(must("state", f"have at most {_MOST_EXACT} qubits", size))
    places = _places(size)
    chosen = None if couplings is None else frozenset((min(pair), max(pair)) for pair in couplings)
    graph = sum(1 << places[edge] for edge in graph_form(state).edges)
    found = int(_distances(size, chosen)[graph])
    if found < 0:
        raise ValueError(must("couplings", "connect the qubits that the state entangles", sorted(chosen or ())))
    return found


def _places(size: int) -> dict[Edge, int]:
    """Return the bit of each edge in the number of a graph."""
    return {edge: place for place, edge in enumerate((i, j) for j in range(size) for i in range(j))}


@lru_cache(maxsize=8)
def _distances(size: int, couplings: frozenset[Edge] | None) -> NDArray[np.int8]:
    """Return the number of two-qubit gates of every graph, ``(2**(n (n - 1) / 2),)``; -1 where there is none."""
    classes, places = _classes(size), _places(size)
    distances = np.full(len(classes), -1, dtype=np.int8)  # of classes, by their representative
    distances[classes[0]] = 0
    bits = [1 << place for edge, place in places.items() if couplings is None or edge in couplings]
    for steps in range(1, len(classes).bit_length() + 1):
        graphs = np.flatnonzero(distances[classes] == steps - 1)
        reached = np.unique(np.concatenate([classes[graphs ^ bit] for bit in bits] or [graphs[:0]]))
        new = reached[distances[reached] < 0]
        if len(new) == 0:
            break
        distances[new] = steps
    return np.asarray(distances[classes])


@lru_cache(maxsize=2)
def _classes(size: int) -> NDArray[np.int32]:
    """Return the smallest graph that is equivalent to each graph under local complementation."""
    places = _places(size)
    count = 1 << len(places)
    graphs = np.arange(count, dtype=np.int32)
    moved = []
    for vertex in range(size):
        others = [other for other in range(size) if other != vertex]
        near = {other: graphs >> places[min(vertex, other), max(vertex, other)] & 1 for other in others}
        flips = np.zeros(count, dtype=np.int32)
        for j, second in enumerate(others):
            for first in others[:j]:
                flips |= (near[first] & near[second]) << places[first, second]
        moved.append(graphs ^ flips)
    classes = graphs.copy()
    while True:
        before = classes.copy()
        for other in moved:  # complementation undoes itself, so both ways are covered
            np.minimum(classes, classes[other], out=classes)
        classes = classes[classes]
        if np.array_equal(before, classes):
            return classes
