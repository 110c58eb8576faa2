"""The gates that today's devices add: P, RXX, RYY, RZZ and the composite U. Truth: Qiskit, Aer, finite differences."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

from qas_envs import CircuitBuildingEnv
from qas_envs.catalogue import ActionCatalogue
from qas_simulators import (
    Circuit,
    NoiseModel,
    PauliSum,
    PauliTransferSimulator,
    StatevectorSimulator,
)
from qas_simulators.channels import Channel, amplitude_damping, depolarizing
from qas_simulators.gates import GATES, gate_index
from qas_simulators.optimizers import Rotosolve, ScanLBFGS
from tests.conftest import random_circuit, random_pauli_sum

NEW = ("p", "rxx", "ryy", "rzz")
NOISES = {
    "none": NoiseModel(),
    "depolarizing": NoiseModel.depolarizing(1e-3, 1e-2),
    "damping": NoiseModel().add(amplitude_damping(0.1), ["p", "rxx", "cx"]).add(depolarizing(0.05, 2), ["rzz"]),
    "coherent": NoiseModel().add(Channel.from_kraus([np.diag([1, 1, 1, np.exp(0.3j)])]), ["rxx", "ryy"]),
}


@pytest.mark.parametrize("name", NEW)
def test_matrices_are_qiskits(name: str) -> None:
    library = pytest.importorskip("qiskit.circuit.library")
    of_qiskit = library.get_standard_gate_name_mapping()[name].base_class
    for angle in (0.0, 0.37, -2.1, 5.0):
        np.testing.assert_allclose(GATES[gate_index(name)].matrix(angle), of_qiskit(angle).to_matrix(), atol=1e-15)


@pytest.mark.parametrize("noise", NOISES)
@pytest.mark.parametrize("seed", range(3))
def test_energies_and_gradients(noise: str, seed: int) -> None:
    info = pytest.importorskip("qiskit.quantum_info")
    circuit = random_circuit(4, 40, seed, (*NEW, "h", "cx", "ry"))
    observable, model = random_pauli_sum(4, 20, seed), NOISES[noise]
    simulator = PauliTransferSimulator(model) if noise != "none" else StatevectorSimulator()
    energy, gradient = simulator.expectation_and_gradient(circuit, observable)
    state = info.DensityMatrix.from_label("0000")
    for name, qubits, angle in circuit:
        state = state.evolve(info.Operator(GATES[gate_index(name)].matrix(angle or 0.0)), list(qubits))
        for channel, places in model.channels(name, qubits):
            state = state.evolve(info.Kraus(list(channel.kraus)), list(places))
    assert energy == pytest.approx(state.expectation_value(observable.to_qiskit()).real, abs=1e-10)
    params, step = circuit.params, 1e-5
    moved = [params + sign * step * row for row in np.eye(len(params)) for sign in (1, -1)]
    energies = simulator.expectations(circuit, observable, np.array(moved)).reshape(-1, 2)
    np.testing.assert_allclose(gradient, (energies[:, 0] - energies[:, 1]) / (2 * step), atol=1e-8)


def test_noisy_energy_is_aers() -> None:
    pytest.importorskip("qiskit_aer")
    from qas_simulators.bridges.aer import AerSimulator

    circuit, observable = random_circuit(3, 30, 5, (*NEW, "sx", "cz")), random_pauli_sum(3, 10, 5)
    noise = NoiseModel.depolarizing(2e-3, 2e-2)
    expected = AerSimulator(noise).expectation(circuit, observable)
    assert PauliTransferSimulator(noise).expectation(circuit, observable) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("name", ["rxx", "ryy", "rzz"])
@pytest.mark.parametrize("qubits", [(0, 1), (1, 0), (9, 2), (3, 8)])
def test_large_registers_are_done_chunk_by_chunk(name: str, qubits: tuple[int, int]) -> None:
    circuit = Circuit(10).h(qubits[0]).ry(0.4, qubits[1]).append(name, qubits, 0.7)
    label = ["I"] * 10
    label[9 - qubits[0]], label[9 - qubits[1]] = "Y", "Z"
    observable = PauliSum({"".join(label): 1.0, "".join(label).replace("Y", "X"): 0.5, "Z" * 10: 0.3})
    energies = [
        s.expectation_and_gradient(circuit, observable) for s in (StatevectorSimulator(), PauliTransferSimulator())
    ]
    assert energies[0][0] == pytest.approx(energies[1][0], abs=1e-12)
    np.testing.assert_allclose(energies[0][1], energies[1][1], atol=1e-12)


@pytest.mark.parametrize("name", NEW)
def test_scans_find_the_minimum_of_a_sinusoid(name: str) -> None:
    qubits = (0,) if name == "p" else (0, 1)
    circuit = Circuit(2).h(0).sx(1).t(1).cx(0, 1).s(0).h(1).append(name, qubits, 0.2).sx(0).cx(1, 0)
    observable, grid = PauliSum({"ZZ": 1.0, "XI": -0.7, "YX": 0.4, "IZ": 0.2}), np.linspace(-np.pi, np.pi, 20_001)
    for simulator in (StatevectorSimulator(), PauliTransferSimulator(NoiseModel.depolarizing(1e-3, 1e-2))):
        energies = simulator.expectations(circuit, observable, grid[:, None])
        assert energies.max() - energies.min() > 0.1
        for optimizer in (Rotosolve(), ScanLBFGS()):
            found = optimizer.minimize(simulator, circuit, observable, 1).energy
            assert found == pytest.approx(energies.min(), abs=1e-7)


def test_other_formats() -> None:
    info = pytest.importorskip("qiskit.quantum_info")
    from qiskit import QuantumCircuit, qasm3

    circuit = random_circuit(3, 30, 2, (*NEW, "h", "cx"))
    truth = qasm3.loads(circuit.to_qasm3())
    overlap = np.vdot(info.Operator(truth).data, info.Operator(circuit.to_qiskit()).data)
    assert abs(overlap) == pytest.approx(8.0, abs=1e-10)
    assert Circuit.from_qasm3(circuit.to_qasm3()) == circuit == Circuit.from_qasm3(f"// x\n{circuit.to_qasm3()}")
    text = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; rzz(0.3) q[0],q[1]; rxx(0.2) q[1],q[0]; p(pi) q[0];'
    assert Circuit.from_qasm2(text) == Circuit(2).rzz(0.3, 0, 1).rxx(0.2, 1, 0).p(np.pi, 0)
    with_u = QuantumCircuit(1)
    with_u.u(0.1, -0.2, 0.3, 0)
    assert Circuit.from_qiskit(with_u) == Circuit(1).u(0.1, -0.2, 0.3, 0)
    overlap = np.vdot(info.Operator(with_u).data, info.Operator(Circuit(1).u(0.1, -0.2, 0.3, 0).to_qiskit()).data)
    assert abs(overlap) == pytest.approx(2.0, abs=1e-12)


def test_simplification_and_drawing() -> None:
    circuit = Circuit(3).rzz(0.3, 0, 1).p(0.2, 0).rz(0.1, 1).rzz(-0.3, 1, 0).p(-0.2, 0).ryy(2 * np.pi, 1, 2).rz(-0.1, 1)
    assert len(circuit.simplified()) == 0
    assert Circuit(2).rxx(0.5, 0, 1).rxx(0.25, 1, 0).x(1).simplified() == Circuit(2).rxx(0.75, 0, 1).x(1)
    assert Circuit(3).rzz(0.5, 2, 0).p(1.0, 1).draw() == (
        "q0: ──RZZ─────────────────\n      │\nq1: ──┼───────────P(1.000)\n      │\nq2: ──RZZ(0.500)──────────"
    )
    pytest.importorskip("matplotlib")
    texts = [text.get_text() for text in circuit.draw("mpl").axes[0].texts]
    assert texts.count("RZZ") == 4
    assert texts.count("0.30") == 2


def test_environments_offer_them() -> None:
    env = gym.make("QAS-TFIM-v0", num_qubits=3, gates=["rzz", "rx", "p"], max_gates=6).unwrapped
    assert isinstance(env, CircuitBuildingEnv)
    _, info = env.reset(seed=0)
    assert len(env.catalogue) == 3 + 6  # unordered pairs; two gates on each qubit
    for gate, *qubits in (("rx", 0), ("rx", 1), ("rx", 2), ("rzz", 2, 0)):
        observation, *_, info = env.step(env.catalogue.index(gate, *qubits))
    assert env.observation_space.contains(observation)
    assert env.circuit.count_ops() == {"rx": 3, "rzz": 1}
    assert info["num_two_qubit_gates"] == 1
    assert [len(ActionCatalogue(4, name)) for name in ("crlqas", "ry_cz", "ibm_ecr")] == [24, 10, 24]  # as before
    with pytest.raises(ValueError, match=r"three angles.*'rz', 'ry', 'rz'"):
        ActionCatalogue(2, ["u", "cx"])
    with pytest.raises(ValueError, match="three angles"):
        Circuit(1).append("u", [0], 0.1)
