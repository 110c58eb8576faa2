"""Fast kernels against the slow reference, and gradients against central differences."""

from __future__ import annotations

import multiprocessing

import numpy as np
import pytest

from qas_simulators import (
    Channel,
    Circuit,
    NoiseModel,
    PauliSum,
    PauliTransferSimulator,
    StatevectorSimulator,
    noise_tables,
    program,
    reference,
)
from qas_simulators.channels import bit_flip, depolarizing, pauli_basis
from qas_simulators.gates import GATES
from qas_simulators.kernels import pauli_plan
from qas_simulators.kernels.tasks import MATRIX2
from qas_simulators.noise import ONE_QUBIT_GATES, TWO_QUBIT_GATES
from tests.conftest import random_circuit, random_pauli_sum

AMPLITUDE_DAMPING = Channel.from_kraus([[[1, 0], [0, np.sqrt(0.9)]], [[0, np.sqrt(0.1)], [0, 0]]])

CROSSTALK = np.diag(np.exp(1j * np.array([0.1, -0.1, -0.1, 0.1])))

NOISE_MODELS = {
    "none": NoiseModel(),
    "depolarizing": NoiseModel.depolarizing(p1=1e-2, p2=5e-2),
    "kanqas": NoiseModel.bit_flip(0.3).add(depolarizing(0.2, 2), ["cx"]),
    "on_each_qubit": NoiseModel().add(depolarizing(5e-3), TWO_QUBIT_GATES),
    "not_local": NoiseModel().add(AMPLITUDE_DAMPING.tensor(bit_flip(0.1)), TWO_QUBIT_GATES),
    "singular": NoiseModel.depolarizing(1e-3).add(bit_flip(0.5), ["s"]),
    "coherent": NoiseModel().add(Channel.from_kraus([CROSSTALK]), TWO_QUBIT_GATES).add(bit_flip(0.05), ["cz"]),
    "idle": NoiseModel.depolarizing(p1=1e-2).add_idle(AMPLITUDE_DAMPING).add_idle(bit_flip(0.02), 0),
    "mixed": NoiseModel().add(AMPLITUDE_DAMPING, ["cx", "ry", "h"]).add(depolarizing(0.1, 2), ["cz"]),
    "not_pauli": NoiseModel().add(AMPLITUDE_DAMPING, ONE_QUBIT_GATES + TWO_QUBIT_GATES),
    "one_place": NoiseModel().add(bit_flip(0.2), ["rx", "h"], [1]).add(depolarizing(0.1, 2), ["cx"], [1, 0]),
}


@pytest.mark.parametrize("name", NOISE_MODELS)
@pytest.mark.parametrize("num_qubits", [1, 3])
def test_pauli_transfer_equals_density_matrix(name: str, num_qubits: int) -> None:
    noise = NOISE_MODELS[name]
    for seed in range(5):
        circuit = random_circuit(num_qubits, 25, seed)
        observable = random_pauli_sum(num_qubits, 20, seed)
        simulator = PauliTransferSimulator(noise)
        expected = reference.expectation(circuit, observable, noise)
        assert simulator.expectation(circuit, observable) == pytest.approx(expected, abs=1e-12)
        rho = reference.density_matrix(circuit, noise)
        vector = [np.trace(pauli @ rho).real for pauli in pauli_basis(num_qubits)]
        np.testing.assert_allclose(simulator.pauli_vector(circuit), vector, atol=1e-12)


@pytest.mark.parametrize("num_qubits", [1, 2, 3, 5])
def test_statevector_equals_density_matrix(num_qubits: int) -> None:
    for seed in range(10):
        circuit = random_circuit(num_qubits, 40, seed)
        observable = random_pauli_sum(num_qubits, 20, seed)
        expected = reference.expectation(circuit, observable)
        assert StatevectorSimulator().expectation(circuit, observable) == pytest.approx(expected, abs=1e-12)
        psi = StatevectorSimulator().statevector(circuit)
        np.testing.assert_allclose(np.outer(psi, psi.conj()), reference.density_matrix(circuit), atol=1e-12)


