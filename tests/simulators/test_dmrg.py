"""DMRG and the circuits of its states, against diagonalisation, free fermions and exactly solved chains."""

from __future__ import annotations

import numpy as np
import pytest

from qas_envs import make_env
from qas_envs.problems import Problem, heisenberg, j1_j2, lih, tfim
from qas_envs.problems.reference import ladder_reference
from qas_simulators import Circuit, PauliSum, StatevectorSimulator
from qas_simulators.dmrg import dmrg
from qas_simulators.matrix_product_states import Limit, MatrixProductState
from qas_simulators.mps_circuits import euler_angles, staircase

PURE = StatevectorSimulator()


def random_rotation(rng: np.random.Generator) -> np.ndarray:
    matrix, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    matrix[:, 0] *= np.linalg.det(matrix)
    return np.asarray(matrix)


def random_state(num_qubits: int, seed: int) -> MatrixProductState:
    """Return a real state of bond dimension 2."""
    rng, state = np.random.default_rng(seed), MatrixProductState.zeros(num_qubits)
    for site in [*range(num_qubits - 1), *range(num_qubits - 1)]:
        state.apply(site, random_rotation(rng), Limit())
    return state.compressed(Limit(2))


def test_heisenberg_chain_of_twelve_against_diagonalisation() -> None:
    hamiltonian = heisenberg(12).hamiltonian
    found = dmrg(hamiltonian)
    exact = np.linalg.eigvalsh(sector_matrix(hamiltonian))[0]
    assert found.energy == pytest.approx(exact, abs=1e-8)
    assert found.deviation < 1e-6 and found.discarded < 1e-16


