"""Noisy energies against Qiskit Aer and Qulacs, one thread each, results checked equal before timing.

    OMP_NUM_THREADS=1 python simulators/benchmarks/noisy_energy.py

40 random gates {RX, RY, RZ, CX}, 100 random Pauli terms. "Aer, batch" is one call with many parameter bindings, Aer at
its best; "Aer, call" one energy per call, as VQE loops do; Qulacs is its density matrix with the circuit prebuilt.
Medians.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

from qas_simulators import Circuit, NoiseModel, PauliSum, PauliTransferSimulator
from qas_simulators.channels import thermal_relaxation
from qas_simulators.noise import ONE_QUBIT_GATES, TWO_QUBIT_GATES

P1, P2 = 1e-3, 1e-2
T1, T2, T_ONE, T_TWO = 120e3, 170e3, 35.6, 400.0  # nanoseconds
BATCH = {4: 400, 6: 100, 8: 20, 10: 3}
REPETITIONS = 5


def random_problem(num_qubits: int, seed: int = 1) -> tuple[Circuit, PauliSum]:
    """Return a circuit of 40 gates and an observable of about 100 terms."""
    rng = np.random.default_rng(seed)
    circuit = Circuit(num_qubits)
    for _ in range(40):
        name = str(rng.choice(["rx", "ry", "rz", "cx"]))
        qubits = [int(q) for q in rng.choice(num_qubits, 2 if name == "cx" else 1, replace=False)]
        circuit.append(name, qubits, None if name == "cx" else float(rng.normal()))
    labels = {"".join(rng.choice(list("IXYZ"), num_qubits)) for _ in range(100)}
    return circuit, PauliSum({label: float(rng.normal()) for label in sorted(labels)})


def our_noise(kind: str) -> NoiseModel:
    """Return depolarising or thermal noise."""
    if kind == "depolarizing":
        return NoiseModel.depolarizing(P1, P2)
    one, two = thermal_relaxation(T1, T2, T_ONE), thermal_relaxation(T1, T2, T_TWO)
    return NoiseModel().add(one, ONE_QUBIT_GATES).add(two, TWO_QUBIT_GATES)


def aer(circuit: Circuit, observable: PauliSum, kind: str) -> Callable[[np.ndarray], list[float]]:
    """Return Aer's density-matrix simulator as a function of a batch of angles."""
    from qiskit import QuantumCircuit
    from qiskit.circuit import Parameter
    from qiskit.quantum_info import SparsePauliOp
    from qiskit_aer import AerSimulator
    from qiskit_aer.noise import NoiseModel as AerNoise
    from qiskit_aer.noise import depolarizing_error, thermal_relaxation_error

    noise = AerNoise()
    if kind == "depolarizing":
        one, two = depolarizing_error(P1, 1), depolarizing_error(P2, 2)
    else:
        one, each = thermal_relaxation_error(T1, T2, T_ONE), thermal_relaxation_error(T1, T2, T_TWO)
        two = each.tensor(each)
    noise.add_all_qubit_quantum_error(one, ["rx", "ry", "rz"])
    noise.add_all_qubit_quantum_error(two, ["cx"])
    twin, parameters = QuantumCircuit(circuit.num_qubits), []
    for name, qubits, angle in circuit:
        if angle is None:
            twin.cx(*qubits)
        else:
            parameters.append(Parameter(f"p{len(parameters)}"))
            getattr(twin, name)(parameters[-1], *qubits)
    twin.save_expectation_value(SparsePauliOp.from_list(list(observable)), list(range(circuit.num_qubits)))
    backend = AerSimulator(method="density_matrix", noise_model=noise, max_parallel_threads=1)

    def energies(batch: np.ndarray) -> list[float]:
        result = backend.run(
            [twin], parameter_binds=[{p: list(batch[:, k]) for k, p in enumerate(parameters)}]
        ).result()
        return [result.data(k)["expectation_value"] for k in range(len(batch))]

    return energies


def qulacs(circuit: Circuit, observable: PauliSum) -> Callable[[np.ndarray], list[float]]:
    """Return Qulacs' density matrix with the circuit prebuilt; depolarising noise in Qulacs' own convention."""
    from qulacs import DensityMatrix, Observable, ParametricQuantumCircuit
    from qulacs.gate import DepolarizingNoise, TwoQubitDepolarizingNoise

    twin = ParametricQuantumCircuit(circuit.num_qubits)
    for name, qubits, angle in circuit:
        if angle is None:
            twin.add_CNOT_gate(*qubits)
            twin.add_gate(TwoQubitDepolarizingNoise(*qubits, P2 * 15 / 16))
        else:
            getattr(twin, f"add_parametric_{name.upper()}_gate")(qubits[0], -angle)
            twin.add_gate(DepolarizingNoise(qubits[0], P1 * 3 / 4))
    operator, state = Observable(circuit.num_qubits), DensityMatrix(circuit.num_qubits)
    for label, coefficient in observable:
        operator.add_operator(coefficient, " ".join(f"{p} {q}" for q, p in enumerate(reversed(label)) if p != "I"))

    def energies(batch: np.ndarray) -> list[float]:
        results = []
        for params in batch:
            for k, value in enumerate(params):
                twin.set_parameter(k, -value)
            state.set_zero_state()
            twin.update_quantum_state(state)
            results.append(float(operator.get_expectation_value(state)))
        return results

    return energies


def seconds_per_energy(function: Callable[[np.ndarray], object], batch: np.ndarray) -> float:
    """Return the median time of one energy."""
    times = []
    for _ in range(REPETITIONS):
        started = time.perf_counter()
        function(batch)
        times.append((time.perf_counter() - started) / len(batch))
    return statistics.median(times)


def main() -> None:
    """Print one row per noise and size."""
    print("noise         qubits  ours [us]  Aer, batch  Aer, call   Qulacs  gradient")
    for kind in ("depolarizing", "thermal"):
        for num_qubits, size in BATCH.items():
            circuit, observable = random_problem(num_qubits)
            batch = np.tile(circuit.params, (size, 1)) + 0.01 * np.arange(size)[:, None]
            simulator = PauliTransferSimulator(our_noise(kind))
            mine = lambda angles, s=simulator, c=circuit, o=observable: s.expectations(c, o, angles)  # noqa: E731
            others = {"batch": aer(circuit, observable, kind)}
            if kind == "depolarizing":
                others["qulacs"] = qulacs(circuit, observable)
            for function in others.values():
                np.testing.assert_allclose(function(batch[:2]), mine(batch[:2]), atol=1e-10)
            base = seconds_per_energy(mine, batch)
            ratios = {name: seconds_per_energy(function, batch) / base for name, function in others.items()}
            single = seconds_per_energy(others["batch"], batch[:1]) / base
            started = time.perf_counter()
            for angles in batch:
                simulator.expectation_and_gradient(circuit, observable, angles)
            gradient = (time.perf_counter() - started) / size / base
            row = f"{kind:13s} {num_qubits:6d} {base * 1e6:10.1f} {ratios['batch']:10.0f}x {single:9.0f}x "
            print(row + (f"{ratios['qulacs']:7.0f}x" if "qulacs" in ratios else f"{'':8s}") + f" {gradient:8.1f}x")


if __name__ == "__main__":
    main()
