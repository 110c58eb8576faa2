"""The simulators against Qiskit Aer, Qulacs and PennyLane, one thread each, results checked equal before timing.

    python simulators/benchmarks/simulators.py [--json results.json] [--sections noisy thermal ...]

Circuits of 40 random gates {RX, RY, RZ, CX} and 100 random Pauli terms. Medians of several repetitions; every ratio is
between medians of one run. Sections:

- ``depolarizing`` and ``thermal``: a noisy energy. This library in a batch; Aer's density matrix at its best (one call
  with many parameter bindings) and once per energy, as VQE loops do; Qulacs' density matrix, circuit prebuilt;
  PennyLane's ``default.mixed``.
- ``gradient``: energy and full gradient over energy, 30 and 120 angles, all in one batch.
- ``noiseless``: energy and gradient against ``lightning.qubit`` (adjoint, without a QNode's overhead) and Qulacs'
  ``backprop``; energy alone against Aer's statevector.
- ``threads``: a batch of 64 sets of angles on two threads against 64 single calls and against one thread.
- ``large``: time per entry and gate from 8 to 12 qubits, memory, and the share of the memory bandwidth.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from qas_simulators import Circuit, NoiseModel, PauliSum, PauliTransferSimulator, StatevectorSimulator
from qas_simulators.channels import thermal_relaxation
from qas_simulators.noise import ONE_QUBIT_GATES, TWO_QUBIT_GATES

P1, P2 = 1e-3, 1e-2
T1, T2, T_ONE, T_TWO = 120e3, 170e3, 35.6, 400.0  # nanoseconds
BATCH = {4: 400, 6: 200, 8: 20, 10: 3}
REPETITIONS = 7
Energies = Callable[[np.ndarray], object]


def random_problem(num_qubits: int, num_gates: int = 40, seed: int = 1) -> tuple[Circuit, PauliSum]:
    """Return a circuit and an observable of about 100 terms."""
    rng = np.random.default_rng(seed)
    circuit = Circuit(num_qubits)
    for _ in range(num_gates):
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


def aer(circuit: Circuit, observable: PauliSum, kind: str | None) -> Energies:
    """Return Aer's energies of a batch of angles: density matrix, or statevector without noise."""
    from qiskit import QuantumCircuit
    from qiskit.circuit import Parameter
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
    twin.save_expectation_value(observable.to_qiskit(), list(range(circuit.num_qubits)))
    method = "statevector" if kind is None else "density_matrix"
    backend = AerSimulator(method=method, noise_model=noise if kind else None, max_parallel_threads=1)

    def energies(batch: np.ndarray) -> list[float]:
        binds = [{p: list(batch[:, k]) for k, p in enumerate(parameters)}]
        result = backend.run([twin], parameter_binds=binds).result()
        return [result.data(k)["expectation_value"] for k in range(len(batch))]

    return energies


def qulacs_observable(observable: PauliSum) -> object:
    """Return the same terms as a Qulacs observable."""
    from qulacs import Observable

    operator = Observable(observable.num_qubits)
    for label, coefficient in observable:
        operator.add_operator(coefficient, " ".join(f"{p} {q}" for q, p in enumerate(reversed(label)) if p != "I"))
    return operator


def qulacs(circuit: Circuit, observable: PauliSum) -> Energies:
    """Return Qulacs' density matrix with the circuit prebuilt; depolarising noise in Qulacs' own convention."""
    from qulacs import DensityMatrix, ParametricQuantumCircuit
    from qulacs.gate import DepolarizingNoise, TwoQubitDepolarizingNoise

    twin = ParametricQuantumCircuit(circuit.num_qubits)
    for name, qubits, angle in circuit:
        if angle is None:
            twin.add_CNOT_gate(*qubits)
            twin.add_gate(TwoQubitDepolarizingNoise(*qubits, P2 * 15 / 16))
        else:
            getattr(twin, f"add_parametric_{name.upper()}_gate")(qubits[0], -angle)
            twin.add_gate(DepolarizingNoise(qubits[0], P1 * 3 / 4))
    operator, state = qulacs_observable(observable), DensityMatrix(circuit.num_qubits)

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


def qulacs_gradient(circuit: Circuit, observable: PauliSum) -> Callable[[], tuple[float, np.ndarray]]:
    """Return Qulacs' energy and gradient by its adjoint method."""
    from qulacs import ParametricQuantumCircuit, QuantumState

    twin = ParametricQuantumCircuit(circuit.num_qubits)
    for name, qubits, angle in circuit:
        if angle is None:
            twin.add_CNOT_gate(*qubits)
        else:
            getattr(twin, f"add_parametric_{name.upper()}_gate")(qubits[0], -angle)
    operator, state = qulacs_observable(observable), QuantumState(circuit.num_qubits)

    def run() -> tuple[float, np.ndarray]:
        state.set_zero_state()
        twin.update_quantum_state(state)
        return float(operator.get_expectation_value(state)), -np.array(twin.backprop(operator))

    return run


