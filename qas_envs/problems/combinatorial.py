"""Combinatorial optimisation as ground states of diagonal Hamiltonians: QUBO, maximum cut, independent set.

A basis state is an optimum, so circuits without two-qubit gates solve all of these problems. They measure how fast an
agent finds one, and are no evidence for entangling circuits.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qas_envs.problems.graphs import Edge, connected_graph
from qas_envs.problems.problem import Problem
from qas_simulators import PauliSum
from qas_simulators.errors import must

_MOST_VARIABLES = 20


def qubo(matrix: ArrayLike, accuracy: float = 1e-3, name: str = "QUBO") -> Problem:
    """Quadratic unconstrained binary optimisation: the minimum of ``x^T Q x`` over bits ``x``; bit k is qubit k.

    Args:
        matrix: ``Q``, real ``(n, n)``, 1 to 20 variables; only ``Q + Q^T`` matters.
        accuracy: Error below which a state counts as found.
        name: For tables.

    Raises:
        ValueError: Not a square matrix of finite real numbers, or too many variables.

    Examples:
        >>> problem = qubo([[-1.0, 2.0], [0.0, -1.0]])
        >>> problem.ground_energy, problem.best_basis_state().num_gates
        (-1.0, 1)
    """
    weights = np.asarray(matrix, dtype=object)
    try:
        weights = weights.astype(np.float64)
    except (TypeError, ValueError):
        raise ValueError(must("matrix", "hold real numbers", matrix)) from None
    if weights.ndim != 2 or weights.shape[0] != weights.shape[1] or not 1 <= len(weights) <= _MOST_VARIABLES:
        raise ValueError(must("matrix", f"be square, of 1 to {_MOST_VARIABLES} variables", weights.shape))
    if not np.isfinite(weights).all():
        raise ValueError(must("matrix", "be finite", matrix))
    return _problem(name, weights, accuracy, {"model": "QUBO", "matrix": weights.tolist()})


def max_cut(
    num_qubits: int | None = None,
    seed: int = 0,
    edge_probability: float = 0.5,
    edges: Iterable[Sequence[int]] | None = None,
    weights: Sequence[float] | None = None,
    accuracy: float = 1e-3,
) -> Problem:
    """Maximum cut: the energy is minus the weight of all edges whose ends have different bits.

    Args:
        num_qubits: Number of vertices, 2 to 20; by default 6, or those that the edges name.
        seed: Of the random graph, drawn as in :func:`~qas_envs.problems.graphs.ising_graphs`.
        edge_probability: Of the random graph, in [0.2, 1].
        edges: The graph, in place of a random one.
        weights: Of the edges, in order; 1 each by default.
        accuracy: Error below which a state counts as found.

    Raises:
        ValueError: A number out of range, edges that are not pairs of different vertices, or another number of weights.

    Examples:
        >>> max_cut(4, edges=[(0, 1), (1, 2), (2, 3), (0, 3)]).ground_energy  # a ring of even length
        -4.0
    """
    num_qubits, pairs = _graph(num_qubits, seed, edge_probability, edges)
    sizes = [1.0] * len(pairs) if weights is None else [float(weight) for weight in weights]
    if len(sizes) != len(pairs) or not np.isfinite(sizes).all():
        raise ValueError(must("weights", f"be {len(pairs)} finite numbers, one for each edge", weights))
    matrix = np.zeros((num_qubits, num_qubits))
    for (i, j), weight in zip(pairs, sizes, strict=True):  # x_i + x_j - 2 x_i x_j is 1 if the bits differ
        matrix[i, i] -= weight
        matrix[j, j] -= weight
        matrix[i, j] += 2.0 * weight
    name = f"MaxCut (n={num_qubits}{'' if edges is not None else f', seed {seed}'})"
    graph = {"edges": [list(pair) for pair in pairs], "weights": sizes}
    return _problem(name, matrix, accuracy, {"model": "MaxCut", **graph})


def independent_set(
    num_qubits: int | None = None,
    seed: int = 0,
    edge_probability: float = 0.5,
    edges: Iterable[Sequence[int]] | None = None,
    penalty: float = 2.0,
    accuracy: float = 1e-3,
) -> Problem:
    """Maximum independent set: the energy is minus the number of chosen vertices, plus a penalty for each chosen edge.

    Args:
        num_qubits: Number of vertices, 2 to 20; by default 6, or those that the edges name.
        seed: Of the random graph, drawn as in :func:`~qas_envs.problems.graphs.ising_graphs`.
        edge_probability: Of the random graph, in [0.2, 1].
        edges: The graph, in place of a random one.
        penalty: For an edge whose ends are both chosen; above 1, so that every optimum is an independent set.
        accuracy: Error below which a state counts as found.

    Raises:
        ValueError: A number out of range, or edges that are not pairs of different vertices.

    Examples:
        >>> independent_set(4, edges=[(0, 1), (1, 2), (2, 3)]).ground_energy  # two of four vertices on a path
        -2.0
    """
    if not (penalty > 1 and np.isfinite(penalty)):
        raise ValueError(must("penalty", "be above 1, so that optima are independent sets", penalty))
    num_qubits, pairs = _graph(num_qubits, seed, edge_probability, edges)
    matrix = -np.eye(num_qubits)
    for i, j in pairs:
        matrix[i, j] = penalty
    name = f"independent set (n={num_qubits}{'' if edges is not None else f', seed {seed}'})"
    return _problem(name, matrix, accuracy, {"model": "independent set", "edges": [list(pair) for pair in pairs]})


def _graph(
    num_vertices: int | None, seed: int, probability: float, edges: Iterable[Sequence[int]] | None
) -> tuple[int, list[Edge]]:
    """Return the number of vertices, and the edges, each with the smaller vertex first."""
    given = None if edges is None else [tuple(sorted(int(vertex) for vertex in edge)) for edge in edges]
    if given is not None and any(len(edge) != 2 or edge[0] == edge[1] or edge[0] < 0 for edge in given):
        raise ValueError(must("edges", "be pairs of different vertices, numbered from 0", given))
    if num_vertices is None:
        num_vertices = 6 if not given else 1 + max(max(edge, default=0) for edge in given)
    if not 2 <= num_vertices <= _MOST_VARIABLES:
        raise ValueError(must("num_qubits", f"lie in 2..{_MOST_VARIABLES}", num_vertices))
    if given is None:
        return num_vertices, connected_graph(num_vertices, seed, probability)
    if any(edge[1] >= num_vertices for edge in given):
        raise ValueError(must("edges", f"name vertices in 0..{num_vertices - 1}", given))
    if len(set(given)) < len(given) or not given:
        raise ValueError(must("edges", "hold at least one edge, and none twice", given))
    return num_vertices, [(edge[0], edge[1]) for edge in given]


def _problem(name: str, matrix: NDArray[np.float64], accuracy: float, provenance: dict[str, Any]) -> Problem:
    """Return the problem of ``x^T Q x`` with ``x_k = (1 - Z_k) / 2``; its optimum is that of all basis states."""
    size = len(matrix)
    pairs = matrix + matrix.T - 2.0 * np.diag(np.diag(matrix))  # of different variables, each pair in both places
    z, values = [0], [0.5 * float(np.trace(matrix)) + float(pairs.sum()) / 8.0]
    for i in range(size):
        z.append(1 << i)
        values.append(-0.5 * float(matrix[i, i]) - 0.25 * float(pairs[i].sum()))
        for j in range(i + 1, size):
            z.append((1 << i) + (1 << j))
            values.append(0.25 * float(pairs[i, j]))
    hamiltonian = PauliSum.from_masks(size, [0] * len(z), z, values)
    energy = float(hamiltonian.basis_energies().min())
    return Problem(name, hamiltonian, energy, accuracy, unit="", provenance=provenance)
