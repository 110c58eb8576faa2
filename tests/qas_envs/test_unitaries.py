"""Compilation, diagonalisation and classification: values from Qiskit, NumPy, scikit-learn and closed forms."""

from __future__ import annotations

import math
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from qiskit import QuantumCircuit, transpile
from qiskit.circuit.library import CCXGate, CHGate, CSGate, CXGate, QFTGate, SwapGate, UnitaryGate, iSwapGate
from qiskit.quantum_info import DensityMatrix, Operator, Statevector, average_gate_fidelity, random_unitary
from qiskit.synthesis import TwoQubitBasisDecomposer
from qiskit.synthesis.two_qubit.local_invariance import two_qubit_local_invariants

from qas_agents import skeleton_floors
from qas_envs import make_env
from qas_envs.problems import (
    Problem,
    classifier,
    diagonalization,
    fewest_cx,
    known_floors,
    linear_cost,
    makhlin_invariants,
    unitary,
)
from qas_envs.problems.classification import data_set, encoded, outputs
from qas_envs.problems.diagonalization import dephasing_cost, eigenpairs, mixed_state
from qas_envs.problems.linear_costs import prepared_state
from qas_envs.problems.unitaries import matrix_of, target_matrix
from qas_simulators import Circuit, PauliSum, StatevectorSimulator
from qas_simulators.optimizers import ScanLBFGS


def energy(circuit: Circuit, problem: Problem) -> float:
    return StatevectorSimulator().expectation(circuit, problem.hamiltonian)


def circuit_of(matrix: Any) -> Circuit:
    """Return Qiskit's circuit of a unitary."""
    size = len(matrix).bit_length() - 1
    draft = QuantumCircuit(size)
    draft.append(UnitaryGate(matrix), range(size))
    return Circuit.from_qiskit(transpile(draft, basis_gates=["u", "cx"], optimization_level=1))


# -- compilation -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("num_qubits", [1, 2, 3])
def test_the_energy_is_the_distance_from_the_target_without_a_phase(num_qubits: int) -> None:
    target = random_unitary(2**num_qubits, seed=num_qubits)
    problem = unitary(matrix=target.data)
    other = circuit_of(random_unitary(2**num_qubits, seed=9).data)
    overlap = np.trace(Operator(other.to_qiskit()).data.conj().T @ target.data)
    expected = 1 - abs(overlap) ** 2 / 4**num_qubits
    assert energy(other, problem) == pytest.approx(expected, abs=1e-12)
    share = 2**num_qubits / (2**num_qubits + 1)  # Horodecki et al.: of the average infidelity
    average = 1 - average_gate_fidelity(Operator(other.to_qiskit()), target)
    assert average == pytest.approx(share * energy(other, problem), abs=1e-12)
    assert energy(circuit_of(np.exp(0.7j) * target.data), problem) == pytest.approx(0.0, abs=1e-12)
    assert problem.num_qubits == num_qubits and problem.ground_energy == 0.0


@pytest.mark.parametrize(
    ("target", "gate"),
    [
        ("cx", CXGate(ctrl_state=1)),
        ("ch", CHGate()),
        ("cs", CSGate()),
        ("iswap", iSwapGate()),
        ("swap", SwapGate()),
        ("toffoli", CCXGate()),
        ("qft", QFTGate(2)),
    ],
)
def test_named_targets_are_qiskits(target: str, gate: Any) -> None:
    order = {"cx": [1, 0], "ch": [1, 0], "toffoli": [2, 1, 0]}.get(target, [*range(gate.num_qubits)])  # controls above
    whole = QuantumCircuit(gate.num_qubits)
    whole.append(gate, order)
    np.testing.assert_allclose(target_matrix(target), Operator(whole).data, atol=1e-12)


def test_random_targets_are_unitary_and_depend_on_the_seed() -> None:
    first, other = target_matrix("random", 3, 0), target_matrix("random", 3, 1)
    np.testing.assert_allclose(first @ first.conj().T, np.eye(8), atol=1e-12)
    np.testing.assert_array_equal(first, target_matrix("random", 3, 0))
    assert abs(np.trace(first.conj().T @ other)) < 7
    circuit = Circuit(2).ry(0.3, 0).cx(0, 1).rz(0.2, 1)
    np.testing.assert_allclose(matrix_of(circuit), Operator(circuit.to_qiskit()).data, atol=1e-12)


