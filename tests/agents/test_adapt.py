"""ADAPT over all pools: against independent runs, exact energies of sectors, and other simulators."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from qiskit.quantum_info import Statevector

import qas_envs  # noqa: F401
from qas_agents import (
    ceo_pool,
    determinant,
    pauli_pool,
    prune_operators,
    qeb_pool,
    qubit_adapt,
    spin_orbitals,
    usual_pool,
)
from qas_agents.searchers import AdaptStep
from qas_simulators import Circuit, PauliSum, StatevectorSimulator
from qas_simulators.exponentials import Exponential, pauli_exponential, qubit_excitation
from qas_simulators.optimizers import ScanLBFGS

POOLS = {"qeb": qeb_pool, "ceo": ceo_pool}


def make(environment: str, **settings: Any) -> Any:
    return gym.make(environment, **settings).unwrapped


@pytest.mark.parametrize(
    ("environment", "settings", "rows"),
    [
        ("QAS-TFIM-v0", {"num_qubits": 4}, {10: (12, 1.6e-3), 11: (14, 1e-10)}),
        ("QAS-TFIM-v0", {"num_qubits": 6}, {23: (34, 1.6e-3)}),
        ("QAS-LiH-v0", {"bond_length": 1.2}, {1: (6, 3.25e-3), 2: (10, 1.85e-3), 3: (14, 5.95e-4)}),
        ("QAS-LiH-v0", {"bond_length": 3.4}, {4: (20, 7.85e-3), 9: (32, 1.6e-3), 12: (44, 7.75e-5)}),
        ("QAS-LiH-v0", {"bond_length": 2.2, "num_qubits": 6}, {2: (12, 7.85e-3), 4: (24, 1.6e-3)}),
        ("QAS-H2O-v0", {"num_qubits": 8, "geometry": "angstrom"}, {2: (12, 1.495e-3)}),
    ],
)
def test_adapt_reaches_the_errors_of_an_independent_run(
    environment: str, settings: dict[str, Any], rows: dict[int, tuple[int, float]]
) -> None:
    """CX counts and errors of another program's table; the row before the last must not do as well."""
    problem = make(environment, **settings).problem
    steps = list(qubit_adapt(problem.hamiltonian, usual_pool(problem.hamiltonian), max(rows)))
    for operators, (two_qubit_gates, error) in rows.items():
        assert steps[operators].circuit.num_two_qubit_gates == two_qubit_gates
        assert steps[operators].energy - problem.ground_energy < error
        assert steps[operators - 1].energy - problem.ground_energy > error
        energy = StatevectorSimulator().expectation(steps[operators].circuit, problem.hamiltonian)
        assert energy == pytest.approx(steps[operators].energy, abs=1e-12)


def test_adapt_with_excitations_reaches_the_errors_of_an_independent_run() -> None:
    """LiH at 2.2 angstrom on six qubits: the other program's strings had the chains of Jordan and Wigner."""
    problem = make("QAS-LiH-v0", bond_length=2.2, num_qubits=6).problem
    pool = pauli_pool(6, (2, 4), "XY", chains=True)
    assert len(pool) == len(set(pool)) == 15 * 2 + 15 * 8 and {"IIXZZY", "XYIIXX", "XZZYXX"} <= set(pool)
    assert "XIIYXX" not in pool
    steps = list(qubit_adapt(problem.hamiltonian, pool, 13))
    for operators, error in {4: 1.4e-3, 5: 9.4e-4, 6: 8.3e-4, 8: 5.3e-4, 10: 1.8e-4, 12: 1e-4, 13: 7e-5}.items():
        assert steps[operators].energy - problem.ground_energy == pytest.approx(error, rel=0.05)


def test_adapt_ends_where_no_slope_is_left() -> None:
    steps = list(qubit_adapt(PauliSum({"IZ": -1.0, "ZI": -1.0}), pauli_pool(2, (1, 2)), 5))
    assert len(steps) == 1 and steps[0].energy == pytest.approx(-2.0)
    with pytest.raises(ValueError, match=r"`pool` must hold labels of 2 letters"):
        next(qubit_adapt(PauliSum({"IZ": -1.0}), ["XYZ"], 1))
    with pytest.raises(ValueError, match=r"`weights` must lie in 1\.\.2"):
        pauli_pool(2, (3,))


