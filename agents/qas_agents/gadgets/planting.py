"""Random circuits with planted motifs, as ground truth for the extraction."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from qas_agents.gadgets.library import equivalent, random_gadget
from qas_simulators import Circuit, Gadget
from qas_simulators.gates import GATES, gate_index


def planted_circuits(
    rng: np.random.Generator,
    num_circuits: int = 8,
    num_motifs: int = 2,
    plants: int = 2,
    noise: int = 8,
    num_qubits: int = 4,
    gates: Sequence[str] = ("cx", "rx", "ry", "rz"),
) -> tuple[list[Gadget], list[Circuit]]:
    """Return motifs, and random circuits that contain them.

    Args:
        rng: Source of randomness.
        num_circuits: Number of circuits.
        num_motifs: Number of motifs, each on two qubits with one two-qubit gate and two or three one-qubit gates.
        plants: Occurrences of each motif in each circuit.
        noise: Random gates per circuit in addition.
        num_qubits: Number of qubits of the circuits.
        gates: Gates to draw from.
    """
    motifs: list[Gadget] = []
    while len(motifs) < num_motifs:
        sizes = [2, *[1] * int(rng.integers(2, 4))]
        motif = random_gadget(sizes, 2, gates, rng, f"motif_{len(motifs) + 1}")
        if not any(equivalent(motif, other) for other in motifs):
            motifs.append(motif)
    return motifs, [_circuit(motifs, plants, noise, num_qubits, gates, rng) for _ in range(num_circuits)]


def random_gate(circuit: Circuit, gates: Sequence[str], rng: np.random.Generator) -> None:
    """Append a random gate on random qubits."""
    gate = GATES[gate_index(gates[int(rng.integers(len(gates)))])]
    qubits = rng.permutation(circuit.num_qubits)[: gate.num_qubits].tolist()
    circuit.append(gate.name, qubits, float(rng.uniform(-np.pi, np.pi)) if gate.num_params else None)


def _circuit(
    motifs: Sequence[Gadget],
    plants: int,
    noise: int,
    num_qubits: int,
    gates: Sequence[str],
    rng: np.random.Generator,
) -> Circuit:
    circuit = Circuit(num_qubits)
    for k in rng.permutation([-1] * noise + [*range(len(motifs))] * plants).tolist():
        if k < 0:
            random_gate(circuit, gates, rng)
        else:
            qubits = rng.permutation(num_qubits)[: motifs[k].num_qubits].tolist()
            motifs[k].append_to(circuit, qubits, rng.uniform(-np.pi, np.pi, motifs[k].num_params).tolist())
    return circuit