def pennylane_tape(circuit: Circuit, observable: PauliSum, kind: str | None) -> object:
    """Return a tape that measures the observable, with noise after every gate."""
    import pennylane as qml

    operations = []
    for operation in circuit.to_pennylane().operations:
        operations.append(operation)
        if kind == "depolarizing":
            share = P2 / 16
            paulis = ["".join((a, b)) for a in "IXYZ" for b in "IXYZ"]
            if len(operation.wires) == 1:
                operations.append(qml.DepolarizingChannel(P1 * 3 / 4, operation.wires))
            else:
                kraus = [
                    np.sqrt(1 - P2 + share if word == "II" else share)
                    * qml.matrix(qml.pauli.string_to_pauli_word(word), wire_order=[0, 1])
                    for word in paulis
                ]
                operations.append(qml.QubitChannel(kraus, operation.wires))
    words = [qml.pauli.string_to_pauli_word(label[::-1]) for label, _ in observable]
    hamiltonian = qml.Hamiltonian([weight for _, weight in observable], words)
    return qml.tape.QuantumScript(operations, [qml.expval(hamiltonian)], trainable_params=range(circuit.num_params))


def default_mixed(circuit: Circuit, observable: PauliSum) -> Energies:
    """Return PennyLane's density matrix."""
    import pennylane as qml

    device = qml.device("default.mixed", wires=circuit.num_qubits)

    def energies(batch: np.ndarray) -> list[float]:
        results = []
        for params in batch:
            twin = circuit.copy()
            twin.params = params
            tape = pennylane_tape(twin, observable, "depolarizing")
            results.append(float(qml.execute([tape], device, diff_method=None)[0]))
        return results

    return energies


def lightning_gradient(circuit: Circuit, observable: PauliSum) -> Callable[[], tuple[float, np.ndarray]]:
    """Return the energy and gradient of ``lightning.qubit`` by its adjoint method."""
    import pennylane as qml
    from pennylane.devices import ExecutionConfig

    device = qml.device("lightning.qubit", wires=circuit.num_qubits)
    tape = pennylane_tape(circuit, observable, None)
    config = device.setup_execution_config(ExecutionConfig(gradient_method="adjoint", use_device_gradient=True))

    def run() -> tuple[float, np.ndarray]:
        values, jacobians = device.execute_and_compute_derivatives((tape,), config)
        return float(values[0]), np.array(jacobians[0]).ravel()

    return run


def seconds(function: Callable[[], object], least: float = 0.05, repetitions: int = REPETITIONS) -> float:
    """Return the median time of a call, measured by repetitions that each last at least a given time."""
    function()
    times = []
    for _ in range(repetitions):
        calls, started = 0, time.perf_counter()
        while calls == 0 or time.perf_counter() - started < least:
            function()
            calls += 1
        times.append((time.perf_counter() - started) / calls)
    return statistics.median(times)


def noisy(kind: str) -> list[dict[str, float]]:
    """Compare noisy energies."""
    rows = []
    for num_qubits, size in BATCH.items():
        circuit, observable = random_problem(num_qubits)
        batch = circuit.params + 0.01 * np.arange(size)[:, None]
        simulator = PauliTransferSimulator(our_noise(kind))
        others = {"Aer, batch": (aer(circuit, observable, kind), size)}
        others["Aer, call"] = (others["Aer, batch"][0], 1)
        if kind == "depolarizing":
            if find_spec("qulacs"):  # there are no wheels for every machine
                others["Qulacs"] = (qulacs(circuit, observable), min(size, 20))
            if num_qubits <= 6:
                others["default.mixed"] = (default_mixed(circuit, observable), 1)
        expected = simulator.expectations(circuit, observable, batch)
        for function, count in others.values():
            np.testing.assert_allclose(function(batch[:count]), expected[:count], atol=1e-10)
        base = seconds(lambda: simulator.expectations(circuit, observable, batch)) / size  # noqa: B023
        row = {"qubits": num_qubits, "ours [us]": base * 1e6}
        row["ours, call [us]"] = seconds(lambda: simulator.expectation(circuit, observable)) * 1e6  # noqa: B023
        for name, (function, count) in others.items():
            row[name] = seconds(lambda: function(batch[:count])) / count / base  # noqa: B023
        rows.append(row)
    return rows


def gradient() -> list[dict[str, float]]:
    """Compare energy and gradient with the energy alone."""
    rows = []
    for num_qubits, size in {4: 200, 6: 50, 8: 8, 10: 2}.items():
        row: dict[str, float] = {"qubits": num_qubits}
        for angles, gates in ((30, 40), (120, 160)):
            circuit, observable = random_problem(num_qubits, gates)
            for kind in ("depolarizing", "thermal"):
                simulator = PauliTransferSimulator(our_noise(kind))
                batch = np.tile(circuit.params, (size, 1))
                energy = seconds(lambda: simulator.expectations(circuit, observable, batch))  # noqa: B023
                both = seconds(lambda: simulator.expectations_and_gradients(circuit, observable, batch))  # noqa: B023
                row[f"{kind}, {angles} angles"] = both / energy
        rows.append(row)
    return rows


