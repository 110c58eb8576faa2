"""Random noisy circuits against the slow reference, and a sample against Aer: the largest differences.

    python simulators/benchmarks/random_circuits.py --circuits 100000 --aer 1000

One to six qubits, every gate, every channel, per gate and per qubit, readout errors, idle noise. Exits with 1 if a
difference exceeds 1e-12. Also usable from tests: :func:`random_noise` and :func:`largest_difference`.
"""

from __future__ import annotations

import argparse
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from os import cpu_count

import numpy as np

from qas_simulators import (
    Channel,
    Circuit,
    NoiseModel,
    PauliSum,
    PauliTransferSimulator,
    StatevectorSimulator,
    reference,
)
from qas_simulators.channels import (
    amplitude_damping,
    bit_flip,
    depolarizing,
    pauli_channel,
    phase_damping,
    phase_flip,
    thermal_relaxation,
)
from qas_simulators.gates import GATES
from qas_simulators.noise import ONE_QUBIT_GATES, TWO_QUBIT_GATES

TOLERANCE = 1e-12


def random_kraus(num_qubits: int, rng: np.random.Generator) -> Channel:
    """Return a channel of one to four random Kraus operators, near the identity or far."""
    size, count = 2**num_qubits, int(rng.integers(1, 5))
    isometry = rng.normal(size=(count * size, size)) + 1j * rng.normal(size=(count * size, size))
    isometry[:size] += rng.choice([0.0, 20.0]) * np.eye(size)
    return Channel.from_kraus(np.linalg.qr(isometry)[0].reshape(count, size, size))


def random_channel(rng: np.random.Generator) -> Channel:
    """Return a one- or two-qubit channel of any kind."""
    p = float(rng.choice([1e-3, 0.05, 0.3, 0.75]))
    t1 = float(rng.uniform(5, 50))
    kinds = [
        lambda: depolarizing(p),
        lambda: depolarizing(p, 2),
        lambda: bit_flip(p),
        lambda: phase_flip(p),
        lambda: pauli_channel(*(rng.dirichlet(np.ones(4))[:3] * p)),
        lambda: phase_damping(p),
        lambda: amplitude_damping(p, float(rng.uniform())),
        lambda: thermal_relaxation(t1, float(rng.uniform(0.1, 2)) * t1, 1.0, float(rng.uniform())),
        lambda: random_kraus(1, rng),
        lambda: random_kraus(2, rng),
        lambda: bit_flip(p).tensor(amplitude_damping(p)),
    ]
    return kinds[rng.integers(len(kinds))]()


def random_noise(num_qubits: int, rng: np.random.Generator) -> NoiseModel:
    """Return up to four rules on random gates and places, maybe readout errors and idle noise."""
    noise = NoiseModel()
    for _ in range(rng.integers(5)):
        channel = random_channel(rng)
        names = TWO_QUBIT_GATES if channel.num_qubits == 2 else ONE_QUBIT_GATES + TWO_QUBIT_GATES
        where = None
        if num_qubits > 1 and rng.random() < 0.3:
            number = 2 if channel.num_qubits == 2 else int(rng.integers(1, 3))
            where = [int(q) for q in rng.choice(num_qubits, number, replace=False)]
            names = TWO_QUBIT_GATES if number == 2 else ONE_QUBIT_GATES
        chosen = rng.choice(names, rng.integers(1, len(names) + 1), replace=False).tolist()
        noise.add(channel, chosen, where)
    if rng.random() < 0.3:
        noise.add_readout(float(rng.uniform(0, 0.2)), float(rng.uniform(0, 0.2)))
    if rng.random() < 0.2:
        noise.add_idle(amplitude_damping(0.05))
    return noise


def random_problem(rng: np.random.Generator) -> tuple[Circuit, PauliSum, NoiseModel]:
    """Return a circuit of up to 30 gates, an observable of up to 10 terms, and noise."""
    num_qubits = int(rng.choice(6, p=[0.1, 0.2, 0.3, 0.2, 0.1, 0.1])) + 1
    gates = [gate for gate in GATES if gate.num_qubits <= num_qubits]
    circuit = Circuit(num_qubits)
    for index in rng.integers(len(gates), size=rng.integers(1, 31)):
        gate = gates[index]
        qubits = [int(q) for q in rng.choice(num_qubits, gate.num_qubits, replace=False)]
        circuit.append(gate.name, qubits, float(rng.uniform(-np.pi, np.pi)) if gate.num_params else None)
    labels = {"".join(rng.choice(list("IXYZ"), num_qubits)) for _ in range(10)}
    terms = dict(zip(sorted(labels), rng.dirichlet(np.ones(len(labels))), strict=True))
    return circuit, PauliSum({label: float(weight) for label, weight in terms.items()}), random_noise(num_qubits, rng)


def largest_difference(seed: int, count: int, against_aer: bool = False) -> tuple[float, int]:
    """Return the largest difference of ``count`` energies from the reference or Aer, and the seed of its problem."""
    worst, at = 0.0, seed
    for k in range(seed, seed + count):
        circuit, observable, noise = random_problem(np.random.default_rng(k))
        ours = PauliTransferSimulator(noise).expectation(circuit, observable)
        if against_aer:
            from qas_simulators.bridges.aer import AerSimulator

            theirs = AerSimulator(noise).expectation(circuit, observable)
        else:
            theirs = reference.expectation(circuit, noise.measured(observable), noise)
            if k % 10 == 0:  # and without noise, both simulators
                pure = StatevectorSimulator().expectation(circuit, observable)
                exact = reference.expectation(circuit, observable)
                theirs = max((theirs, ours + abs(pure - exact)), key=lambda value: abs(value - ours))
        if abs(ours - theirs) >= worst:
            worst, at = abs(ours - theirs), k
    return worst, at


def main() -> int:
    """Print the largest differences."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--circuits", type=int, default=100_000)
    parser.add_argument("--aer", type=int, default=1000, help="how many of them to compare with Aer as well")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    failed = False
    for name, count in (("reference", arguments.circuits), ("Aer", arguments.aer)):
        started, size = time.perf_counter(), 250
        starts = range(arguments.seed, arguments.seed + count, size)
        counts = [min(size, arguments.seed + count - start) for start in starts]
        with ProcessPoolExecutor(cpu_count()) as pool:
            results = list(pool.map(largest_difference, starts, counts, [name == "Aer"] * len(counts)))
        if results:
            worst, seed = max(results)
            print(
                f"{count} circuits against {name}: largest difference {worst:.2e} (seed {seed}), "
                f"{time.perf_counter() - started:.0f} s"
            )
            failed |= not worst <= TOLERANCE
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
