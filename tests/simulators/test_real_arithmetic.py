"""Real arithmetic, and circuits of blocks, against the complex simulator and against differences of energies."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from qiskit.quantum_info import Statevector

from qas_simulators import Circuit, PauliSum, StatevectorSimulator
from qas_simulators.block_circuits import BlockBench, BlockCircuit
from qas_simulators.exponentials import pauli_exponential, real_exponential
from qas_simulators.optimizers import ScanLBFGS
from qas_simulators.real_arithmetic import insertion_slopes, is_real

HAMILTONIAN = PauliSum({"XXIII": 0.3, "ZZIYY": 0.7, "ZIIII": 0.2, "IXZXI": -0.4, "IIIZZ": 0.5, "XXXXI": 0.4})
REAL, COMPLEX = StatevectorSimulator(real_arithmetic=True), StatevectorSimulator()


def random_circuit(rng: np.random.Generator, size: int) -> Circuit:
    circuit = Circuit(5)
    for _ in range(size):
        a, b = map(int, rng.choice(5, 2, replace=False))
        name = str(rng.choice(["ry", "ry", "ry", "cx", "cz", "swap", "h", "x", "z"]))
        angle = float(rng.normal()) if name == "ry" else None
        circuit.append(name, [a, b] if name in ("cx", "cz", "swap") else [a], angle)
    return circuit


@pytest.mark.parametrize("seed", range(8))
def test_energies_and_gradients_are_those_of_complex_arithmetic(seed: int) -> None:
    circuit = random_circuit(np.random.default_rng(seed), 40)
    assert is_real(circuit.table, HAMILTONIAN)
    energy, gradient = REAL.expectation_and_gradient(circuit, HAMILTONIAN)
    other, slopes = COMPLEX.expectation_and_gradient(circuit, HAMILTONIAN)
    qiskit = Statevector(circuit.to_qiskit()).expectation_value(HAMILTONIAN.to_qiskit()).real
    assert energy == pytest.approx(other, abs=1e-12) == pytest.approx(qiskit, abs=1e-12)
    np.testing.assert_allclose(gradient, slopes, atol=1e-12)


def test_minima_and_scans_are_those_of_complex_arithmetic() -> None:
    circuit = random_circuit(np.random.default_rng(3), 30)
    for new in (0, 3):
        found = [ScanLBFGS().minimize(simulator, circuit, HAMILTONIAN, new) for simulator in (REAL, COMPLEX)]
        assert found[0].energy == pytest.approx(found[1].energy, abs=1e-8)
        assert found[0].energy < REAL.expectation(circuit, HAMILTONIAN) - 0.1


def test_complex_gates_and_observables_are_still_simulated() -> None:
    circuit = random_circuit(np.random.default_rng(1), 10).rz(0.3, 0).s(2)
    for observable in (HAMILTONIAN, PauliSum({"YIIII": 1.0, "ZZIII": 0.5})):
        assert REAL.expectation(circuit, observable) == COMPLEX.expectation(circuit, observable)
    assert REAL.statevector(circuit).tolist() == COMPLEX.statevector(circuit).tolist()


def test_slopes_of_insertions_are_differences_of_energies() -> None:
    rng = np.random.default_rng(2)
    circuit = random_circuit(rng, 25)
    labels = ["YIIII", "IXYII", "IIZYX", "XXXYI", "YYYXZ"]
    strings = [PauliSum({label: 1.0}) for label in labels]
    places = np.array([25, 11, 0])
    masks = np.array([one.x[0] for one in strings]), np.array([one.z[0] for one in strings])
    _, slopes = insertion_slopes(circuit, HAMILTONIAN, places, *masks)
    for row, place in enumerate(places):
        for column, label in enumerate(labels):
            energies = []
            for angle in (1e-4, -1e-4):
                middle = Circuit(5)
                pauli_exponential(label).append_to(middle, angle)
                gates = [*circuit]
                whole = Circuit(5)
                for gate in [*gates[:place], *middle, *gates[place:]]:
                    whole.append(*gate)
                energies.append(COMPLEX.expectation(whole, HAMILTONIAN))
            assert slopes[row, column] == pytest.approx((energies[0] - energies[1]) / 2e-4, abs=1e-6)


@pytest.mark.parametrize("label", ["Y", "XYI", "ZIYX", "XZYZX", "YYY", "YZYXY"])
def test_real_exponentials_are_exponentials(label: str) -> None:
    made = []
    for exponential in (real_exponential(label), pauli_exponential(label)):
        circuit = Circuit(len(label))
        for qubit in range(len(label)):
            circuit.h(qubit).t(qubit)
        exponential.append_to(circuit, 0.7)
        made.append(Statevector(circuit.to_qiskit()))
    assert made[0].equiv(made[1])


def bench_and_circuit(entangler: str, is_reversed: bool, blocks: int = 7) -> tuple[BlockBench, BlockCircuit]:
    rng = np.random.default_rng(4)
    ways = [pair[::-1] if is_reversed else pair for pair in combinations(range(5), 2)]
    pairs = tuple(ways[k] for k in rng.integers(10, size=blocks))
    return BlockBench(HAMILTONIAN, entangler, ways), BlockCircuit(pairs, rng.normal(size=5 + 2 * blocks))


@pytest.mark.parametrize("entangler", ["cx", "cz"])
@pytest.mark.parametrize("is_reversed", [False, True])
def test_inserted_blocks_are_the_identity_and_have_the_slope_that_they_claim(entangler: str, is_reversed: bool) -> None:
    bench, circuit = bench_and_circuit(entangler, is_reversed)
    energy = bench.energies([circuit])[0]
    for found, added in ((bench.insertions(circuit, range(8)), 2), (bench.quadruples(circuit, 9), 6)):
        assert found
        for one in found:
            value, gradient = COMPLEX.expectation_and_gradient(bench.circuit(one.circuit), HAMILTONIAN)
            assert len(one.circuit.pairs) == 7 + added
            assert value == pytest.approx(energy, abs=1e-12)
            own = gradient[5:].reshape(-1, 2)
            sizes = np.linalg.norm(own, axis=1) if added == 2 else np.abs(own).ravel()
            assert np.abs(sizes - one.slope).min() < 1e-9


@pytest.mark.parametrize("removed", [[2], [0, 3], [1, 2, 6]])
def test_a_removed_block_leaves_its_rotations(removed: list[int]) -> None:
    bench, circuit = bench_and_circuit("cx", False)
    gates = [*bench.circuit(circuit)]
    entanglers = [place for place, gate in enumerate(gates) if len(gate.qubits) == 2]
    whole = Circuit(5)
    for place, gate in enumerate(gates):
        if place not in [entanglers[k] for k in removed]:
            whole.append(*gate)
    shorter = circuit.without(removed)
    assert len(shorter.pairs) == 7 - len(removed)
    assert bench.energies([shorter])[0] == pytest.approx(COMPLEX.expectation(whole, HAMILTONIAN), abs=1e-12)


def test_a_moved_block_keeps_its_angles() -> None:
    _, circuit = bench_and_circuit("cx", False)
    moved = circuit.moved(1, 4)
    assert moved.pairs[4] == circuit.pairs[1]
    assert moved.angles[5 + 8 : 5 + 10].tolist() == circuit.angles[5 + 2 : 5 + 4].tolist()
    assert moved.moved(4, 1).angles.tolist() == circuit.angles.tolist()


def test_minima_are_minima_and_evaluations_are_counted() -> None:
    bench, circuit = bench_and_circuit("cx", False)
    found = bench.minimize([circuit, circuit.without([0])], 300)
    assert bench.evaluations > 10
    for one, energy in zip(found.circuits, found.energies, strict=True):
        value, gradient = COMPLEX.expectation_and_gradient(bench.circuit(one), HAMILTONIAN)
        assert value == pytest.approx(energy, abs=1e-12)
        assert np.abs(gradient).max() < 1e-2
    assert found.energies[0] < bench.energies([circuit])[0] - 0.1


def test_what_cannot_be_simulated_is_refused() -> None:
    with pytest.raises(ValueError, match="real matrix"):
        BlockBench(PauliSum({"YI": 1.0}))
    with pytest.raises(ValueError, match="ecr"):
        BlockBench(HAMILTONIAN, "ecr")
    with pytest.raises(ValueError, match="pairs of 5 qubits"):
        BlockBench(HAMILTONIAN, "cx", [(0, 7)])
    with pytest.raises(ValueError, match="odd number of Y"):
        real_exponential("YY")