def test_general_two_qubit_kernels_equal_the_special_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    """CX, CZ and SWAP through their matrices, as a gate without a kernel of its own would go; backwards too."""
    circuit, observable = random_circuit(4, 60, seed=9), random_pauli_sum(4, 40, seed=9)
    energy, gradient = StatevectorSimulator().expectation_and_gradient(circuit, observable)
    two_qubit = np.array([gate.num_qubits == 2 and gate.axis is None for gate in GATES])
    general = np.where(two_qubit, MATRIX2, program.STATEVECTOR_KINDS)
    assert (general != program.STATEVECTOR_KINDS).sum() == 3
    monkeypatch.setattr(program, "STATEVECTOR_KINDS", general)
    again, gradient_again = StatevectorSimulator().expectation_and_gradient(circuit, observable)
    assert again == pytest.approx(energy, abs=1e-12)
    np.testing.assert_allclose(gradient_again, gradient, atol=1e-12)


def test_noise_takes_the_cheapest_kernel_that_is_right() -> None:
    kinds = {name: noise_tables.NoiseTables(noise, 3).kinds[-3:].tolist() for name, noise in NOISE_MODELS.items()}
    exchange, block = pauli_plan.EXCHANGE2, pauli_plan.BLOCK2
    assert kinds["coherent"] == [block] * 3
    assert all(kinds[name] == [exchange] * 3 for name in kinds if name != "coherent")


@pytest.mark.parametrize("gate", [gate.name for gate in GATES])
def test_every_gate_has_its_matrix(gate: str) -> None:
    row = next(g for g in GATES if g.name == gate)
    for start in range(2**row.num_qubits):
        circuit = Circuit(row.num_qubits)
        for qubit in range(row.num_qubits):
            if start >> qubit & 1:
                circuit.x(qubit)
        circuit.append(gate, range(row.num_qubits), 0.7 if row.num_params else None)
        np.testing.assert_allclose(StatevectorSimulator().statevector(circuit), row.matrix(0.7)[:, start], atol=1e-15)
    inverse = next(g for g in GATES if g.name == row.inverse)
    product = inverse.matrix(-0.7) @ row.matrix(0.7)
    np.testing.assert_allclose(product, np.eye(len(product)), atol=1e-15)


@pytest.mark.parametrize("name", NOISE_MODELS)
def test_gradient_equals_central_differences(name: str) -> None:
    circuit, observable = random_circuit(3, 30, seed=3), random_pauli_sum(3, 20, seed=3)
    for simulator in [PauliTransferSimulator(NOISE_MODELS[name]), StatevectorSimulator()]:
        energy, gradient = simulator.expectation_and_gradient(circuit, observable)
        assert energy == pytest.approx(simulator.expectation(circuit, observable), abs=1e-13)
        for k in range(circuit.num_params):
            shift = np.zeros(circuit.num_params)
            shift[k] = 1e-5
            up, down = simulator.expectations(circuit, observable, [circuit.params + shift, circuit.params - shift])
            assert gradient[k] == pytest.approx((up - down) / 2e-5, abs=1e-8)


@pytest.mark.parametrize("num_qubits", [9, 10])
def test_large_vectors_go_chunk_by_chunk(num_qubits: int) -> None:
    circuit, observable = random_circuit(num_qubits, 60, seed=2), random_pauli_sum(num_qubits, 20, seed=2)
    exact = StatevectorSimulator().expectation_and_gradient(circuit, observable)
    simulated = PauliTransferSimulator().expectation_and_gradient(circuit, observable)
    assert simulated[0] == pytest.approx(exact[0], abs=1e-12)
    np.testing.assert_allclose(simulated[1], exact[1], atol=1e-12)


