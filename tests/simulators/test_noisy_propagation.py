"""Pauli propagation with noise against Pauli vectors, density matrices and closed forms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from qas_envs import make_env
from qas_envs.problems import tfim
from qas_simulators import (
    Circuit,
    MitigatedSimulator,
    MPSSimulator,
    NoiseModel,
    PauliPropagationSimulator,
    PauliSum,
    PauliTransferSimulator,
    ZeroNoise,
)
from qas_simulators.channels import (
    Channel,
    amplitude_damping,
    bit_flip,
    depolarizing,
    pauli_channel,
    phase_damping,
    thermal_relaxation,
)
from qas_simulators.flat_circuit import Link
from qas_simulators.gates import gate_index
from qas_simulators.noise import ONE_QUBIT_GATES, TWO_QUBIT_GATES
from qas_simulators.noise_presets import NOISE_MODELS
from qas_simulators.reference import density_matrix
from tests.simulators.test_pauli_propagation import random_circuit, random_observable

pytest.importorskip("monoprop")


def random_channel(rng: np.random.Generator, num_qubits: int) -> Channel:
    """Return a channel with no structure: a random isometry, near the identity."""
    size = 2**num_qubits
    noise = rng.normal(size=(3, size, size)) + 1j * rng.normal(size=(3, size, size))
    stacked = np.concatenate([np.eye(size)[None] + 0.2 * noise[:1], 0.2 * noise[1:]]).reshape(3 * size, size)
    return Channel.from_kraus(np.linalg.qr(stacked)[0].reshape(3, size, size))


def noise_of(kind: str, rng: np.random.Generator) -> NoiseModel:
    if kind == "Pauli":  # one of them has negative factors, and readout errors shift means
        model = NoiseModel().add(pauli_channel(0.05, 0.3, 0.4), ONE_QUBIT_GATES).add(depolarizing(0.1, 2), ["cx", "cz"])
        return model.add(phase_damping(0.1), TWO_QUBIT_GATES).add_idle(bit_flip(0.02)).add_readout(0.1, 0.02, [0])
    if kind == "relaxation":
        relaxation = thermal_relaxation(50.0, 30.0, 8.0, 0.1)
        model = NoiseModel().add(relaxation, [*ONE_QUBIT_GATES, *TWO_QUBIT_GATES])
        return model.add(amplitude_damping(0.05), ["h", "rx", "swap"]).add_idle(relaxation)
    coherent = NoiseModel().add(random_channel(rng, 1), ONE_QUBIT_GATES)
    return coherent.add(random_channel(rng, 2), TWO_QUBIT_GATES)


def largest_difference(
    rng: np.random.Generator, noise: NoiseModel, num_qubits: int, num_gates: int, rotations: int
) -> float:
    """Return that of energies and gradients by propagation and by Pauli vectors."""
    circuit = random_circuit(rng, num_qubits, num_gates, rotations)
    observable = random_observable(rng, num_qubits, 3)
    simulator = PauliPropagationSimulator(noise)
    energy, gradient = simulator.expectation_and_gradient(circuit, observable)
    exact, slopes = PauliTransferSimulator(noise).expectation_and_gradient(circuit, observable)
    fresh = simulator.expectation(circuit, observable)
    return float(np.abs([energy - exact, fresh - exact, *(gradient - slopes)]).max())


@pytest.mark.parametrize("kind", ["Pauli", "relaxation", "coherent"])
def test_energies_and_gradients_are_those_of_pauli_vectors(kind: str) -> None:
    rng = np.random.default_rng(1)
    noise = noise_of(kind, rng)
    for num_qubits, num_gates in ((1, 12), (2, 20), (3, 25), (4, 25), (8, 16 if kind == "coherent" else 30)):
        assert largest_difference(rng, noise, num_qubits, num_gates, 8) < 1e-12


@pytest.mark.slow
def test_a_thousand_noisy_circuits(record_testsuite_property: Callable[[str, object], None]) -> None:
    """python -m pytest tests/simulators/test_noisy_propagation.py -m slow --junitxml=runs/noisy.xml"""
    rng = np.random.default_rng(0)
    noises = {kind: noise_of(kind, rng) for kind in ("Pauli", "relaxation", "coherent")}
    found: dict[str, list[float]] = {kind: [] for kind in noises}
    for k in range(1000):
        kind = [*noises][0 if k % 10 < 8 else k % 2 + 1]
        num_qubits = 1 + k % (9 if kind != "coherent" else 5)
        num_gates = int(rng.integers(0, 40 if kind != "coherent" else 15))
        found[kind].append(largest_difference(rng, noises[kind], num_qubits, num_gates, 10))
    record_testsuite_property("largest difference", {kind: (len(one), max(one)) for kind, one in found.items()})
    assert max(max(one) for one in found.values()) < 1e-12


def test_a_density_matrix_has_the_same_energy() -> None:
    rng = np.random.default_rng(2)
    for kind in ("Pauli", "relaxation", "coherent"):
        noise, circuit = noise_of(kind, rng), random_circuit(rng, 3, 15)
        observable = random_observable(rng, 3, 5)
        exact = np.trace(density_matrix(circuit, noise) @ noise.measured(observable).to_matrix()).real
        assert PauliPropagationSimulator(noise).expectation(circuit, observable) == pytest.approx(exact, abs=1e-12)


def test_forty_qubits_in_a_ghz_state() -> None:
    """Every CX damps X...X once, and Z Z on the first and the last qubit where it has spread over the CX."""
    circuit = Circuit(40).h(0)
    for qubit in range(39):
        circuit.cx(qubit, qubit + 1)
    simulator = PauliPropagationSimulator(NoiseModel.depolarizing(p1=0.02, p2=0.01).add_readout(0.03))
    all_x, ends = PauliSum({"X" * 40: 1.0}), PauliSum({"Z" + "I" * 38 + "Z": 1.0})
    assert simulator.expectation(circuit, all_x) == pytest.approx(0.94**40 * 0.98 * 0.99**39, rel=1e-12)
    assert simulator.expectation(circuit, ends) == pytest.approx(0.94**2 * 0.99**39, rel=1e-12)
    assert simulator.term_means(circuit, all_x) == pytest.approx([0.94**40 * 0.98 * 0.99**39], rel=1e-12)


def test_relaxation_moves_an_idle_excited_qubit_on_thirty_qubits() -> None:
    relaxation = thermal_relaxation(10.0, 12.0, 1.0)
    circuit = Circuit(30).x(29)
    for _ in range(9):
        circuit.append("id", [29])
    noise = NoiseModel().add(relaxation, ["id"])
    found = PauliPropagationSimulator(noise).expectation(circuit, PauliSum({"Z" + "I" * 29: 1.0}))
    assert found == pytest.approx(1 - 2 * np.exp(-0.9), abs=1e-12)


def test_linked_angles_and_means_of_terms() -> None:
    circuit = Circuit(3)
    shared = circuit.append_param(0.7)
    for gate, qubits, link in (("ry", (0, -1), Link(shared, 2.0, 0.1)), ("rzz", (0, 2), Link(-1, 0.0, 1.3))):
        circuit.append_linked(gate_index(gate), *qubits, link)
        circuit.cx(0, 1).t(2)
    circuit.ry(0.4, 2)
    observable, noise = random_observable(np.random.default_rng(5), 3, 6), noise_of("Pauli", np.random.default_rng(0))
    mine, theirs = PauliPropagationSimulator(noise), PauliTransferSimulator(noise)
    energy, gradient = mine.expectation_and_gradient(circuit, observable)
    exact, slopes = theirs.expectation_and_gradient(circuit, observable)
    np.testing.assert_allclose([energy, *gradient], [exact, *slopes], atol=1e-12)
    np.testing.assert_allclose(mine.term_means(circuit, observable), theirs.term_means(circuit, observable), atol=1e-12)
    readout = NoiseModel().add_readout(0.1, 0.03)
    found = PauliPropagationSimulator(readout).expectation(circuit, observable)
    assert found == pytest.approx(PauliTransferSimulator(readout).expectation(circuit, observable), abs=1e-12)


def layered(num_qubits: int, seed: int) -> Circuit:
    rng, circuit = np.random.default_rng(seed), Circuit(num_qubits)
    for layer in range(4):
        for qubit in range(num_qubits):
            circuit.ry(float(rng.normal(scale=0.3)), qubit)
        for qubit in range(layer % 2, num_qubits - 1, 2):
            circuit.cx(qubit, qubit + 1)
    return circuit


def test_truncation_errors_shrink_and_are_estimated() -> None:
    """Single errors may cancel by chance; here are means over four circuits."""
    hamiltonian, noise = tfim(8).hamiltonian, NoiseModel.depolarizing(p1=0.01, p2=0.03)
    circuits = [layered(8, seed) for seed in range(4)]
    exact = [PauliTransferSimulator(noise).expectation(circuit, hamiltonian) for circuit in circuits]
    errors = []
    for cut in (0.05, 1e-2, 1e-3):
        simulator = PauliPropagationSimulator(noise, coefficient=cut)
        found = [simulator.expectation(circuit, hamiltonian) for circuit in circuits]
        estimates = [simulator.truncation_error(circuit, hamiltonian) for circuit in circuits]
        errors.append(float(np.abs(np.subtract(found, exact)).mean()))
        assert errors[-1] / 3 < np.mean(estimates) < 3 * errors[-1]
        assert simulator.exact_energy(circuits[0], hamiltonian) == pytest.approx(exact[0], abs=1e-12)
    assert errors[0] > 10 * errors[2] > 0
    wide, narrow = (PauliPropagationSimulator(noise, weight=weight) for weight in (8, 3))
    assert wide.expectation(circuits[0], hamiltonian) == pytest.approx(exact[0], abs=1e-12)
    assert abs(narrow.expectation(circuits[0], hamiltonian) - exact[0]) > 1e-4


def test_new_gates_at_angle_0_keep_their_gradient() -> None:
    simulator = PauliPropagationSimulator(NoiseModel.depolarizing(p1=0.01), coefficient=1e-2)
    _, slope = simulator.expectation_and_gradient(Circuit(8).ry(0.0, 3), tfim(8).hamiltonian)
    assert slope == pytest.approx([-0.99])


def test_too_many_strings_are_refused() -> None:
    circuit, observable = random_circuit(np.random.default_rng(8), 8, 120), PauliSum({"ZZZZZZZZ": 1.0})
    noise = NoiseModel.depolarizing(p1=0.001)
    with pytest.raises(ValueError, match=r"`max_strings` must be at least \d+ .*but is 100"):
        PauliPropagationSimulator(noise, max_strings=100).expectation(circuit, observable)
    with pytest.raises(ValueError, match="`noise` must be a NoiseModel or None"):
        PauliPropagationSimulator("depolarizing")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", sorted(NOISE_MODELS))
def test_environments_with_noise_by_one_word(name: str) -> None:
    if name == "snapshot":
        pytest.importorskip("qiskit_ibm_runtime")
    settings: dict[str, Any] = {"depolarizing": {"p1": 0.01, "p2": 0.05}, "bit_flip": {"p": 0.1}}.get(name, {})
    rules: dict[str, Any] = {"max_gates": 6, "noise": {"name": name, **settings}}
    energies = []
    for simulator in ("pauli_propagation", "pauli_transfer"):
        env = make_env(tfim(3), simulator=simulator, **rules)
        env.reset(seed=0)
        for _ in range(4):
            legal = np.flatnonzero(env.action_masks())
            *_, info = env.step(int(legal[(7 * env.episode.circuit.num_gates + 3) % len(legal)]))
        energies.append(info["energy"])
    assert energies[0] == pytest.approx(energies[1], abs=1e-6)


def test_a_truncated_noisy_energy_alone_is_no_success() -> None:
    noise = NoiseModel.depolarizing(p1=0.001, p2=0.01)
    truncated = {"name": "pauli_propagation", "weight": 1}
    env = make_env(
        tfim(3),
        noise=noise,
        simulator=truncated,
        actions="blocks",
        couplings="line",
        max_gates=60,
        curriculum={"name": "fixed", "threshold": 0.3},
    )
    env.reset(seed=0)
    for action in (0, 1, 0):
        *_, info = env.step(action)
        exact = PauliTransferSimulator(noise).expectation(env.circuit, env.problem.hamiltonian)
        assert np.isfinite(info["truncation_error"])
        is_near = abs(exact - env.problem.ground_energy) < 0.3 and abs(float(info["energy_error"])) < 0.3
        assert bool(info["success"]) == is_near
        if env.episode.over:
            break


def test_drift_and_mitigation() -> None:
    rules: dict[str, Any] = {"max_gates": 4, "noise": {"name": "depolarizing", "p1": 0.01, "p2": 0.05}}
    for extra in ({"mitigation": "zero_noise"}, {"drift": "walk"}):
        energies = []
        for simulator in ("pauli_propagation", "pauli_transfer"):
            env = make_env(tfim(3), simulator=simulator, **rules, **extra)
            env.reset(seed=3)
            env.step(0)
            energies.append(env.step(int(np.flatnonzero(env.action_masks())[-1]))[-1]["energy"])
        assert energies[0] == pytest.approx(energies[1], abs=1e-6)
    with pytest.raises(ValueError, match="not be truncated where energies are mitigated"):
        make_env(tfim(3), simulator={"name": "pauli_propagation", "weight": 1}, mitigation="zero_noise", **rules)


def test_gradients_of_every_simulator_as_a_function() -> None:
    """Of trusted angles, also where there are no kernels for them."""
    circuit, observable = Circuit(2).ry(0.4, 0).cx(0, 1).rx(0.3, 1), PauliSum({"ZZ": 1.0, "XI": 0.5})
    noisy = PauliTransferSimulator(NoiseModel.depolarizing(0.01, 0.02))
    for simulator in (MPSSimulator(), MitigatedSimulator(noisy, ZeroNoise()), noisy, PauliPropagationSimulator()):
        energies, slopes = simulator.gradients(circuit, observable)(circuit.params[None])
        expected = simulator.expectation_and_gradient(circuit, observable)
        assert energies[0] == pytest.approx(expected[0]) and slopes[0] == pytest.approx(expected[1])