@pytest.mark.parametrize("number", range(4))
@pytest.mark.parametrize("seed", range(3))
def test_classes_of_cx_by_makhlins_invariants(number: int, seed: int) -> None:
    """Circuits with 0 to 3 CX and random one-qubit gates, of which Qiskit knows how many they need."""
    rng = np.random.default_rng((number, seed))
    circuit = Circuit(2)
    for k in range(number + 1):
        if k:
            circuit.cx(0, 1)
        for qubit in (0, 1):
            circuit.u(*rng.uniform(-np.pi, np.pi, 3), qubit)
    matrix = np.exp(1j * rng.uniform(-3, 3)) * Operator(circuit.to_qiskit()).data
    assert fewest_cx(matrix) == number == TwoQubitBasisDecomposer(CXGate()).num_basis_gates(matrix)
    first, second = makhlin_invariants(matrix)
    np.testing.assert_allclose([first.real, first.imag, second], two_qubit_local_invariants(matrix), atol=1e-9)
    turned = np.kron(random_unitary(2, seed=1).data, random_unitary(2, seed=2).data) @ matrix
    np.testing.assert_allclose(makhlin_invariants(turned), (first, second), atol=1e-9)


@pytest.mark.parametrize(
    ("target", "number", "invariants"),
    [
        ("cx", 1, (0.0, 1.0)),
        ("ch", 1, (0.0, 1.0)),
        ("cs", 2, (0.5, 2.0)),
        ("iswap", 2, (0.0, -1.0)),
        ("swap", 3, (-1.0, -3.0)),
        ("qft", 3, None),
        ("random", 3, None),
    ],
)
def test_floors_are_the_known_numbers_of_cx(target: str, number: int, invariants: tuple[float, float] | None) -> None:
    """Invariants as in Makhlin's table; the exhaustive search finds the same number of CX as the criterion."""
    matrix, problem = target_matrix(target), unitary(target)
    assert fewest_cx(matrix) == number
    if invariants:
        np.testing.assert_allclose(makhlin_invariants(matrix), invariants, atol=1e-9)
    found = list(skeleton_floors(problem.hamiltonian, 3, starts=8, enough=1e-9))
    assert [floor.energy < 1e-9 for floor in found] == [False] * number + [True]
    np.testing.assert_allclose(matrix_of(found[-1].circuit), _phase(found[-1].circuit, matrix) * matrix, atol=1e-4)
    known = known_floors(problem)
    assert [floor.two_qubit_gates for floor in known] == [*range(number + 1)]
    np.testing.assert_allclose([floor.error for floor in known], [floor.energy for floor in found], atol=1e-6)


def _phase(circuit: Circuit, matrix: Any) -> complex:
    overlap = complex(np.trace(matrix.conj().T @ matrix_of(circuit)))
    return overlap / abs(overlap)


def test_circuits_of_clifford_and_t() -> None:
    """Textbook circuits: controlled S with 3 T, controlled H with 2 T, Toffoli with 7 T, all exact."""
    controlled_s = Circuit(2).t(0).t(1).cx(0, 1).tdg(1).cx(0, 1)
    controlled_h = Circuit(2).s(0).h(0).t(0).cx(1, 0).tdg(0).h(0).sdg(0)
    toffoli = Circuit(3).h(0).cx(1, 0).tdg(0).cx(2, 0).t(0).cx(1, 0).tdg(0).cx(2, 0).t(1).t(0).h(0)
    toffoli.cx(2, 1).t(2).tdg(1).cx(2, 1)
    for circuit, target in ((controlled_s, "cs"), (controlled_h, "ch"), (toffoli, "toffoli")):
        assert energy(circuit, unitary(target)) == pytest.approx(0.0, abs=1e-12), target
        shorter = Circuit(circuit.num_qubits)
        for name, qubits, _ in [*circuit][:-1]:
            shorter.append(name, qubits)
        assert energy(shorter, unitary(target)) > 0.1, "and no gate is in vain"


def test_an_episode_builds_a_controlled_s_gate_by_gate() -> None:
    env = gym.make("QAS-Unitary-v0", target="cs", gates=["t", "tdg", "cx"], optimizer="none").unwrapped
    places = {(action.gate, action.qubits): k for k, action in enumerate(env.catalogue.actions)}  # type: ignore[attr-defined]
    env.reset(seed=0)
    for gate in [("t", (0,)), ("t", (1,)), ("cx", (0, 1)), ("tdg", (1,)), ("cx", (0, 1))]:
        _, _, terminated, _, info = env.step(places[gate])
    assert terminated and info["success"] and info["num_gates"] == 5
    assert "tdg q[1];" in env.circuit.to_qasm3() and "qubit[2] q;" in env.circuit.to_qasm3()  # type: ignore[attr-defined]
    assert env.circuit.to_qiskit().num_qubits == 2  # type: ignore[attr-defined]


