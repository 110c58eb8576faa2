"""Extraction of gadgets: planted motifs found and time taken, compared with the Stitch library.

    pip install stitch-core
    python agents/benchmarks/extraction.py

One thread. Stitch (Bowers et al., arXiv:2211.16605) compresses the same circuits, in the same normal form, as terms:
gates nest, the last one outermost, qubits are symbols. It does not consider commutation or connected sub-circuits, only
adjacent parts of the term. A motif counts as found if one of its abstractions has exactly the gates of the motif.
"""

from __future__ import annotations

import re
import statistics
import time
from collections import Counter
from collections.abc import Sequence

import numpy as np

from qas_agents.gadgets import equivalent, extract
from qas_agents.gadgets.planting import planted_circuits, random_gate
from qas_agents.gadgets.programs import CallSequence, Vocabulary
from qas_simulators import Circuit, Gadget

COUNT = 3
GATES = ("cx", "rx", "ry", "rz")


def terms(circuits: Sequence[Circuit]) -> list[str]:
    """Return circuits in the syntax of Stitch."""
    vocabulary, found = Vocabulary(), []
    for circuit in circuits:
        term = "e"
        for name, qubits in CallSequence.of(circuit).normal(vocabulary).calls:
            term = f"({name} {term} {' '.join(f'q{qubit}' for qubit in qubits)})"
        found.append(term)
    return found


def by_stitch(circuits: Sequence[Circuit]) -> tuple[list[Counter[str]], float]:
    """Return the gates of Stitch's abstractions, and the seconds."""
    import stitch_core

    texts = terms(circuits)
    start = time.perf_counter()
    found = stitch_core.compress(texts, iterations=COUNT, max_arity=3, silent=True, threads=1).abstractions
    seconds = time.perf_counter() - start
    bodies: dict[str, Counter[str]] = {}
    for abstraction in found:
        words = re.findall(r"\w+", abstraction.body)
        gates = Counter(word for word in words if word in GATES)
        for word in words:
            gates += bodies.get(word, Counter())
        bodies[abstraction.name] = gates
    return list(bodies.values()), seconds


def random_circuits(num_circuits: int, num_gates: int, num_qubits: int, rng: np.random.Generator) -> list[Circuit]:
    """Return random circuits."""
    circuits = []
    for _ in range(num_circuits):
        circuits.append(Circuit(num_qubits))
        for _ in range(num_gates):
            random_gate(circuits[-1], GATES, rng)
    return circuits


def main() -> None:
    """Print the figures."""
    try:
        by_stitch(random_circuits(2, 3, 2, np.random.default_rng(0)))
        has_stitch = True
    except ImportError:
        has_stitch = False
        print("stitch-core is not installed; its column is left out")
    whole, theirs, seconds = [], [], []
    for seed in range(20):
        motifs, circuits = planted_circuits(np.random.default_rng(seed))
        start = time.perf_counter()
        found = extract(circuits, COUNT).gadgets
        seconds.append(time.perf_counter() - start)
        whole.append(sum(any(equivalent(motif, gadget, up_to_inverse=False) for gadget in found) for motif in motifs))
        if has_stitch:
            bodies, _ = by_stitch(circuits)
            theirs.append(sum(gates_of(motif) in bodies for motif in motifs))
    print(f"planted, 20 sets of 8 circuits: {sum(k == 2 for k in whole)} sets with all motifs among the first {COUNT}")
    print(f"  motifs found {sum(whole)}/40, {statistics.median(seconds):.3f} s a set (median)")
    if has_stitch:
        print(f"  Stitch: {sum(k == 2 for k in theirs)} sets, motifs {sum(theirs)}/40")
    rng = np.random.default_rng(0)
    for sizes in ((6, 10, 3), (200, 40, 4)):
        circuits = random_circuits(*sizes, rng)
        start = time.perf_counter()
        extract(circuits, COUNT)
        line = f"{sizes[0]} random circuits of {sizes[1]} gates: {time.perf_counter() - start:.2f} s"
        print(line + (f", Stitch {by_stitch(circuits)[1]:.2f} s" if has_stitch else ""))


def gates_of(gadget: Gadget) -> Counter[str]:
    """Return the number of gates of each kind in a gadget."""
    return Counter(name for name, _, _ in gadget.unrolled())


if __name__ == "__main__":
    main()
