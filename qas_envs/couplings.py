"""Coupling maps: on which pairs of qubits two-qubit gates are allowed."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from operator import index
from typing import Any, Final

from qas_simulators.errors import must

Pairs = frozenset[tuple[int, int]]


def all_pairs(num_qubits: int) -> None:
    """All pairs of qubits."""


def line(num_qubits: int) -> Pairs:
    """Neighbours on a line."""
    return _both_ways((q, q + 1) for q in range(num_qubits - 1))


def ring(num_qubits: int) -> Pairs:
    """Neighbours on a closed line."""
    return _both_ways((q, (q + 1) % num_qubits) for q in range(num_qubits))


def grid(num_qubits: int) -> Pairs:
    """Neighbours on a rectangular lattice, numbered row by row, as close to a square as the number of qubits allows."""
    rows = max(k for k in range(1, int(num_qubits**0.5) + 1) if num_qubits % k == 0)
    columns = num_qubits // rows
    across = [(q, q + 1) for q in range(num_qubits) if (q + 1) % columns]
    return _both_ways(across + [(q, q + columns) for q in range(num_qubits - columns)])


def heavy_hex(num_qubits: int) -> Pairs:
    """The first qubits of IBM's 27-qubit Falcon layout, as on Mumbai."""
    if num_qubits > 27:
        raise ValueError(must("couplings", "have at most 27 qubits for 'heavy_hex'", num_qubits))
    return _both_ways((a, b) for a, b in _FALCON if a < num_qubits and b < num_qubits)


def random_pairs(num_qubits: int, seed: int = 0, edge_probability: float = 0.4) -> Pairs:
    """A random connected graph, that of the problem ``ising_graphs`` with this seed: the same on every machine."""
    from qas_envs.problems.graphs import connected_graph

    return _both_ways(connected_graph(num_qubits, seed, edge_probability))


_FALCON: Final = (
    *((0, 1), (1, 2), (1, 4), (2, 3), (3, 5), (4, 7), (5, 8), (6, 7), (7, 10), (8, 9), (8, 11), (10, 12), (11, 14)),
    *((12, 13), (12, 15), (13, 14), (14, 16), (15, 18), (16, 19), (17, 18), (18, 21), (19, 20), (19, 22), (21, 23)),
    *((22, 25), (23, 24), (24, 25), (25, 26)),
)

COUPLINGS: Final[dict[str, Callable[..., Pairs | None]]] = {
    "all": all_pairs,
    "line": line,
    "ring": ring,
    "grid": grid,
    "heavy_hex": heavy_hex,
    "random": random_pairs,
}
"""Coupling maps by name; ``None`` for all pairs."""


def couplings_of(choice: Pairs | Callable[[int], Pairs | None] | None, num_qubits: int) -> Pairs | None:
    """Return the allowed ordered pairs of qubits; ``None`` for all.

    Args:
        choice: The pairs, or a function of the number of qubits, such as those of :data:`COUPLINGS`.
        num_qubits: Size of the register.

    Raises:
        ValueError: Qubits outside the register, or a register that is not connected.
    """
    found = choice(num_qubits) if callable(choice) else choice
    pairs = found if found is None or isinstance(found, frozenset) else edges_of("couplings", found)
    if pairs is None:
        return None
    outside = sorted(pair for pair in pairs if pair[0] == pair[1] or not {*pair} <= set(range(num_qubits)))
    if outside:
        raise ValueError(must("couplings", f"be pairs of different qubits in 0..{num_qubits - 1}", outside[:3]))
    require_connected(pairs, num_qubits)
    return pairs


def require_connected(pairs: Collection[tuple[int, int]], num_qubits: int) -> None:
    """Raise ``ValueError`` if these pairs do not connect the first ``num_qubits`` qubits among themselves."""
    reached = _reached([pair for pair in pairs if max(pair) < num_qubits])
    if len(reached) < num_qubits:
        raise ValueError(must("couplings", f"connect all {num_qubits} qubits", f"reaching {sorted(reached)} from 0"))


def edges_of(name: str, choice: Any) -> Pairs | None:
    """Return the pairs of a list of pairs, a networkx graph, or a Qiskit coupling map or backend; ``None`` for all.

    An undirected graph allows both directions of every edge.

    Raises:
        ValueError: Something else; ``name`` is the argument's name for the message.
    """
    edges = getattr(choice, "coupling_map", choice)  # backends have this attribute
    if edges is None:  # also of a backend that couples all qubits
        return None
    if callable(getattr(edges, "is_directed", None)) and hasattr(edges, "nodes"):  # a graph of networkx
        pairs = list(edges.edges())
        edges = pairs if edges.is_directed() else [*pairs, *(pair[::-1] for pair in pairs)]
    try:
        return frozenset((index(a), index(b)) for a, b in (edges.get_edges() if hasattr(edges, "get_edges") else edges))
    except (TypeError, ValueError):
        requirement = f"be one of {[*COUPLINGS]}, pairs of qubits, a graph, a coupling map or a backend"
        raise ValueError(must(name, requirement, edges)) from None


def _both_ways(pairs: Iterable[tuple[int, int]]) -> Pairs:
    found = list(pairs)
    return frozenset(found) | frozenset((b, a) for a, b in found)


def _reached(pairs: Collection[tuple[int, int]]) -> set[int]:
    """Return the qubits that are connected to qubit 0, regardless of the direction of the pairs."""
    reached, new = {0}, {0}
    while new:
        new = {q for a, b in pairs for q in (a, b) if (a in new or b in new)} - reached
        reached |= new
    return reached