@pytest.mark.parametrize("p", [0.02, 0.5])  # 0.5 has no inverse
def test_large_noisy_vectors(p: float) -> None:
    circuit, observable = random_circuit(9, 40, seed=4), random_pauli_sum(9, 20, seed=4)
    noise = NoiseModel().add(AMPLITUDE_DAMPING, ONE_QUBIT_GATES).add(bit_flip(p), ["swap"])
    simulator = PauliTransferSimulator(noise)
    energy, gradient = simulator.expectation_and_gradient(circuit, observable)
    assert energy == pytest.approx(reference.expectation(circuit, observable, noise), abs=1e-12)
    for k in range(0, circuit.num_params, 5):
        shift = 1e-4 * np.eye(circuit.num_params)[k]
        up, down = simulator.expectations(circuit, observable, [circuit.params + shift, circuit.params - shift])
        assert gradient[k] == pytest.approx((up - down) / 2e-4, abs=1e-7)


def test_gradient_equals_parameter_shift() -> None:
    circuit, observable = random_circuit(4, 40, seed=5), random_pauli_sum(4, 40, seed=5)
    simulator = StatevectorSimulator()
    _, gradient = simulator.expectation_and_gradient(circuit, observable)
    shifts = np.eye(circuit.num_params) * np.pi / 2
    up = simulator.expectations(circuit, observable, circuit.params + shifts)
    down = simulator.expectations(circuit, observable, circuit.params - shifts)
    np.testing.assert_allclose(gradient, (up - down) / 2, atol=1e-13)


@pytest.mark.parametrize("name", NOISE_MODELS)
def test_observable_in_the_heisenberg_picture(name: str) -> None:
    noise = NOISE_MODELS[name]
    for num_qubits in (1, 3):
        simulator = PauliTransferSimulator(noise)
        prefix, rest = random_circuit(num_qubits, 10, seed=1), random_circuit(num_qubits, 15, seed=2)
        if name == "idle":
            prefix = Circuit(num_qubits)  # moments are of the whole circuit
        observable = random_pauli_sum(num_qubits, 20, seed=3)
        pulled = simulator.heisenberg(rest, observable)
        whole = simulator.expectation(prefix.copy().extend(rest), observable)
        assert simulator.expectation(prefix, pulled) == pytest.approx(whole, abs=1e-12)
    assert simulator.heisenberg(Circuit(3), observable) == observable


@pytest.mark.parametrize("noise", [None, NoiseModel.depolarizing(1e-2, 5e-2), NoiseModel.bit_flip(0.5)])
def test_batches_on_threads(noise: NoiseModel | None) -> None:
    circuit, observable = random_circuit(6, 60, seed=6), random_pauli_sum(6, 20, seed=6)
    batch = circuit.params + np.linspace(0, 1, 37)[:, None]
    results = []
    for num_threads in (1, 2, 3):
        simulator = (
            StatevectorSimulator(num_threads=num_threads)
            if noise is None
            else PauliTransferSimulator(noise, num_threads=num_threads)
        )
        results.append(
            (
                simulator.expectations(circuit, observable, batch),
                *simulator.expectations_and_gradients(circuit, observable, batch),
            )
        )
    for one, two, three in zip(*results, strict=True):
        np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(one, three)
    np.testing.assert_allclose(results[0][0], results[0][1], atol=1e-13)
    for row in (0, 20):
        energy, gradient = simulator.expectation_and_gradient(circuit, observable, batch[row])
        assert energy == results[0][1][row]
        np.testing.assert_array_equal(gradient, results[0][2][row])
    circuits = [random_circuit(6, 30, seed=k) for k in range(5)]
    expected = [simulator.expectation(each, observable) for each in circuits]
    np.testing.assert_array_equal(simulator.expectations_of(circuits, observable), expected)
    with pytest.raises(ValueError, match="num_threads"):
        StatevectorSimulator(num_threads=0)


def test_threads_survive_a_fork() -> None:
    simulator = PauliTransferSimulator(num_threads=2)
    circuit, observable = random_circuit(6, 60, seed=6), random_pauli_sum(6, 20, seed=6)
    batch = np.tile(circuit.params, (40, 1))
    expected = simulator.expectations(circuit, observable, batch)
    with multiprocessing.get_context("fork").Pool(1) as pool:
        again = pool.apply_async(simulator.expectations, (circuit, observable, batch)).get(timeout=60)
    np.testing.assert_array_equal(again, expected)


