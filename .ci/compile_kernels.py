"""Compile all kernels into their cache, so that the processes of the tests do not each compile the same ones."""

from __future__ import annotations

import time

import numpy as np

from qas_simulators import Circuit, NoiseModel, PauliSum, PauliTransferSimulator, StatevectorSimulator
from qas_simulators.arrays import NUMPY
from qas_simulators.circuit_arrays import CircuitArrays
from qas_simulators.exponentials import qubit_excitation
from qas_simulators.optimizers import NoOptimizer, ScanLBFGS
from qas_simulators.real_arithmetic import insertion_slopes
from qas_simulators.subspace import Subspace


def grow(circuit: Circuit, observable: PauliSum) -> None:
    """Call the loops over circuits that grow together, and those over masks and observations."""
    rows, circuits = np.arange(2), CircuitArrays(Circuit(2), 2, 2, circuit.table)
    circuits.append(rows, rows)
    NoOptimizer().minimize_each(StatevectorSimulator(), circuits, observable, rows, 0 * rows)
    numbers, columns = NUMPY.zeros((2, 2), "int64"), NUMPY.zeros((2, 2), "int64")
    NUMPY.advance(numbers, rows, columns)
    NUMPY.exchange(numbers, rows, columns, rows)
    for dtype, value in (("int8", 1), ("float32", 1.0)):
        NUMPY.put(NUMPY.zeros((2, 2), dtype), rows, columns, value)


def main() -> None:
    """Call every kernel once."""
    started = time.perf_counter()
    circuit, observable = Circuit(2).ry(0.1, 0).cx(0, 1), PauliSum({"ZZ": 1.0, "XI": 0.5})
    noisy = PauliTransferSimulator(NoiseModel.depolarizing(1e-3, 1e-2))
    for simulator in (StatevectorSimulator(), StatevectorSimulator(real_arithmetic=True), noisy):
        simulator.expectation(circuit, observable)
        simulator.expectation_and_gradient(circuit, observable)
        ScanLBFGS().minimize(simulator, circuit, observable, 1)
    StatevectorSimulator().statevector(circuit)
    noisy.pauli_vector(circuit)
    insertion_slopes(circuit, observable, np.array([2]), np.array([1]), np.array([1]))
    grow(circuit, observable)
    hopping = PauliSum({"XX": 1.0, "YY": 1.0, "ZI": 0.5})
    Subspace(hopping, Circuit(2).x(0), [qubit_excitation([0], [1])]).minimize([0], [0.0])
    print(f"kernels compiled or loaded in {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