def check_energies(step: AdaptStep, hamiltonian: PauliSum) -> None:
    """The step's energy is its circuit's, by this library and by Qiskit."""
    state = Statevector(step.circuit.to_qiskit())
    assert StatevectorSimulator().expectation(step.circuit, hamiltonian) == pytest.approx(step.energy, abs=1e-9)
    assert state.expectation_value(hamiltonian.to_qiskit()).real == pytest.approx(step.energy, abs=1e-9)


H4_ERRORS = {
    "ceo": (9, [4.3888e-2, 3.3316e-2, 2.2204e-2, 1.5290e-2, 1.0932e-2, 7.7385e-3, 4.9648e-3, 1.5609e-3, 8.1397e-4]),
    "qeb": (13, [4.3888e-2, 3.3316e-2, 2.2204e-2, 1.5290e-2, 1.0850e-2, 7.7379e-3, 5.3186e-3, 2.4687e-3, 1.4190e-3]),
}
"""CNOTs of each operator, and errors of another program (SciPy's L-BFGS-B, sparse matrices on the whole register)."""


@pytest.mark.parametrize("name", H4_ERRORS)
def test_excitations_reach_the_errors_of_an_independent_run_on_h4(name: str) -> None:
    problem, (cnots, errors) = make("QAS-H4-v0").problem, H4_ERRORS[name]
    steps = list(qubit_adapt(problem.hamiltonian, POOLS[name](spin_orbitals(8)), len(errors)))
    assert [step.energy - problem.ground_energy for step in steps[1:]] == pytest.approx(errors, rel=1e-3)
    for count, step in enumerate(steps):
        assert len(step.operators) == count and step.circuit.num_two_qubit_gates == cnots * count
        assert step.circuit.num_params == count
        check_energies(step, problem.hamiltonian)


@pytest.mark.parametrize("tetris", [False, True])
@pytest.mark.parametrize("name", ["pauli", *POOLS])
def test_energies_are_those_of_the_circuits(name: str, tetris: bool) -> None:
    problem = make("QAS-H4-v0").problem
    pool = usual_pool(problem.hamiltonian) if name == "pauli" else POOLS[name](spin_orbitals(8))
    steps = list(qubit_adapt(problem.hamiltonian, pool, 8, tetris=tetris, per_cnot=True))
    for step in steps:
        check_energies(step, problem.hamiltonian)
    for before, after in pairwise(steps):
        assert after.energy < before.energy and after.evaluations > before.evaluations + 2 * len(pool)
        assert before.operators == after.operators[: len(before.operators)]


@pytest.mark.slow  # python -m pytest -m slow tests/agents/test_adapt.py
@pytest.mark.parametrize(("name", "cnots"), [("ceo", 49), ("qeb", 69)])
def test_lithium_hydride_in_all_orbitals(name: str, cnots: int) -> None:
    """At 3.4 angstrom from the closed shell: errors and CNOTs of the same independent program."""
    problem, spin_of = make("QAS-LiH-v0", num_qubits=12).problem, spin_orbitals(12)
    steps = list(qubit_adapt(problem.hamiltonian, POOLS[name](spin_of), 7, determinant(spin_of, 2, 2)))
    errors = [9.4409e-2, 6.5886e-2, 3.2596e-2, 7.0006e-3, 6.9628e-3, 5.6175e-3, 1.1974e-3]
    assert [step.energy - problem.ground_energy for step in steps[1:]] == pytest.approx(errors, rel=1e-3)
    assert steps[-1].circuit.num_two_qubit_gates == cnots
    for step in steps:
        check_energies(step, problem.hamiltonian)


