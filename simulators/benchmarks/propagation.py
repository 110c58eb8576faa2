"""Pauli propagation, matrix-product states and statevectors: environments of 20 and 40 qubits, one step of TFIM-20.

    OMP_NUM_THREADS=1 python simulators/benchmarks/propagation.py              # about two minutes on one core
    OMP_NUM_THREADS=1 python simulators/benchmarks/propagation.py quick        # without the statevector's step
    OMP_NUM_THREADS=1 python simulators/benchmarks/propagation.py memory       # of an energy and a gradient

Times are of the process (CPU seconds on one thread). The circuit has RY on every qubit and bricks of blocks, CX and RY
on both qubits. Its 100 angles are optimised; then a block is appended, its two angles are scanned, and all are
optimised again as an environment does. The slower statevector takes no step. *Memory* is what the resident set of a
process grows by, at its highest, during an energy and a gradient, the kernels being compiled.
"""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from qas_envs import make_env
from qas_envs.problems import tfim
from qas_simulators import (
    Circuit,
    MPSSimulator,
    PauliPropagationSimulator,
    PauliSum,
    Simulator,
    StatevectorSimulator,
)
from qas_simulators.optimizers import ScanLBFGS

T = TypeVar("T")
NUM_QUBITS, NUM_BLOCKS = 20, 40
SIMULATORS: dict[str, Callable[[], Simulator]] = {
    "propagation, exact": PauliPropagationSimulator,
    "propagation, coefficient 1e-4": lambda: PauliPropagationSimulator(coefficient=1e-4),
    "propagation, coefficient 1e-3": lambda: PauliPropagationSimulator(coefficient=1e-3),
    "matrix-product state": MPSSimulator,
    "matrix-product state, max_bond 4": lambda: MPSSimulator(max_bond=4),
    "statevector, whole states": lambda: StatevectorSimulator(light_cones=False),
}


def timed(call: Callable[[], T]) -> tuple[T, float]:
    """Return what a call returns, and its CPU seconds."""
    started = time.process_time()
    result = call()
    return result, time.process_time() - started


def bricks(num_blocks: int) -> Circuit:
    """Return RY on every qubit and blocks on even pairs of neighbours, then on odd ones, again and again."""
    circuit = Circuit(NUM_QUBITS)
    for qubit in range(NUM_QUBITS):
        circuit.ry(0.0, qubit)
    layer = [(qubit, qubit + 1) for parity in (0, 1) for qubit in range(parity, NUM_QUBITS - 1, 2)]
    for k in range(num_blocks):
        append_block(circuit, *layer[k % len(layer)])
    return circuit


def append_block(circuit: Circuit, first: int, second: int) -> None:
    """Append CX and RY on both qubits."""
    circuit.cx(first, second).ry(0.0, first).ry(0.0, second)


def builds() -> list[str]:
    """Return a table of the times in which environments are made."""
    lines = ["| environment | simulator | made in |", "| --- | --- | --- |"]
    sizes = ((20, "statevector"), (20, "pauli_propagation"), (40, "pauli_propagation"), (20, "mps"), (40, "mps"))
    for num_qubits, simulator in sizes:
        rules: dict[str, Any] = {"actions": "blocks", "max_gates": 400, "simulator": simulator}
        settings = {"num_qubits": num_qubits}
        _, seconds = timed(lambda rules=rules, settings=settings: make_env("tfim", problem_settings=settings, **rules))
        lines.append(f"| TFIM-{num_qubits} | `{simulator}` | {seconds:.2f} s |")
    return lines


def warm_circuit(hamiltonian: PauliSum) -> Circuit:
    """Return the bricks with 100 optimised angles."""
    circuit = bricks(NUM_BLOCKS)
    circuit.params = np.random.default_rng(0).normal(scale=0.1, size=circuit.num_params)
    circuit.params = ScanLBFGS(max_iterations=500).minimize(MPSSimulator(), circuit, hamiltonian).params
    return circuit


def memory(name: str) -> str:
    """Return a row with the growth of the resident set during an energy and a gradient of one simulator."""
    circuit, hamiltonian, simulator = bricks(NUM_BLOCKS), tfim(NUM_QUBITS).hamiltonian, SIMULATORS[name]()
    small = Circuit(15)  # in blocks of gates, like 20 qubits
    for qubit in range(14):
        small.ry(0.1, qubit).cx(qubit, qubit + 1)
    simulator.expectation_and_gradient(small, tfim(15).hamiltonian)
    circuit.params = np.random.default_rng(0).normal(scale=0.1, size=circuit.num_params)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    simulator.expectation_and_gradient(circuit, hamiltonian)
    return f"| {name} | {(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024:.1f} MB |"


def steps(is_quick: bool) -> list[str]:
    """Return a table of one step with each simulator."""
    problem = tfim(NUM_QUBITS)
    hamiltonian = problem.hamiltonian
    circuit = warm_circuit(hamiltonian)
    exact = PauliPropagationSimulator().expectation(circuit, hamiltonian)
    lines = [
        f"Before the step: {circuit.num_params} angles, {circuit.num_two_qubit_gates} CX, error "
        f"{exact - problem.ground_energy:.5f} of {problem.ground_energy:.5f}.",
        "",
        "| simulator | energy | error of the energy | gradient | one step | gradients | energy after the step |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, make in SIMULATORS.items():
        simulator = make()
        simulator.expectation_and_gradient(circuit, hamiltonian)  # kernels compile, diagonals are computed
        energy, energy_time = timed(lambda simulator=simulator: simulator.expectation(circuit, hamiltonian))
        _, gradient_time = timed(lambda simulator=simulator: simulator.expectation_and_gradient(circuit, hamiltonian))
        line = f"| {name} | {1e3 * energy_time:.0f} ms | {energy - exact:.1e} | {1e3 * gradient_time:.0f} ms "
        if isinstance(simulator, StatevectorSimulator) and is_quick:
            lines.append(line + "| | | |")
            continue
        longer = circuit.copy()
        append_block(longer, 9, 10)
        found, seconds = timed(
            lambda simulator=simulator, longer=longer: ScanLBFGS().minimize(simulator, longer, hamiltonian, 2)
        )
        lines.append(line + f"| {seconds:.2f} s | {found.gradients} | {found.energy:.6f} |")
        print(lines[-1], file=sys.stderr, flush=True)
    return lines


def main() -> None:
    """Print the tables."""
    if sys.argv[1:2] == ["memory"]:
        for name in sys.argv[2:] or SIMULATORS:
            if sys.argv[2:]:
                print(memory(name))
            else:
                subprocess.run([sys.executable, __file__, "memory", name], check=True)
        return
    make_env("tfim", problem_settings={"num_qubits": 2}).reset()  # imports and kernels
    PauliPropagationSimulator().expectation(Circuit(1).rx(0.1, 0), PauliSum({"Z": 1.0}))
    print("\n".join([*builds(), "", *steps("quick" in sys.argv[1:])]))


if __name__ == "__main__":
    main()
