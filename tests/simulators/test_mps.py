"""Matrix-product states against statevectors, Aer's own, and known ground energies."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qas_envs import make_env
from qas_envs.problems import tfim
from qas_envs.vector import CircuitBuildingVectorEnv
from qas_simulators import Circuit, MPSSimulator, PauliSum, StatevectorSimulator
from qas_simulators.flat_circuit import Link
from qas_simulators.gates import GATES, gate_index
from qas_simulators.matrix_product_operators import operators_of, shifted
from qas_simulators.optimizers import Rotosolve, ScanLBFGS

EXACT = MPSSimulator(max_bond=None)
PURE = StatevectorSimulator()
REAL = ("ry", "cx", "cz", "swap", "h", "x", "z")


def random_circuit(
    rng: np.random.Generator, num_qubits: int, num_gates: int, names: tuple[str, ...] = (), scale: float = 2.0
) -> Circuit:
    """Return random gates of those names, by default all, at random places with random angles."""
    circuit = Circuit(num_qubits)
    rows = [gate_index(name) for name in names] or [*range(len(GATES))]
    for row in rng.choice(rows, num_gates).tolist():
        qubits = [*rng.permutation(num_qubits)[: GATES[row].num_qubits].tolist(), -1]
        circuit.append_row(row, qubits[0], qubits[1], float(rng.normal(scale=scale)))
    return circuit


def bricks(num_qubits: int, depth: int, seed: int, scale: float = 0.3) -> Circuit:
    """Return layers of RY on all qubits, and CX on neighbours."""
    rng, circuit = np.random.default_rng(seed), Circuit(num_qubits)
    for layer in range(depth):
        for qubit in range(num_qubits):
            circuit.ry(float(rng.normal(scale=scale)), qubit)
        for qubit in range(layer % 2, num_qubits - 1, 2):
            circuit.cx(qubit, qubit + 1)
    return circuit


def random_observable(rng: np.random.Generator, num_qubits: int, num_terms: int) -> PauliSum:
    return PauliSum({"".join(rng.choice([*"IXYZ"], num_qubits)): float(rng.normal()) for _ in range(num_terms)})


def assert_same(circuit: Circuit, observable: PauliSum) -> None:
    energy, gradient = EXACT.expectation_and_gradient(circuit, observable)
    exact, slopes = PURE.expectation_and_gradient(circuit, observable)
    np.testing.assert_allclose([energy, EXACT.expectation(circuit, observable)], exact, rtol=0, atol=1e-12)
    np.testing.assert_allclose(gradient, slopes, rtol=0, atol=1e-11)


@pytest.mark.parametrize("num_qubits", [2, 3, 5, 8, 12])
def test_full_bonds_give_the_energies_and_gradients_of_a_statevector(num_qubits: int) -> None:
    """Every gate of the table is drawn, on all pairs of qubits: 50 circuits in all."""
    rng = np.random.default_rng(num_qubits)
    for _ in range(4 if num_qubits == 12 else 11):
        assert_same(random_circuit(rng, num_qubits, 40), random_observable(rng, num_qubits, 4))
    assert_same(random_circuit(rng, num_qubits, 40, REAL), PauliSum({"YY" + "Z" * (num_qubits - 2): 1.0}))


@pytest.mark.slow
def test_a_thousand_random_circuits() -> None:
    """python -m pytest tests/simulators/test_mps.py -m slow"""
    rng = np.random.default_rng(0)
    for k in range(1000):
        names = REAL if k % 4 == 0 else ()
        assert_same(
            random_circuit(rng, 2 + k % 11, int(rng.integers(0, 60)), names), random_observable(rng, 2 + k % 11, 4)
        )


def test_aer_has_the_same_states_on_forty_qubits() -> None:
    """Aer's ``matrix_product_state`` is another implementation."""
    pytest.importorskip("qiskit_aer")
    from qiskit_aer import AerSimulator

    circuit, hamiltonian = bricks(40, 5, seed=1, scale=1.0), tfim(40).hamiltonian
    program = circuit.to_qiskit()
    program.save_expectation_value(hamiltonian.to_qiskit(), range(40))
    found = AerSimulator(method="matrix_product_state").run(program).result().data()["expectation_value"]
    assert EXACT_64.expectation(circuit, hamiltonian) == pytest.approx(found, abs=1e-9)
    assert EXACT_64.truncation(circuit, hamiltonian)["discarded_weight"] < 1e-20


EXACT_64 = MPSSimulator(max_bond=64)