def scan_order(circuit: Circuit, by_runs: bool) -> list[int]:
    """Angles in the order of the circuit; or of its runs, each done where a two-qubit gate or the end closes it."""
    if not by_runs:
        return list(range(circuit.num_params))
    order: list[int] = []
    waiting: dict[int, list[int]] = {qubit: [] for qubit in range(circuit.num_qubits)}
    for _, qubit0, qubit1, param in circuit.table.tolist():
        if qubit1 >= 0:
            for qubit in sorted((qubit0, qubit1)):
                order += waiting[qubit]
                waiting[qubit] = []
            order += [param] if param >= 0 else []
        elif param >= 0:
            waiting[qubit0].append(param)
    return order + [param for params in waiting.values() for param in params]


@pytest.mark.parametrize("name", ["none", "depolarizing", "singular", "mixed", "coherent"])
@pytest.mark.parametrize("first", [0, 5])
def test_a_scan_moves_every_angle_to_its_own_minimum(name: str, first: int) -> None:
    """One sweep against the same sweep by energies at three shifts; strong noise has no stable inverses."""
    circuit, observable = random_circuit(4, 30, seed=8), random_pauli_sum(4, 30, seed=8)
    for simulator in (StatevectorSimulator(), PauliTransferSimulator(NOISE_MODELS[name])):
        params, expected = circuit.params, circuit.params
        energy = program.sweep(simulator.program(circuit, observable), params, first)
        assert energy == pytest.approx(simulator.expectation(circuit, observable, params), abs=1e-12)
        np.testing.assert_array_equal(params[:first], expected[:first])
        for k in scan_order(circuit, simulator.is_noisy or isinstance(simulator, PauliTransferSimulator)):
            if k < first:
                continue
            unit = np.eye(len(expected))[k] * np.pi / 2
            low, here, high = simulator.expectations(circuit, observable, [expected - unit, expected, expected + unit])
            sine, cosine = (high - low) / 2, here - (high + low) / 2
            if np.hypot(sine, cosine) > 1e-12:
                expected[k] += np.arctan2(-sine, -cosine)
        np.testing.assert_allclose(np.exp(1j * params), np.exp(1j * expected), atol=1e-8)


def test_circuit_without_gates_or_angles() -> None:
    observable = PauliSum({"ZI": 1.0, "IX": 1.0})
    for simulator in [StatevectorSimulator(), PauliTransferSimulator()]:
        assert simulator.expectation(Circuit(2), observable) == 1.0
        energy, gradient = simulator.expectation_and_gradient(Circuit(2).x(1).h(0), observable)
        assert energy == pytest.approx(0.0, abs=1e-15) and gradient.shape == (0,)


def test_sizes_and_angles_are_checked_at_the_border() -> None:
    circuit, observable = Circuit(2).rx(0.1, 0), PauliSum({"ZZ": 1.0})
    simulator = StatevectorSimulator()
    with pytest.raises(ValueError, match="act on 2 qubits, but is 1"):
        simulator.expectation(circuit, PauliSum({"Z": 1.0}))
    with pytest.raises(ValueError, match=r"shape \(1,\)"):
        simulator.expectation(circuit, observable, params=[0.1, 0.2])
    with pytest.raises(ValueError, match="finite"):
        simulator.expectation(circuit, observable, params=[float("nan")])
    with pytest.raises(ValueError, match=r"fit into 8 GiB, but is '1.64e\+04 GiB'"):
        PauliTransferSimulator().expectation(Circuit(20), PauliSum({"Z" * 20: 1.0}))
    with pytest.raises(ValueError, match="fit into 8 GiB, but is '48 GiB'"):
        StatevectorSimulator().expectation(Circuit(30), PauliSum({"Z" * 30: 1.0}))
    no_inverse = PauliTransferSimulator(NoiseModel.bit_flip(0.5))
    with pytest.raises(ValueError, match=r"fit into 8 GiB, but is '10\.2 GiB'"):
        no_inverse.expectation(random_circuit(12, 40, seed=1), PauliSum({"Z" * 12: 1.0}))