def sector_matrix(hamiltonian: PauliSum) -> np.ndarray:
    """Return the matrix of an operator among basis states with half of the qubits up, from its strings."""
    size = hamiltonian.num_qubits
    basis = np.flatnonzero(np.bitwise_count(np.arange(1 << size)) == size // 2)
    place = np.full(1 << size, -1)
    place[basis] = np.arange(len(basis))
    matrix = np.zeros((len(basis), len(basis)), dtype=complex)
    for x, z, coefficient in zip(hamiltonian.x, hamiltonian.z, hamiltonian.coefficients, strict=True):
        rows = place[basis ^ x]
        kept = rows >= 0
        signs = 1.0 - 2.0 * (np.bitwise_count(basis & z) & 1)
        phase = coefficient * 1j ** int(np.bitwise_count(x & z))
        matrix[rows[kept], np.flatnonzero(kept)] += (phase * signs)[kept]
    return matrix


def test_ising_chain_of_forty_against_free_fermions() -> None:
    problem = tfim(40)
    assert problem.provenance["reference"]["method"] == "free fermions"
    found = dmrg(problem.hamiltonian, max_bond=32)
    assert found.energy == pytest.approx(problem.ground_energy, abs=1e-8)
    assert max(found.state.bond_dimensions) <= 32


def test_the_deviation_is_that_of_the_state() -> None:
    hamiltonian = heisenberg(8, anisotropy=0.5, field=0.3).hamiltonian
    found = dmrg(hamiltonian, max_bond=3)
    amplitudes = found.state.amplitudes()
    matrix = hamiltonian.to_qiskit().to_matrix()
    energy = float((amplitudes @ matrix @ amplitudes).real)
    assert found.energy == pytest.approx(energy, abs=1e-10)
    assert found.deviation == pytest.approx(np.linalg.norm(matrix @ amplitudes - energy * amplitudes), abs=1e-9)
    assert np.abs(np.linalg.eigvalsh(matrix) - energy).min() < found.deviation


def test_complex_hamiltonians() -> None:
    """``X Y - Y X`` on a chain is not real."""
    terms = {"I" * k + word + "I" * (4 - k): sign for k in range(5) for word, sign in (("XY", 1.0), ("YX", -1.0))}
    hamiltonian = PauliSum(terms | {"IIIIIZ": 0.3})
    lowest = np.linalg.eigvalsh(hamiltonian.to_qiskit().to_matrix())[0]
    assert dmrg(hamiltonian).energy == pytest.approx(lowest, abs=1e-9)
    with pytest.raises(ValueError, match="`state` must be real"):
        staircase(dmrg(hamiltonian, max_bond=2).state)


def reference_of(problem: Problem) -> tuple[str, float]:
    reference = problem.provenance["reference"]
    return reference["method"], reference["error"]


def test_chains_without_a_closed_form_have_dmrg_as_reference() -> None:
    """The dimers of Majumdar and Ghosh."""
    dimers = j1_j2(24)
    assert reference_of(dimers)[0] == "DMRG"
    assert dimers.ground_energy == pytest.approx(-9.0, abs=1e-9)
    assert reference_of(j1_j2(24, ground_energy=-9.0))[0] == "given"


def test_ladders_by_dmrg(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a strong field, against perturbation theory: a pair that a bond flips costs 4 h. Small ones, exactly."""
    for rows in (2, 11):
        ladder = tfim(22, field=40.0, rows=rows)
        assert reference_of(ladder)[0] == "DMRG"
        assert ladder.ground_energy == pytest.approx(-22 * 40.0 - 31 / 160.0, abs=3e-4)
    small = heisenberg(8, anisotropy=0.7, field=0.3, rows=2)
    monkeypatch.setattr("qas_envs.problems.reference.LANCZOS_QUBITS", 7)
    found = ladder_reference(small.hamiltonian, 2, 1e-3)
    assert found is not None and found.energy == pytest.approx(small.ground_energy, abs=1e-8)


def test_open_chains_deep_in_the_gapped_phase_against_perturbation_theory() -> None:
    chain = heisenberg(24, anisotropy=20.0)
    assert reference_of(chain)[0] == "Bethe ansatz"
    # Neel's energy; each flip of an inner bond costs four signs of 2 D, of an outer bond two, amplitude 2
    second_order = -23 * 20.0 - 21 * 4.0 / (4 * 20.0) - 2 * 4.0 / (2 * 20.0)
    assert chain.ground_energy == pytest.approx(second_order, abs=0.01)


@pytest.mark.slow
def test_dmrg_against_the_bethe_ansatz() -> None:
    """python -m pytest tests/simulators/test_dmrg.py -m slow"""
    for num_qubits in (20, 40):
        for anisotropy in (1.0, 0.5, 2.0):
            problem = heisenberg(num_qubits, anisotropy=anisotropy)
            assert reference_of(problem)[0] == "Bethe ansatz"
            found = dmrg(problem.hamiltonian, max_bond=128)
            assert problem.ground_energy - 1e-9 < found.energy < problem.ground_energy + 1e-6


def test_errors_above_the_accuracy_ask_for_the_energy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qas_envs.problems.reference._DMRG_BONDS", (4,))
    with pytest.raises(ValueError, match="`ground_energy` must be given: the energy by DMRG has an error of"):
        j1_j2(20, next_coupling=0.3, periodic=False, accuracy=1e-5)


def test_rotations_of_four_dimensions_are_two_cnots_with_turns_about_y() -> None:
    rng = np.random.default_rng(0)
    swap, pair = np.eye(4)[[0, 2, 1, 3]], np.eye(4)[[0, 3, 2, 1]]
    for rotation in (*(random_rotation(rng) for _ in range(20)), np.eye(4), pair @ swap @ pair @ swap):
        circuit = Circuit(2)
        for k, (low, high) in enumerate(zip(*euler_angles(rotation), strict=True)):
            circuit.ry(low, 0).ry(high, 1)
            if k < 2:
                circuit.cx(0, 1)
        matrix = np.stack([column(circuit, k) for k in range(4)], axis=1)
        assert abs(np.sum(matrix * rotation)) == pytest.approx(4.0, abs=1e-12)


def column(circuit: Circuit, index: int) -> np.ndarray:
    prepared = Circuit(2)
    for qubit in range(2):
        if index >> qubit & 1:
            prepared.x(qubit)
    for operation in circuit:
        prepared.append(*operation)
    return np.asarray(PURE.statevector(prepared)).real


@pytest.mark.parametrize("num_qubits", [2, 3, 6, 9])
def test_staircases_prepare_states_of_bond_dimension_two(num_qubits: int) -> None:
    state = random_state(num_qubits, num_qubits)
    circuit = staircase(state)
    assert set(circuit.count_ops()) == {"ry", "cx"}
    assert circuit.num_two_qubit_gates == 2 * num_qubits - 3
    overlap = PURE.statevector(circuit) @ state.amplitudes()
    assert abs(overlap) == pytest.approx(1.0, abs=1e-12)


def test_more_layers_come_nearer_to_states_of_larger_bond_dimension() -> None:
    state = dmrg(heisenberg(8).hamiltonian, max_bond=16).state
    overlaps = [abs(PURE.statevector(staircase(state, layers)) @ state.amplitudes()) for layers in (1, 2, 4)]
    assert 0.8 < overlaps[0] < overlaps[1] < overlaps[2] < 1.0
    assert staircase(state, 3).num_two_qubit_gates == 13 + 2 * 14


def test_environments_start_from_a_matrix_product_state_and_count_its_gates() -> None:
    env = make_env(tfim(12), initial="mps", max_gates=5)
    env.reset(seed=0)
    assert env.episode.initial.num_two_qubit_gates == 21
    error = env.episode.first_energy - env.problem.ground_energy
    assert 0 < error < 1e-3 * abs(env.problem.ground_energy)
    *_, info = env.step(0)
    assert info["num_two_qubit_gates"] >= 21 and info["energy_error"] <= error + 1e-9


def test_two_layers_and_a_molecule_start_near_the_ground_state() -> None:
    for problem, layers, cnots in ((tfim(6), 2, 9 + 10), (lih(), 1, 5)):
        with pytest.warns(UserWarning, match="already meets the success threshold"):
            env = make_env(problem, initial={"name": "mps", "layers": layers}, max_gates=5, simulator="mps")
        circuit = env.episode.initial
        assert circuit.num_two_qubit_gates == cnots
        energy = PURE.expectation(circuit, problem.hamiltonian)
        assert env.episode.first_energy == pytest.approx(energy, abs=1e-9)
        assert 0 <= energy - problem.ground_energy < 1e-4


@pytest.mark.parametrize(
    ("problem", "layers", "message"),
    [
        (tfim(4), 0, "`layers` must be an integer from 1 to 4"),
        (tfim(4), 5, "`layers` must be an integer from 1 to 4"),
        (Problem("y", PauliSum({"XY": 1.0, "ZI": 0.5}), -1.118033988749895, 1e-3, "J"), 1, "complex entries"),
    ],
)
def test_starts_that_are_refused(problem: Problem, layers: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_env(problem, initial={"name": "mps", "layers": layers})
