"""Generators of well-known stabiliser states: GHZ states, graph states and encoded zeros of codes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Final

import numpy as np

from qas_envs.couplings import grid, line, ring
from qas_envs.problems.graphs import Edge, connected_graph
from qas_simulators import Circuit, StabilizerState
from qas_simulators.errors import must
from qas_simulators.flat_circuit import MAX_QUBITS

_TURNS: Final = ((), ("h",), ("s",), ("h", "s"), ("s", "h"), ("h", "s", "h"))
"""What makes all six permutations of X, Y and Z."""


def graph_state(num_qubits: int, edges: Iterable[Sequence[int]]) -> StabilizerState:
    """Return the graph state: X on each vertex times Z on its neighbours.

    Raises:
        ValueError: Edges that are not pairs of different vertices of the graph.
    """
    neighbours = [0] * num_qubits
    for edge in edges:
        if len(edge) != 2 or edge[0] == edge[1] or not {*edge} <= set(range(num_qubits)):
            raise ValueError(must("edges", f"be pairs of different vertices in 0..{num_qubits - 1}", list(edge)))
        neighbours[edge[0]] |= 1 << edge[1]
        neighbours[edge[1]] |= 1 << edge[0]
    return StabilizerState(num_qubits, [(1 << vertex, mask, 0) for vertex, mask in enumerate(neighbours)])


def _once(pairs: Iterable[Edge]) -> list[Edge]:
    return sorted({(min(pair), max(pair)) for pair in pairs})


GRAPHS: Final[dict[str, Callable[[int], list[Edge]]]] = {
    "line": lambda size: _once(line(size)),
    "ring": lambda size: _once(ring(size)),
    "star": lambda size: [(0, k) for k in range(1, size)],
    "grid": lambda size: _once(grid(size)),
    "complete": lambda size: [(i, j) for j in range(size) for i in range(j)],
}
"""Edges of graphs by name; ``grid`` is the cluster state."""


def random_graph_state(num_qubits: int, seed: int, edge_probability: float = 0.5) -> StabilizerState:
    """Return the graph state of a random connected graph, drawn as in :func:`~qas_envs.problems.graphs.ising_graphs`.

    Raises:
        ValueError: A number out of range.
    """
    return graph_state(num_qubits, connected_graph(num_qubits, seed, edge_probability))


def random_state(num_qubits: int, seed: int, two_qubit_gates: int) -> StabilizerState:
    """Return the state after random Clifford gates on single qubits and ``two_qubit_gates`` CX on random pairs.

    So no more than this number of CX prepare it. The numbers come from the bit generator PCG64.

    Raises:
        ValueError: A number out of range.
    """
    if seed < 0 or two_qubit_gates < 0:
        raise ValueError(must("seed and two_qubit_gates", "not be negative", (seed, two_qubit_gates)))
    rng = np.random.Generator(np.random.PCG64(seed))
    circuit = Circuit(num_qubits)

    def turn(qubit: int) -> None:
        for name in _TURNS[int(rng.integers(len(_TURNS)))]:
            circuit.append(name, (qubit,))

    for qubit in range(num_qubits):
        turn(qubit)
    for _ in range(two_qubit_gates):
        first, offset = int(rng.integers(num_qubits)), int(rng.integers(1, num_qubits))
        pair = first, (first + offset) % num_qubits
        circuit.cx(*pair)
        for qubit in pair:
            turn(qubit)
    return StabilizerState.of_circuit(circuit)


def ghz(num_qubits: int) -> StabilizerState:
    """Return ``(|0...0> + |1...1>) / sqrt(2)``."""
    pairs = [(0, 0b11 << qubit, 0) for qubit in range(num_qubits - 1)]
    return StabilizerState(num_qubits, [((1 << num_qubits) - 1, 0, 0), *pairs])


# -- codes: the encoded zero, stabilised by the checks and by the logical Z --------------------------------------------


def _of_masks(num_qubits: int, x: Iterable[int], z: Iterable[int]) -> StabilizerState:
    """Return the state of strings of X and strings of Z."""
    return StabilizerState(num_qubits, [*((mask, 0, 0) for mask in x), *((0, mask, 0) for mask in z)])


def _mask(qubits: Iterable[int]) -> int:
    return sum(1 << qubit for qubit in qubits)


def five_qubit() -> StabilizerState:
    """The code [[5, 1, 3]] of Laflamme et al. (quant-ph/9602019): XZZXI and its rotations, logical ZZZZZ."""
    word = "XZZXI"
    return StabilizerState.from_labels([*(word[k:] + word[:k] for k in range(4)), "ZZZZZ"])


def steane() -> StabilizerState:
    """The code [[7, 1, 3]] of Steane: the checks of the Hamming code as X and as Z, logical ZZZZZZZ."""
    checks = [_mask(q for q in range(7) if (q + 1) >> bit & 1) for bit in range(3)]
    return _of_masks(7, checks, [*checks, 0b1111111])


def shor() -> StabilizerState:
    """The code [[9, 1, 3]] of Shor: three blocks of GHZ states."""
    pairs = [0b11 << 3 * block + k for block in range(3) for k in range(2)]
    return _of_masks(9, [0b111 << 3 * block for block in range(3)], pairs)


def surface(distance: int = 3) -> StabilizerState:
    """The rotated surface code [[d**2, 1, d]], qubits row by row, logical Z on the first row.

    References:
        Y. Tomita, K. M. Svore: Low-distance surface codes under realistic quantum noise, arXiv:1404.3747.

    Raises:
        ValueError: An even distance, or too many qubits.
    """
    if distance < 3 or distance % 2 == 0 or distance**2 > MAX_QUBITS:
        raise ValueError(must("distance", f"be odd, at least 3 and at most {int(MAX_QUBITS**0.5)}", distance))
    x: list[int] = []
    z: list[int] = [_mask(range(distance))]
    for row in range(-1, distance):
        for column in range(-1, distance):
            corners = [(row + i, column + j) for i in (0, 1) for j in (0, 1)]
            inside = [distance * i + j for i, j in corners if 0 <= i < distance and 0 <= j < distance]
            is_x = (row + column) % 2 == 0
            at_sides = column in (-1, distance - 1)
            if len(inside) == 4 or (len(inside) == 2 and is_x != at_sides):  # X checks end at the top and the bottom
                (x if is_x else z).append(_mask(inside))
    return _of_masks(distance**2, x, z)


def toric(distance: int = 2) -> StabilizerState:
    """The toric code [[2 d**2, 2, d]]: qubits on the edges of a square lattice on a torus, both logical qubits 0.

    References:
        A. Yu. Kitaev: Fault-tolerant quantum computation by anyons, quant-ph/9707021.

    Raises:
        ValueError: A distance below 2, or too many qubits.
    """
    if distance < 2 or 2 * distance**2 > MAX_QUBITS:
        raise ValueError(must("distance", f"lie in 2..{int((MAX_QUBITS / 2) ** 0.5)}", distance))

    def edge(row: int, column: int, is_down: int) -> int:
        return 2 * (row % distance * distance + column % distance) + is_down

    stars, faces = [], []
    for row in range(distance):
        for column in range(distance):
            here = [edge(row, column, 0), edge(row, column, 1)]
            stars.append(_mask([*here, edge(row, column - 1, 0), edge(row - 1, column, 1)]))
            faces.append(_mask([*here, edge(row + 1, column, 0), edge(row, column + 1, 1)]))
    loops = [_mask(edge(0, k, 0) for k in range(distance)), _mask(edge(k, 0, 1) for k in range(distance))]
    return _of_masks(2 * distance**2, stars[1:], [*faces[1:], *loops])


CODES: Final[dict[str, Callable[[], StabilizerState]]] = {"five_qubit": five_qubit, "steane": steane, "shor": shor}
"""Codes of one size."""
LATTICE_CODES: Final[dict[str, Callable[..., StabilizerState]]] = {"surface": surface, "toric": toric}
"""Codes by their distance."""
