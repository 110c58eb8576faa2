"""Transverse-field Ising models on random graphs."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from qas_envs.problems.problem import Problem
from qas_envs.problems.reference import reference_of
from qas_simulators import PauliSum
from qas_simulators.errors import must
from qas_simulators.flat_circuit import MASK_QUBITS

Edge = tuple[int, int]


def ising_graphs(
    num_qubits: int = 6,
    seed: int = 17,
    edge_probability: float = 0.5,
    coupling: float = 1.0,
    field: float = 1.0,
    accuracy: float = 1e-3,
    ground_energy: float | None = None,
) -> Problem:
    """Transverse-field Ising model on a random graph, ``H = sum J_ij Z_i Z_j + sum h_i X_i`` over edges and vertices.

    The graph is drawn from those of Erdos and Renyi until one is connected: each pair ``i < j`` is an edge with the
    same probability. Then ``J_ij`` is drawn for every edge, uniform in [-1, 1), and ``h_i`` for every vertex, uniform
    in [0.5, 1.5). The numbers come from the bit generator PCG64, so that a seed is the same instance on every machine.

    Args:
        num_qubits: Number of vertices, 2 to 60.
        seed: Of everything that is drawn, at least 0.
        edge_probability: In [0.2, 1].
        coupling: Factor of all ``J_ij``, the unit of energy if left at 1.
        field: Factor of all ``h_i``.
        accuracy: Error below which a state counts as found, in the unit of ``coupling``.
        ground_energy: If it is known: above 10 qubits it spares the computation, which takes a minute on 20;
            above 20 it must be given.

    Raises:
        ValueError: A number out of range.

    Examples:
        >>> problem = ising_graphs(num_qubits=4, seed=3)
        >>> problem.num_qubits, problem.provenance["edges"]
        (4, [[0, 1], [0, 2], [1, 3], [2, 3]])
    """
    _check(num_qubits, accuracy, coupling=coupling, field=field)
    rng, edges = _drawn(num_qubits, seed, edge_probability)
    couplings = [float(coupling * (2.0 * value - 1.0)) for value in rng.random(len(edges))]
    fields = [float(field * (value + 0.5)) for value in rng.random(num_qubits)]
    z = [*((1 << i) + (1 << j) for i, j in edges), *[0] * num_qubits]
    x = [*[0] * len(edges), *(1 << site for site in range(num_qubits))]
    hamiltonian = PauliSum.from_masks(num_qubits, x, z, [*couplings, *fields])
    reference = reference_of(hamiltonian, ground_energy)
    return Problem(
        name=f"Ising graph (n={num_qubits}, seed {seed})",
        hamiltonian=hamiltonian,
        ground_energy=reference.energy,
        accuracy=accuracy,
        unit="J",
        provenance={
            "model": "Ising graph",
            "seed": seed,
            "edge_probability": edge_probability,
            "edges": [list(edge) for edge in edges],
            "couplings": couplings,
            "fields": fields,
            "reference": reference.provenance,
        },
    )


def connected_graph(num_vertices: int, seed: int, edge_probability: float) -> list[Edge]:
    """Return the graph of :func:`ising_graphs` with this seed.

    Raises:
        ValueError: A number out of range.
    """
    return _drawn(num_vertices, seed, edge_probability)[1]


def _drawn(num_vertices: int, seed: int, edge_probability: float) -> tuple[np.random.Generator, list[Edge]]:
    """Draw graphs until one is connected; return the generator too."""
    if seed < 0:
        raise ValueError(must("seed", "be at least 0", seed))
    if not 0.2 <= edge_probability <= 1:
        raise ValueError(must("edge_probability", "lie in [0.2, 1]", edge_probability))
    rng = np.random.Generator(np.random.PCG64(seed))
    pairs = list(combinations(range(num_vertices), 2))
    while True:
        drawn = rng.random(len(pairs)) < edge_probability
        edges = [pair for pair, is_edge in zip(pairs, drawn, strict=True) if is_edge]
        if _is_connected(num_vertices, edges):
            return rng, edges


def _is_connected(num_vertices: int, edges: list[Edge]) -> bool:
    reached = {0}
    for _ in range(num_vertices):
        reached |= {vertex for edge in edges if reached & set(edge) for vertex in edge}
    return len(reached) == num_vertices


def _check(num_qubits: int, accuracy: float, **factors: float) -> None:
    if not 2 <= num_qubits <= MASK_QUBITS:
        raise ValueError(must("num_qubits", f"lie in 2..{MASK_QUBITS}", num_qubits))
    if not accuracy > 0:
        raise ValueError(must("accuracy", "be positive", accuracy))
    for argument, value in factors.items():
        if not np.isfinite(value):
            raise ValueError(must(argument, "be finite", value))
