"""Stabiliser states and the simulator of Clifford circuits, against statevectors, Qiskit and stim."""

from __future__ import annotations

import numpy as np
import pytest
from qiskit.quantum_info import StabilizerState as QiskitState

from qas_simulators import Circuit, PauliSum, StabilizerSimulator, StabilizerState, StatevectorSimulator
from qas_simulators.gates import GATES
from qas_simulators.stabilizers import graph_form, is_clifford

CLIFFORDS = [gate for row, gate in enumerate(GATES) if is_clifford(row)]


def random_circuit(num_qubits: int, num_gates: int, rng: np.random.Generator) -> Circuit:
    circuit = Circuit(num_qubits)
    for _ in range(num_gates):
        gate = CLIFFORDS[rng.integers(len(CLIFFORDS))]
        if gate.num_qubits <= num_qubits:
            circuit.append(gate.name, rng.permutation(num_qubits)[: gate.num_qubits].tolist())
    return circuit


def random_observable(num_qubits: int, num_terms: int, rng: np.random.Generator) -> PauliSum:
    return PauliSum({"".join(rng.choice(list("IXYZ"), num_qubits)): float(rng.normal()) for _ in range(num_terms)})


def test_which_gates_are_clifford() -> None:
    names = {gate.name for gate in CLIFFORDS}
    assert names == {"id", "x", "y", "z", "h", "s", "sdg", "sx", "sxdg", "cx", "cz", "ecr", "swap"}


@pytest.mark.parametrize("seed", range(20))
def test_energies_are_those_of_the_statevector(seed: int) -> None:
    rng = np.random.default_rng(seed)
    num_qubits = 1 + seed % 6
    circuit, observable = random_circuit(num_qubits, 40, rng), random_observable(num_qubits, 30, rng)
    exact, ours = StatevectorSimulator(), StabilizerSimulator()
    assert ours.expectation(circuit, observable) == pytest.approx(exact.expectation(circuit, observable), abs=1e-12)
    np.testing.assert_allclose(ours.term_means(circuit, observable), exact.term_means(circuit, observable), atol=1e-12)
    energies, gradients = ours.expectations_and_gradients(circuit, observable, np.empty((2, 0)))
    assert gradients.shape == (2, 0) and energies[1] == ours.expectation(circuit, observable)


@pytest.mark.parametrize("seed", range(20))
def test_states_are_those_of_the_statevector(seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    first, second = (random_circuit(1 + seed % 5, 30, rng) for _ in range(2))
    states = StabilizerState.of_circuit(first), StabilizerState.of_circuit(second)
    amplitudes = [StatevectorSimulator().statevector(circuit) for circuit in (first, second)]
    assert states[0].overlap(states[1]) == pytest.approx(abs(np.vdot(*amplitudes)) ** 2, abs=1e-12)
    assert (states[0] == states[1]) == (states[0].overlap(states[1]) == 1.0)
    assert abs(StatevectorSimulator().expectation(first, states[0].observable())) < 1e-12
    assert StabilizerState.of_circuit(graph_form(states[0]).circuit) == states[0]
    assert QiskitState.from_stabilizer_list(states[0].labels()).equiv(QiskitState(first.to_qiskit()))


def test_the_spectrum_of_the_observable_has_a_gap() -> None:
    state = StabilizerState.of_circuit(random_circuit(4, 40, np.random.default_rng(1)))
    lowest = np.linalg.eigvalsh(state.observable().to_matrix())
    np.testing.assert_allclose(lowest[:2], [0.0, 1.0], atol=1e-12)
    assert lowest[-1] == pytest.approx(4.0)


def test_common_ranks_by_enumeration() -> None:
    rng = np.random.default_rng(5)
    for _ in range(20):
        first, second = (StabilizerState.of_circuit(random_circuit(3, 12, rng)) for _ in range(2))
        groups = []
        for state in (first, second):
            group = {(0, 0)}
            for x, z, _ in state.strings:
                group |= {(x ^ a, z ^ b) for a, b in group}
            groups.append(group)
        assert 2 ** first.common_rank(second) == len(groups[0] & groups[1])


@pytest.mark.parametrize("num_qubits", [61, 100, 128])
def test_large_circuits_against_stim(num_qubits: int) -> None:
    stim = pytest.importorskip("stim")
    rng = np.random.default_rng(num_qubits)
    circuit = random_circuit(num_qubits, 400, rng)
    names = {"sx": "SQRT_X", "sxdg": "SQRT_X_DAG", "sdg": "S_DAG", "id": "I"}
    simulator = stim.TableauSimulator()
    for name, qubits, _ in circuit:
        if name == "ecr":  # X on the first qubit before exp(-i pi/4 ZX) up to Clifford gates on single qubits
            first, second = qubits
            for part, on in (("S", [first]), ("SQRT_X", [second]), ("CX", [first, second]), ("X", [first])):
                simulator.do(stim.CircuitInstruction(part, on))
        else:
            simulator.do(stim.CircuitInstruction(names.get(name, name.upper()), qubits))
    state = StabilizerState.of_circuit(circuit)
    theirs = simulator.canonical_stabilizers()
    labels = [str(one).replace("_", "I") for one in theirs]
    assert StabilizerState.from_labels([label[0] + label[:0:-1] for label in labels]) == state
    assert StabilizerSimulator().expectation(circuit, state.observable()) == pytest.approx(0.0, abs=1e-12)


def test_wide_pauli_sums() -> None:
    wide, narrow = {"X" + 69 * "I": 1.0, 70 * "Z": -2.0, 70 * "Y": 0.25}, PauliSum({"ZZ": 1.0})
    both = PauliSum(wide) + PauliSum({70 * "Z": 0.5})
    assert both.terms() == {**wide, 70 * "Z": -1.5} and len(both) == 3
    assert PauliSum.from_masks(70, both.x, both.z, both.coefficients) == both
    assert both.is_real  # an even number of Y
    with pytest.raises(ValueError, match="fit into"):
        StatevectorSimulator().expectation(Circuit(70), both)
    with pytest.raises(ValueError, match="must hold integers from 0"):
        PauliSum.from_masks(70, [1 << 70], [0], [1.0])
    with pytest.raises(ValueError, match="act on 70 qubits"):
        StabilizerSimulator().expectation(Circuit(70), narrow)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["XX", "ZI"], "must commute"),
        (["XX", "XX"], "must be independent"),
        (["XX"], "be 2 strings"),
        (["XX", "ZZZ"], "2 letters"),
        (["XX", "ZA"], "2 letters"),
        ([], "be a list"),
        ("XX", "be a list"),
    ],
)
def test_generators_that_do_not_fit(labels: list[str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        StabilizerState.from_labels(labels)


def test_what_it_refuses() -> None:
    observable = PauliSum({"Z": 1.0})
    with pytest.raises(ValueError, match="Clifford gates only, but is 'rx'"):
        StabilizerSimulator().expectation(Circuit(1).rx(np.pi, 0), observable)
    with pytest.raises(ValueError, match="Clifford gates only, but is 't'"):
        StabilizerState.of_circuit(Circuit(1).t(0))
    with pytest.raises(ValueError, match="no shot noise"):
        StabilizerSimulator(shots=10)