def test_amplitudes_bonds_and_singular_values() -> None:
    rng = np.random.default_rng(7)
    circuit = random_circuit(rng, 9, 60)
    state, amplitudes = EXACT.state(circuit), PURE.statevector(circuit)
    assert abs(np.vdot(state.amplitudes(), amplitudes)) == pytest.approx(1.0, abs=1e-12)
    for qubit in range(1, 9):
        values = np.linalg.svd(amplitudes.reshape(-1, 1 << qubit), compute_uv=False)
        np.testing.assert_allclose(state.values[qubit], values[: len(state.values[qubit])], atol=1e-12)
    assert state.discarded < 1e-24
    ghz = Circuit(60).h(30)
    for qubit in (*range(30, 59), *range(30, 0, -1)):
        ghz.cx(qubit, qubit + 1 if qubit >= 30 and ghz.num_gates <= 29 else qubit - 1)
    assert set(MPSSimulator().state(ghz).bond_dimensions) == {2}
    assert MPSSimulator().expectation(ghz, PauliSum({"X" * 60: 1.0, "Z" + 58 * "I" + "Z": 1.0})) == pytest.approx(2.0)


def test_operators_are_the_matrix_with_the_smallest_bonds() -> None:
    rng = np.random.default_rng(8)
    for observable in (random_observable(rng, 5, 30), tfim(5, periodic=True).hamiltonian, PauliSum({"XYZIY": -2.0})):
        whole = np.ones((1, 1, 1))
        for tensor in shifted(operators_of(observable), 0.7):
            grown = np.einsum("xyl,lijr->ixjyr", whole, tensor)
            whole = grown.reshape(2 * len(whole), 2 * whole.shape[1], -1)
        expected = observable.to_qiskit().to_matrix() - 0.7 * np.eye(32)
        np.testing.assert_allclose(whole[:, :, 0], expected, atol=1e-12)
    assert max(tensor.shape[3] for tensor in operators_of(tfim(40).hamiltonian)) == 3


def test_means_of_terms_and_linked_angles() -> None:
    rng = np.random.default_rng(5)
    circuit = Circuit(4)
    shared = circuit.append_param(0.7)
    for gate, qubits, link in (
        ("ry", (0, -1), Link(shared, 2.0, 0.1)),
        ("rzz", (0, 2), Link(-1, 0.0, 1.3)),
        ("rx", (3, -1), Link(shared, -0.5, 0.0)),
    ):
        circuit.append_linked(gate_index(gate), *qubits, link)
        circuit.cx(qubits[0], (qubits[0] + 1) % 4).t(2)
    circuit.ry(0.4, 2)
    observable = random_observable(rng, 4, 12)
    assert_same(circuit, observable)
    means = PURE.term_means(circuit, observable)
    assert EXACT.term_means(circuit, observable) == pytest.approx(means, abs=1e-12)


def test_angles_that_change_late_gates_alone_give_the_same_energies() -> None:
    """Energies of a batch continue at the first block that changes, and gradients leave the state as it was."""
    circuit, hamiltonian = bricks(6, 4, seed=2), tfim(6).hamiltonian
    objective, rng = MPSSimulator().objective(circuit, hamiltonian), np.random.default_rng(3)
    params = circuit.params
    for k in (23, 5, 23, 0, 12):
        params[k] += float(rng.normal())
        fresh = MPSSimulator().expectation(circuit, hamiltonian, params)
        assert float(objective.energies(params[None])[0]) == fresh
        assert float(objective.evaluate(params[None])[0][0]) == fresh  # type: ignore[attr-defined]


@pytest.mark.parametrize("optimizer", [ScanLBFGS(), Rotosolve()])
def test_optimisers_reach_the_minimum_of_a_statevector(optimizer: Any) -> None:
    circuit, hamiltonian = bricks(4, 2, seed=4), tfim(4).hamiltonian
    found = optimizer.minimize(EXACT, circuit, hamiltonian)
    assert found.energy == pytest.approx(optimizer.minimize(PURE, circuit, hamiltonian).energy, abs=1e-6)
    assert EXACT.expectation(circuit, hamiltonian, found.params) == pytest.approx(found.energy, abs=1e-10)


def test_truncation_has_an_error_that_shrinks_and_an_estimate_of_its_size() -> None:
    circuit, hamiltonian = bricks(12, 8, seed=5, scale=0.6), tfim(12).hamiltonian
    exact, errors = PURE.expectation(circuit, hamiltonian), []
    for max_bond in (3, 6, 12, 64):
        simulator = MPSSimulator(max_bond)
        figures = simulator.truncation(circuit, hamiltonian)
        error = abs(simulator.expectation(circuit, hamiltonian) - exact)
        assert figures["bond_dimension"] <= max_bond
        assert simulator.exact_energy(circuit, hamiltonian) == pytest.approx(exact, abs=1e-11)
        if max_bond < 64:
            assert figures["discarded_weight"] > 1e-8
            assert error / 20 < figures["truncation_error"] < 20 * error
        errors.append(error)
    assert errors[0] > errors[2] > 1e3 * errors[3]
    assert simulator.truncation_error(circuit, hamiltonian) == 0.0
    dropped = MPSSimulator(max_bond=None, cutoff=1e-3)
    assert 0 < dropped.truncation(circuit, hamiltonian)["discarded_weight"] < 1e-3
    assert dropped.expectation(circuit, hamiltonian) == pytest.approx(exact, abs=0.1)