def test_a_vector_environment_equals_single_ones() -> None:
    settings: dict[str, Any] = {"target": "cs", "actions": "blocks"}
    single = gym.make("QAS-Unitary-v0", **settings)
    several = gym.make_vec("QAS-Unitary-v0", num_envs=2, **settings)
    single.reset(seed=0)
    several.reset(seed=0)
    for _ in range(2):
        expected = single.step(0)[4]["energy"]
        assert several.step(np.zeros(2, dtype=np.int64))[4]["energy"].tolist() == [expected, expected]


# -- linear costs ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_real", [False, True])
def test_states_are_prepared(is_real: bool) -> None:
    rng = np.random.default_rng(0)
    vector = rng.normal(size=16) + 1j * (0 if is_real else 1) * rng.normal(size=16)
    vector[[2, 3, 9]] = 0
    vector /= np.linalg.norm(vector)
    circuit = prepared_state(vector)
    assert abs(np.vdot(vector, Statevector(circuit.to_qiskit()).data)) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("seed", range(4))
def test_linear_costs_and_their_lowest_value(seed: int) -> None:
    rng = np.random.default_rng(seed)
    operator = rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))
    operator = operator + operator.conj().T
    if seed == 1:
        operator = np.diag([1.0, 0.0, -2.0, 0.0]).astype(complex)  # without full rank
    observable = PauliSum({"ZI": 0.7, "XX": -0.4, "YI": 0.2, "II": 0.3})
    problem = linear_cost("test", operator, observable, constant=0.25)
    circuit = circuit_of(random_unitary(4, seed=seed).data)
    matrix = Operator(circuit.to_qiskit()).data
    expected = 0.25 + np.trace(observable.to_matrix() @ matrix @ operator @ matrix.conj().T).real
    assert energy(circuit, problem) == pytest.approx(expected, abs=1e-12) and expected > problem.ground_energy
    # the unitary between sorted eigenvectors has the lowest cost
    lower, upper = np.linalg.eigh(operator)[1], np.linalg.eigh(observable.to_matrix())[1][:, ::-1]
    best = circuit_of(upper @ lower.conj().T)
    assert energy(best, problem) == pytest.approx(problem.ground_energy, abs=1e-9)


def test_an_instance_is_known_by_its_state_and_not_by_eigenvectors() -> None:
    rho = np.diag([0.4, 0.3, 0.3, 0.0]).astype(complex)
    turn = np.eye(4, dtype=complex)
    turn[1:3, 1:3] = random_unitary(2, seed=0).data  # between equal eigenvalues
    same = diagonalization(state=turn @ rho @ turn.conj().T)
    assert diagonalization(state=rho).digest == same.digest
    assert diagonalization(state=np.diag([0.3, 0.4, 0.3, 0.0])).digest != same.digest
    assert unitary("cx").digest == unitary(matrix=np.exp(0.3j) * target_matrix("cx")).digest
    assert len({unitary(target).digest for target in ("cx", "ch", "cs", "swap", "iswap", "qft")}) == 6


