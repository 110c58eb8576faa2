"""Compile all kernels into their cache, so that the processes of the tests do not each compile the same ones."""

from __future__ import annotations

import time

from qas_simulators import Circuit, NoiseModel, PauliSum, PauliTransferSimulator, StatevectorSimulator
from qas_simulators.optimizers import ScanLBFGS


def main() -> None:
    """Call every kernel once."""
    started = time.perf_counter()
    circuit, observable = Circuit(2).ry(0.1, 0).cx(0, 1), PauliSum({"ZZ": 1.0, "XI": 0.5})
    noisy = PauliTransferSimulator(NoiseModel.depolarizing(1e-3, 1e-2))
    for simulator in (StatevectorSimulator(), noisy):
        simulator.expectation(circuit, observable)
        simulator.expectation_and_gradient(circuit, observable)
        ScanLBFGS().minimize(simulator, circuit, observable, 1)
    StatevectorSimulator().statevector(circuit)
    noisy.pauli_vector(circuit)
    print(f"kernels compiled or loaded in {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
