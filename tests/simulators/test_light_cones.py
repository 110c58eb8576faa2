"""Energies as sums over light cones, against whole states and against a closed form."""

from __future__ import annotations

import numpy as np
import pytest

from qas_envs.problems import heisenberg, tfim
from qas_simulators import Circuit, PauliSum, StatevectorSimulator, light_cones
from qas_simulators.flat_circuit import Link
from qas_simulators.gates import GATES, gate_index
from qas_simulators.light_cones import ConeProgram, KernelRotations, constant_of
from qas_simulators.optimizers import ScanLBFGS
from qas_simulators.program import statevector_program

WHOLE = StatevectorSimulator(light_cones=False)


def shallow_circuit(num_qubits: int, num_gates: int, rng: np.random.Generator) -> Circuit:
    """Return a circuit of gates of any kind on neighbours, in any order."""
    circuit = Circuit(num_qubits)
    for _ in range(num_gates):
        gate = GATES[rng.integers(len(GATES))]
        first = int(rng.integers(num_qubits - 1))
        qubits = [first, first + 1] if rng.integers(2) else [first + 1, first]
        circuit.append(gate.name, qubits[: gate.num_qubits], float(rng.normal()) if gate.num_params else None)
    return circuit


def program_of(circuit: Circuit, observable: PauliSum) -> ConeProgram:
    parts = light_cones.light_cones(circuit, observable)
    assert parts is not None
    return ConeProgram(
        parts,
        constant_of(observable),
        circuit.num_rotations,
        lambda one, own: KernelRotations(statevector_program(one.table[None], own)),
    )


@pytest.mark.parametrize("seed", range(6))
def test_energies_and_gradients_are_those_of_whole_states(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """All gates of the table, on 8 qubits where the kernels of small registers are the reference."""
    monkeypatch.setattr(light_cones, "_LEAST_BITS", 2)
    monkeypatch.setattr(light_cones, "_WORTH", np.inf)
    rng = np.random.default_rng(seed)
    circuit = shallow_circuit(8, 4 + 6 * seed, rng)
    words = ["XX", "ZZ", "YX", "IY", "ZI"]
    terms = {"I" * k + words[rng.integers(5)] + "I" * (6 - k): float(rng.normal()) for k in range(7)}
    observable = PauliSum(terms | {"I" * 8: 0.7, "ZIIIIIIX": 0.2 * seed + 0.1})
    energy, gradient = program_of(circuit, observable).energy_and_gradient(circuit.params)
    expected = StatevectorSimulator().expectation_and_gradient(circuit, observable)
    assert energy == pytest.approx(expected[0], abs=1e-12)
    np.testing.assert_allclose(gradient, expected[1], atol=1e-12)


def test_gates_outside_a_cone_are_left_out() -> None:
    """A staircase: the mean of Z on qubit k depends on the k + 1 first qubits only."""
    circuit = Circuit(16)
    for qubit in range(15):
        circuit.ry(0.1, qubit).cx(qubit, qubit + 1)
    parts = light_cones.light_cones(circuit, PauliSum({"I" * 12 + "ZIII": 1.0, "I" * 16: 3.0}))
    assert parts is not None and len(parts) == 1
    assert parts[0].circuit.num_qubits == 5  # qubit 3 is the control of the CX onto qubit 4
    assert parts[0].rotations.tolist() == [0, 1, 2, 3]


def test_whole_states_where_cones_cost_more() -> None:
    circuit = Circuit(16)
    for _ in range(3):
        for qubit in range(15):
            circuit.ry(0.1, qubit).cx(qubit, qubit + 1)
    assert light_cones.light_cones(circuit, tfim(16).hamiltonian) is None
    everywhere = PauliSum({"Z" * 16: 1.0})
    assert light_cones.light_cones(Circuit(16).cx(0, 1), everywhere) is None


def test_sixteen_qubits() -> None:
    """Bricks on 16 qubits with shared angles: by cones, by whole states, and minimised."""
    observable = heisenberg(16).hamiltonian
    circuit = Circuit(16)
    for qubit in range(0, 16, 2):
        circuit.ry(0.3 + 0.1 * qubit, qubit).cx(qubit, qubit + 1).rx(0.2, qubit + 1)
    shared = circuit.append_param(0.4)
    for qubit in range(1, 15, 2):
        circuit.append_linked(gate_index("ry"), qubit, -1, Link(shared, 1.0, 0.1))
    assert light_cones.light_cones(circuit, observable) is not None
    energy, gradient = StatevectorSimulator().expectation_and_gradient(circuit, observable)
    expected = WHOLE.expectation_and_gradient(circuit, observable)
    assert energy == pytest.approx(expected[0], abs=1e-11)
    np.testing.assert_allclose(gradient, expected[1], atol=1e-11)
    found = [ScanLBFGS(max_iterations=5).minimize(one, circuit, observable) for one in (StatevectorSimulator(), WHOLE)]
    assert found[0].energy == pytest.approx(found[1].energy, abs=1e-8)


def test_turned_spins_on_twenty_qubits() -> None:
    """Equal turns have the energy of the mean-field state."""
    circuit = Circuit(20)
    for qubit in range(20):
        circuit.ry(1.0, qubit)
    energy = StatevectorSimulator().expectation(circuit, tfim(20).hamiltonian)
    assert energy == pytest.approx(-19 * np.cos(1.0) ** 2 - 20 * np.sin(1.0), abs=1e-11)


def test_parts_whose_angles_stay_are_not_evaluated_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(light_cones, "_LEAST_BITS", 2)
    circuit = Circuit(16)
    for qubit in range(16):
        circuit.ry(0.1 * qubit, qubit)
    program = program_of(circuit, PauliSum({"I" * k + "Z" + "I" * (15 - k): 1.0 for k in range(16)}))
    calls: list[int] = []
    energy = KernelRotations.energy
    monkeypatch.setattr(KernelRotations, "energy", lambda self, own: (calls.append(1), energy(self, own))[1])
    angles = circuit.params
    program.energy(angles)
    first = len(calls)
    angles[3] += 0.5
    assert program.energy(angles) == pytest.approx(np.cos(angles).sum(), abs=1e-12)
    assert first > 1 and len(calls) == first + 1