@pytest.mark.parametrize("mapping", ["jordan_wigner", "jordan_wigner_blocked"])
def test_pools_keep_the_numbers_of_electrons(mapping: str) -> None:
    """Every exponential commutes with the numbers of electrons of each spin; counts by hand for eight spin orbitals.

    There are six pairs of one spin and six of the other; 36 fours with two of each, in two splits, and two fours of one
    spin, in three.
    """
    spin_of = spin_orbitals(8, mapping)
    qeb, ceo = qeb_pool(spin_of), ceo_pool(spin_of)
    assert len(qeb) == 12 + 36 * 2 + 2 * 3 and len(ceo) == 12 + 36 * 2 + 2 * 3 * 2
    for pool in (qeb, ceo):
        assert len({operator.label for operator in pool}) == len(pool)
    index = np.arange(256)
    counts = [sum((index >> qubit & 1) * (spin_of[qubit] == spin) for qubit in range(8)) for spin in (0, 1)]
    for operator in qeb[::7] + ceo[::7]:
        circuit = Circuit(8)
        for qubit in range(8):
            circuit.ry(0.3 + qubit, qubit)
        before = np.abs(StatevectorSimulator().statevector(circuit)) ** 2
        operator.append_to(circuit, 1.1)
        after = np.abs(StatevectorSimulator().statevector(circuit)) ** 2
        assert np.abs(after - before).max() > 1e-6
        for count in counts:
            assert np.bincount(count, after) == pytest.approx(np.bincount(count, before), abs=1e-12)


def lowest_of_sector(hamiltonian: PauliSum, spin_of: tuple[int, ...], up: int, down: int) -> float:
    """By diagonalising the block of a dense matrix."""
    index = np.arange(1 << hamiltonian.num_qubits)
    counts = [sum((index >> qubit & 1) for qubit, other in enumerate(spin_of) if other == spin) for spin in (0, 1)]
    inside = np.flatnonzero((counts[0] == up) & (counts[1] == down))
    return float(np.linalg.eigvalsh(hamiltonian.to_matrix()[np.ix_(inside, inside)])[0])


@pytest.mark.parametrize(("up", "down"), [(2, 2), (3, 1), (2, 1)])
def test_open_and_closed_references_reach_the_lowest_energy_of_their_sector(up: int, down: int) -> None:
    hamiltonian, spin_of = make("QAS-H4-v0").problem.hamiltonian, spin_orbitals(8)
    exact = lowest_of_sector(hamiltonian, spin_of, up, down)
    steps = list(qubit_adapt(hamiltonian, ceo_pool(spin_of), 40, determinant(spin_of, up, down)))
    assert exact - 1e-9 < steps[-1].energy < exact + 1e-5
    check_energies(steps[-1], hamiltonian)


@pytest.mark.parametrize("name", POOLS)
def test_blocked_spins(name: str) -> None:
    """LiH at 2.2 angstrom, released with all spins up first: the reference is the closed shell, the energy exact."""
    problem = make("QAS-LiH-v0", bond_length=2.2, num_qubits=6, mapping="jordan_wigner_blocked").problem
    spin_of = spin_orbitals(6, problem.provenance["molecule"]["mapping"])
    assert determinant(spin_of, 1, 1).num_gates == 2
    steps = list(qubit_adapt(problem.hamiltonian, POOLS[name](spin_of), 12, determinant(spin_of, 1, 1)))
    closed_shell = problem.hamiltonian.basis_energies()[0b001001]
    assert steps[0].energy == pytest.approx(closed_shell, abs=1e-12)
    assert steps[-1].energy == pytest.approx(lowest_of_sector(problem.hamiltonian, spin_of, 1, 1), abs=1e-6)


def test_a_reference_may_be_any_circuit() -> None:
    """A superposition with its own angle, and a global phase; the angle is not optimised."""
    hamiltonian, reference = PauliSum({"XX": 1.0, "YY": 1.0, "IZ": 0.3}), Circuit(2).x(0).ry(0.4, 1).rz(0.2, 0)
    *_, last = qubit_adapt(hamiltonian, [qubit_excitation([0], [1])], 3, reference)
    assert last.circuit.params[:2].tolist() == [0.4, 0.2]
    check_energies(last, hamiltonian)