def noiseless() -> list[dict[str, float]]:
    """Compare statevector energies and gradients."""
    rows = []
    for num_qubits in (4, 8, 12):
        circuit, observable = random_problem(num_qubits)
        simulator = StatevectorSimulator()
        energy, derivative = simulator.expectation_and_gradient(circuit, observable)
        others = {
            "lightning adjoint": lightning_gradient(circuit, observable),
            "Qulacs backprop": qulacs_gradient(circuit, observable),
        }
        for run in others.values():
            value, slope = run()
            np.testing.assert_allclose([value, *slope], [energy, *derivative], atol=1e-10)
        statevector, batch = aer(circuit, observable, None), np.tile(circuit.params, (50, 1))
        np.testing.assert_allclose(statevector(batch[:2]), energy, atol=1e-10)
        base = seconds(lambda: simulator.expectation_and_gradient(circuit, observable))  # noqa: B023
        row = {"qubits": num_qubits, "ours, call [us]": base * 1e6}
        row |= {name: seconds(run) / base for name, run in others.items()}
        alone = seconds(lambda: simulator.expectations(circuit, observable, batch))  # noqa: B023
        row["Aer energy, batch"] = seconds(lambda: statevector(batch)) / alone  # noqa: B023
        rows.append(row)
    return rows


def threads() -> list[dict[str, float]]:
    """Compare a batch of 64 on two threads with single calls."""
    rows = []
    for num_qubits in (4, 6, 8):
        circuit, observable = random_problem(num_qubits)
        batch = np.tile(circuit.params, (64, 1))
        one, two = (PauliTransferSimulator(our_noise("depolarizing"), num_threads=k) for k in (1, 2))
        np.testing.assert_array_equal(
            two.expectations(circuit, observable, batch), one.expectations(circuit, observable, batch)
        )
        base = seconds(lambda: two.expectations(circuit, observable, batch))  # noqa: B023
        singly = seconds(lambda: [one.expectation(circuit, observable, angles) for angles in batch])  # noqa: B023
        together = seconds(lambda: one.expectations(circuit, observable, batch))  # noqa: B023
        rows.append({"qubits": num_qubits, "64 single calls": singly / base, "one thread": together / base})
    return rows


def number_of_passes(circuit: Circuit) -> int:
    """Return the runs of one-qubit gates and the two-qubit gates, each a pass over the vector."""
    is_open, passes = [False] * circuit.num_qubits, 0
    for _, qubit0, qubit1, _ in circuit.table.tolist():
        if qubit1 < 0:
            is_open[qubit0] = True
            continue
        passes += 1 + is_open[qubit0] + is_open[qubit1]
        is_open[qubit0] = is_open[qubit1] = False
    return passes + sum(is_open)


def large() -> list[dict[str, float]]:
    """Show how the time and the memory grow, 12 qubits in a process of its own."""
    rows = []
    for num_qubits in (8, 10, 12):
        circuit, observable = random_problem(num_qubits)
        simulator = PauliTransferSimulator(our_noise("depolarizing"))
        simulator.expectation(circuit, observable)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        elapsed = seconds(lambda: simulator.expectation(circuit, observable), repetitions=5)  # noqa: B023
        source, target = np.zeros(4**num_qubits), np.zeros(4**num_qubits)
        copy = seconds(lambda: np.copyto(target, source), repetitions=5)  # noqa: B023
        rows.append(
            {
                "qubits": num_qubits,
                "energy [ms]": elapsed * 1e3,
                "ns per entry and gate": elapsed * 1e9 / len(circuit) / 4**num_qubits,
                "peak memory [MB]": before / 1024,
                "copy [GB/s]": 16 * 4**num_qubits / copy / 1e9,
                "passes per copy time": number_of_passes(circuit) * copy / elapsed,
            }
        )
    return rows


SECTIONS: dict[str, Callable[[], list[dict[str, float]]]] = {
    "depolarizing": lambda: noisy("depolarizing"),
    "thermal": lambda: noisy("thermal"),
    "gradient": gradient,
    "noiseless": noiseless,
    "threads": threads,
    "large": large,
}


def main() -> None:
    """Print one table per section, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sections", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--json", type=Path, help="write the figures there")
    parser.add_argument("--raw", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.raw:
        print(json.dumps(SECTIONS[arguments.sections[0]]()))
        return
    results = {}
    for name in arguments.sections:
        command = [sys.executable, __file__, "--raw", "--sections", name]
        output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
        results[name] = json.loads(output.splitlines()[-1])
        columns = list({column: None for row in results[name] for column in row})
        print(f"\n{name}\n" + "  ".join(f"{column:>{max(len(column), 8)}}" for column in columns))
        for row in results[name]:
            cells = [f"{row[c]:>{max(len(c), 8)}.4g}" if c in row else " " * max(len(c), 8) for c in columns]
            print("  ".join(cells), flush=True)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