# -- diagonalisation ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"num_qubits": 1, "rank": 2},
        {"num_qubits": 3, "rank": 3, "seed": 5},
        {"kind": "heisenberg", "num_qubits": 2},
    ],
)
def test_the_lowest_energy_is_that_of_sorted_eigenvalues(settings: dict[str, Any]) -> None:
    problem, rho = diagonalization(**settings), DensityMatrix(mixed_state(**settings))
    assert rho.is_valid()
    size = 2**problem.num_qubits
    values, vectors = np.linalg.eigh(rho.data)
    levels = np.arange(size) / (size - 1)
    assert problem.ground_energy == pytest.approx(values[::-1] @ levels, abs=1e-12)
    best = circuit_of(vectors[:, ::-1].conj().T)
    assert energy(best, problem) == pytest.approx(problem.ground_energy, abs=1e-9)
    other = circuit_of(random_unitary(size, seed=1).data)
    after = rho.evolve(Operator(other.to_qiskit()))
    assert energy(other, problem) == pytest.approx(np.diag(after.data).real @ levels, abs=1e-12)
    found, states = eigenpairs(best, rho.data)
    np.testing.assert_allclose(found, values[::-1], atol=1e-9)
    np.testing.assert_allclose(rho.data @ states, states * found, atol=1e-8)
    assert dephasing_cost(best, rho.data) == pytest.approx(0.0, abs=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_an_error_of_the_energy_bounds_eigenvalues_and_the_published_cost(seed: int) -> None:
    rho = mixed_state("random", 2, 4, seed)
    problem, values = diagonalization(seed=seed), np.linalg.eigvalsh(rho)[::-1]
    vectors = np.linalg.eigh(rho)[1][:, ::-1]
    rng = np.random.default_rng(seed)
    for size in (0.02, 0.1, 0.5):
        disturbed = np.linalg.qr(vectors + size * (rng.normal(size=(4, 4)) + 1j * rng.normal(size=(4, 4))))[0]
        circuit = circuit_of(disturbed.conj().T)
        error = energy(circuit, problem) - problem.ground_energy
        after = DensityMatrix(rho).evolve(Operator(circuit.to_qiskit()))
        populations = np.diag(after.data).real
        cost = after.purity().real - populations @ populations
        assert dephasing_cost(circuit, rho) == pytest.approx(cost, abs=1e-9)
        assert 0 < cost <= 2 * 3 * error * values[0] + 1e-12
        assert np.abs(np.sort(populations)[::-1] - values).max() <= 3 * error + 1e-12


def test_half_of_a_heisenberg_chain_is_symmetric_under_rotations() -> None:
    """Two spins of a singlet of four: their state is a mixture of the singlet and, with equal parts, the triplet."""
    values = np.linalg.eigvalsh(mixed_state("heisenberg", 2))
    np.testing.assert_allclose(values[:3], values[0], atol=1e-9)
    # (3 + 4 <S1 S2>) / 12 with <S1 S2> = -(1 + sqrt 3) / 4
    assert values[0] == pytest.approx((2 - math.sqrt(3)) / 12, abs=1e-9)


# -- classification ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["blobs", "xor"])
def test_the_energy_is_the_mean_loss_of_the_points(kind: str) -> None:
    points, labels = data_set(kind, 30, 1)
    problem, circuit = classifier(kind, 2, 30, 1), Circuit(2).ry(0.3, 0).cx(1, 0).rx(0.4, 1).cx(0, 1).ry(-0.9, 0)
    means = []
    for point in points:
        draft = QuantumCircuit(2)
        for qubit in (0, 1):
            draft.ry(point[qubit], qubit)
        state = Statevector(draft.compose(circuit.to_qiskit()))
        means.append(np.abs(state.data) ** 2 @ [1, -1, 1, -1])
    np.testing.assert_allclose(outputs(circuit, points), means, atol=1e-12)
    assert energy(circuit, problem) == pytest.approx(np.mean((1 - labels * means) / 2), abs=1e-12)
    wrong = np.mean(np.sign(means) != labels)
    assert wrong <= 2 * energy(circuit, problem)
    assert classifier(num_qubits=2, points=points, labels=labels).digest == problem.digest


def test_the_lowest_loss_is_helstroms_where_the_qubit_suffices() -> None:
    """Two states: the loss of the best measurement is half of one minus the trace distance, by their overlap."""
    problem = classifier(num_qubits=1, points=[[0.2], [1.1]], labels=[1, -1])
    assert problem.ground_energy == pytest.approx((1 - math.sin(0.45)) / 2, abs=1e-9)
    turned = ScanLBFGS(starts=3).minimize(StatevectorSimulator(), Circuit(1).ry(0.0, 0), problem.hamiltonian)
    assert turned.energy == pytest.approx(problem.ground_energy, abs=1e-9)
    state = StatevectorSimulator().statevector(encoded([0.2, 1.1], 3))
    np.testing.assert_allclose(state, Statevector.from_label("000").evolve(encoded([0.2, 1.1], 3).to_qiskit()).data)


def test_a_found_circuit_classifies_as_well_as_the_bayes_rule_and_a_line_does_not() -> None:
    """Of the blobs sign(x + y) is the best rule: right in Phi(3 / sqrt 2) = 98.3 %; of the xor set sign(x y)."""
    points, labels = data_set("blobs", 1000, 7)
    best_rule = np.mean(np.sign(points.sum(axis=1)) == labels)
    assert best_rule == pytest.approx(0.5 * (1 + math.erf(1.5)), abs=0.01)
    env = make_env("classifier", actions="blocks", problem_settings={"num_points": 80})
    env.reset(seed=0)
    env.step(0)
    assert np.mean(np.sign(outputs(env.circuit, points)) == labels) > best_rule - 0.01
    crossed, signs = data_set("xor", 1000, 7)
    right = 0.5 * (1 + math.erf(math.sqrt(2)))  # the sign of one feature
    assert np.mean(np.sign(crossed.prod(axis=1)) == signs) == pytest.approx(right**2 + (1 - right) ** 2, abs=0.015)
    problem = classifier("xor")
    found = ScanLBFGS(starts=6).minimize(StatevectorSimulator(), _two_blocks(), problem.hamiltonian)
    assert found.energy == pytest.approx(problem.ground_energy, abs=1e-6)
    circuit = _two_blocks()
    circuit.params = found.params
    assert np.mean(np.sign(outputs(circuit, crossed)) == signs) > 0.93
    linear = pytest.importorskip("sklearn.linear_model").LogisticRegression().fit(crossed, signs)
    assert linear.score(crossed, signs) < 0.6


def _two_blocks() -> Circuit:
    circuit = Circuit(2)
    for entangles in (False, True, True):
        if entangles:
            circuit.cx(0, 1)
        for qubit in (0, 1):
            circuit.rz(0.0, qubit).ry(0.0, qubit).rz(0.0, qubit)
    return circuit


# -- baselines and bad input -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("problem", [unitary("ch"), diagonalization(), classifier()], ids=lambda one: one.name)
def test_trivial_baselines_are_in_order(problem: Problem) -> None:
    flips = problem.basis_energies()
    circuits = [Circuit(2), Circuit(2).x(0), Circuit(2).x(1), Circuit(2).x(0).x(1)]
    np.testing.assert_allclose(flips, [energy(one, problem) for one in circuits], atol=1e-12)
    assert problem.empty_energy == pytest.approx(flips[0], abs=1e-12)
    assert energy(problem.best_basis_state(), problem) == pytest.approx(flips.min(), abs=1e-12)
    product = problem.best_product_state()
    assert product.num_two_qubit_gates == 0 and product.count_ops() == {"rz": 4, "ry": 2}
    assert problem.ground_energy + 1e-3 < energy(product, problem) <= flips.min() + 1e-9
    assert problem.lower_bound <= problem.ground_energy and problem.upper_bound >= flips.max()


@pytest.mark.parametrize(
    ("environment", "settings", "message"),
    [
        ("Unitary", {"target": "swop"}, "Did you mean 'swap'"),
        ("Unitary", {"target": "swap", "num_qubits": 3}, "`num_qubits` must be 2 for 'swap', but is 3"),
        ("Unitary", {"num_qubits": 5}, r"must lie in 1\.\.4, but is 5"),
        ("Unitary", {"matrix": [[1, 0], [1, 1]]}, "`matrix` must be unitary"),
        ("Unitary", {"matrix": "swap"}, "`matrix` must be a unitary matrix of numbers"),
        ("Unitary", {"matrix": np.eye(3)}, "`matrix` must have shape"),
        ("Unitary", {"noise": "mumbai"}, "`simulator` must be the noiseless StatevectorSimulator"),
        ("Unitary", {"simulator": "pauli_propagation"}, "`simulator` must be the noiseless StatevectorSimulator"),
        ("Unitary", {"encoding": "hamiltonian_graph"}, "for the encoding 'hamiltonian_graph'"),
        ("Diagonalization", {"kind": "thermal"}, "Choices: heisenberg, random"),
        ("Diagonalization", {"rank": 5}, r"`rank` must lie in 1\.\.4, but is 5"),
        ("Diagonalization", {"num_qubits": 0}, r"`num_qubits` must lie in 1\.\.4, but is 0"),
        ("Diagonalization", {"state": np.eye(2)}, "Hermitian and positive, of trace 1"),
        ("Diagonalization", {"state": [[1.5, 0], [0, -0.5]]}, "Hermitian and positive, of trace 1"),
        ("Diagonalization", {"state": [1.0, 0.0]}, "`state` must have shape"),
        ("Diagonalization", {"state": [["a", 0], [0, 1]]}, "`state` must be a density matrix of numbers"),
        ("Classifier", {"kind": "moons"}, "Choices: blobs, xor"),
        ("Classifier", {"num_points": 1}, "`num_points` must be at least 2"),
        ("Classifier", {"num_qubits": 5}, r"`num_qubits` must lie in 1\.\.4, but is 5"),
        ("Classifier", {"points": [[0.0], [1.0]]}, "must be given together"),
        ("Classifier", {"points": [[0.0], [1.0]], "labels": [0, 1]}, "`labels` must be 2 numbers, 1 or -1"),
        ("Classifier", {"points": [[0.0], [0.0]], "labels": [1, -1]}, "different mean states"),
        ("Classifier", {"points": [[0.0], [math.nan]], "labels": [1, -1]}, "`points` must be finite"),
        ("Text", {"environment": "QAS-Unitary-v0"}, "for QAS-Text-v0"),
    ],
)
def test_bad_input(environment: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        gym.make(f"QAS-{environment}-v0", **settings)
    assert "\n" not in str(caught.value)