def test_tetris_appends_operators_on_different_qubits() -> None:
    problem, spin_of = make("QAS-H4-v0").problem, spin_orbitals(8)
    pool = qeb_pool(spin_of)
    qubits = {operator.label: operator.qubits for operator in pool}
    steps = list(qubit_adapt(problem.hamiltonian, pool, 7, tetris=True))
    groups = [after.operators[len(before.operators) :] for before, after in pairwise(steps)]
    assert max(map(len, groups)) > 1 and len(steps[-1].operators) == 7
    for group in groups:
        used = [qubit for label in group for qubit in qubits[label]]
        assert len(set(used)) == len(used)
    plain = list(qubit_adapt(problem.hamiltonian, pool, 7))
    assert steps[1].operators[0] == plain[1].operators[0] and len(steps) < len(plain)


def test_slopes_per_cnot_prefer_cheap_operators() -> None:
    """From |000> the slope by YXX is 1, by YII 0.5; they cost 4 CNOTs and none."""
    hamiltonian, pool = PauliSum({"XXX": -1.0, "XII": -0.5}), ["YXX", "YII"]
    chosen = [list(qubit_adapt(hamiltonian, pool, 1, Circuit(3), per_cnot=flag))[1].operators for flag in (False, True)]
    assert chosen == [("YXX",), ("YII",)]


def test_pruning_removes_what_is_not_needed_and_nothing_else() -> None:
    """Against optimisation of the circuits without each operator by the usual optimiser."""
    problem, spin_of = make("QAS-H4-v0").problem, spin_orbitals(8)
    pool, threshold = ceo_pool(spin_of), problem.ground_energy + 1.6e-3
    *_, grown = qubit_adapt(problem.hamiltonian, pool, 12)
    pruned = prune_operators(grown, problem.hamiltonian, pool, threshold)
    assert pruned.energy < threshold and len(pruned.operators) < 12 and pruned.evaluations > grown.evaluations
    remaining = iter(grown.operators)
    assert all(label in remaining for label in pruned.operators)  # in the same order
    check_energies(pruned, problem.hamiltonian)
    operators = {operator.label: operator for operator in pool}
    optimizer, simulator = ScanLBFGS(energy_tolerance=1e-12), StatevectorSimulator()
    for missing in range(len(pruned.operators)):
        circuit = Circuit(8).x(0).x(1).x(2).x(3)
        for k, (label, angle) in enumerate(zip(pruned.operators, pruned.circuit.params, strict=True)):
            if k != missing:
                operators[label].append_to(circuit, angle)
        assert optimizer.minimize(simulator, circuit, problem.hamiltonian).energy > threshold - 1e-9


def test_pruning_keeps_a_reference_with_angles() -> None:
    hamiltonian, reference = PauliSum({"XX": 1.0, "YY": 1.0}), Circuit(2).x(0).ry(0.4, 1)
    pool: list[str | Exponential] = [qubit_excitation([0], [1]), "YI", pauli_exponential("IY")]
    *_, grown = qubit_adapt(hamiltonian, pool, 3, reference)
    pruned = prune_operators(grown, hamiltonian, pool, -1.0, reference)
    assert len(pruned.operators) < len(grown.operators) and pruned.circuit.params[0] == 0.4
    check_energies(pruned, hamiltonian)


def test_bad_searches() -> None:
    hamiltonian, pool = PauliSum({"IZ": -1.0, "XX": -0.5}), ["XY"]
    step = next(qubit_adapt(hamiltonian, pool, 1))
    with pytest.raises(ValueError, match="`threshold` must be above"):
        prune_operators(step, hamiltonian, pool, step.energy)
    other = AdaptStep(("YX",), step.energy, step.circuit, 1)
    with pytest.raises(ValueError, match="`step` must have operators of the pool"):
        prune_operators(other, hamiltonian, pool, 1.0)
    with pytest.raises(ValueError, match="`pool` must hold"):
        next(qubit_adapt(hamiltonian, [], 1))
    with pytest.raises(ValueError, match="`reference` must have 2 qubits"):
        next(qubit_adapt(hamiltonian, pool, 1, Circuit(3)))
    with pytest.raises(ValueError, match="mapping"):
        spin_orbitals(4, "parity")
    with pytest.raises(ValueError, match="`num_qubits` must be even"):
        spin_orbitals(3)
    with pytest.raises(ValueError, match=r"`down` must lie in 0\.\.2"):
        determinant(spin_orbitals(4), 1, 3)