def test_truncated_energies_are_above_the_ground_energy_and_have_useful_gradients() -> None:
    """Descent with four singular values lowers the energy of the truncated state, whose energy is that of a state."""
    circuit, problem = bricks(10, 6, seed=6), tfim(10)
    simulator = MPSSimulator(max_bond=4)
    before = simulator.expectation(circuit, problem.hamiltonian)
    found = ScanLBFGS(max_iterations=30).minimize(simulator, circuit, problem.hamiltonian)
    assert problem.ground_energy - 1e-9 < found.energy < before - 1.0
    exact = PURE.expectation(circuit, problem.hamiltonian, found.params)
    assert exact == pytest.approx(found.energy, abs=0.2)


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"simulator": {"name": "mps", "shots": 10}}, "`shots` must be None for matrix-product states"),
        ({"simulator": {"name": "mps", "max_bond": 0}}, "`max_bond` must be an integer of at least 1"),
        ({"simulator": {"name": "mps", "cutoff": 1.5}}, "`cutoff` must be at least 0 and less than 1"),
        ({"simulator": {"name": "mps", "bond": 8}}, "Choices: cutoff, max_bond, seed, shots"),
        ({"noise": {"name": "depolarizing", "p1": 0.01}}, "`noise` must be None for matrix-product states"),
    ],
)
def test_what_it_cannot_do_is_refused_when_the_environment_is_made(rules: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_env(tfim(3), **{"simulator": "mps", **rules})


def test_states_without_a_limit_say_how_large_they_would_be() -> None:
    with pytest.raises(ValueError, match=r"fit into 8 GiB, but is '.*e\+04 GiB'. Give a smaller `max_bond`"):
        make_env(tfim(40), simulator={"name": "mps", "max_bond": None})
    make_env(tfim(40), simulator="mps")
    with pytest.raises(ValueError, match="at least 2 qubits"):
        EXACT.expectation(Circuit(1), PauliSum({"Z": 1.0}))


def play(env: Any, actions: list[int]) -> dict[str, Any]:
    env.reset(seed=0)
    for action in actions:
        *_, info = env.step(action)
    return dict(info)


def test_environments_by_one_word() -> None:
    rules: dict[str, Any] = {"actions": "blocks", "couplings": "line", "max_gates": 60}
    pure = play(make_env(tfim(5), **rules), [0, 2, 1, 3])
    info = play(make_env(tfim(5), simulator="mps", **rules), [0, 2, 1, 3])
    assert info["energy"] == pytest.approx(pure["energy"], abs=1e-5)
    assert (info["truncation_error"], info["num_two_qubit_gates"]) == (0.0, 4)
    assert 2 <= info["bond_dimension"] <= 4 and 0 <= info["discarded_weight"] < 1e-20
    large = play(make_env(tfim(40), simulator="mps", **rules), [0, 1])
    assert large["energy"] < tfim(40).empty_energy - 1.0


def test_a_truncated_energy_alone_is_no_success() -> None:
    """A bond dimension of 1 keeps products of qubits; the energy of the circuit itself decides."""
    rules: dict[str, Any] = {"actions": "blocks", "couplings": "line", "max_gates": 60}
    truncated = {"name": "mps", "max_bond": 1}
    env = make_env(tfim(4), simulator=truncated, curriculum={"name": "fixed", "threshold": 0.6}, **rules)
    seen = set()
    for actions in ([0, 2, 1], [0, 1, 2, 0], [1, 0, 2, 1]):
        env.reset(seed=0)
        for action in actions:
            if env.episode.over:
                break
            *_, info = env.step(action)
            exact = PURE.expectation(env.circuit, env.problem.hamiltonian) - env.problem.ground_energy
            near = abs(float(info["energy_error"])) < 0.6
            assert bool(info["success"]) == (near and abs(exact) < 0.6)
            seen.add((near, bool(info["success"])))
    assert seen - {(False, False)}
    env.simulator.exact_energy = lambda *_: None
    assert not env.player.play_many([[0, 2, 1, 0, 2]]).success.any()


def test_vector_environments_show_the_truncation() -> None:
    rules: dict[str, Any] = {"max_gates": 5, "simulator": {"name": "mps", "max_bond": 1}}
    env = CircuitBuildingVectorEnv([make_env(tfim(3), **rules) for _ in range(2)])
    _, infos = env.reset(seed=0)
    assert infos["bond_dimension"].tolist() == [1.0, 1.0]
    *_, infos = env.step([0, 5])
    single = [play(make_env(tfim(3), **rules), [action]) for action in (0, 5)]
    for name in ("truncation_error", "bond_dimension", "discarded_weight"):
        assert infos[name].tolist() == pytest.approx([one[name] for one in single])
