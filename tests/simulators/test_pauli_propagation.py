"""Pauli propagation against statevectors, parameter shifts and stim's tableaux."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qas_envs import make_env
from qas_envs.problems import tfim
from qas_envs.vector import CircuitBuildingVectorEnv
from qas_simulators import Circuit, PauliPropagationSimulator, PauliSum, StatevectorSimulator
from qas_simulators.cliffords import pauli_rotations
from qas_simulators.flat_circuit import Link
from qas_simulators.gates import GATES, gate_index
from qas_simulators.optimizers import Rotosolve, ScanLBFGS

pytest.importorskip("monoprop")
EXACT = PauliPropagationSimulator()
PURE = StatevectorSimulator()


def random_circuit(rng: np.random.Generator, num_qubits: int, num_gates: int, rotations: int | None = None) -> Circuit:
    """Return gates of the whole table, at random places with random angles, with at most that many rotations and T."""
    circuit = Circuit(num_qubits)
    while circuit.num_gates < num_gates:
        row = int(rng.integers(len(GATES)))
        is_free = GATES[row].num_params == 0 and GATES[row].name not in ("t", "tdg")
        if num_qubits < GATES[row].num_qubits or (rotations == 0 and not is_free):
            continue
        rotations = rotations if rotations is None or is_free else rotations - 1
        qubits = [*rng.permutation(num_qubits)[: GATES[row].num_qubits].tolist(), -1]
        circuit.append_row(row, qubits[0], qubits[1], float(rng.normal(scale=2.0)))
    return circuit


def random_observable(rng: np.random.Generator, num_qubits: int, num_terms: int) -> PauliSum:
    return PauliSum({"".join(rng.choice([*"IXYZ"], num_qubits)): float(rng.normal()) for _ in range(num_terms)})


def assert_same(rng: np.random.Generator, num_qubits: int, num_gates: int, rotations: int | None = None) -> None:
    circuit = random_circuit(rng, num_qubits, num_gates, rotations)
    observable = random_observable(rng, num_qubits, 4)
    energy, gradient = EXACT.expectation_and_gradient(circuit, observable)
    exact, slopes = PURE.expectation_and_gradient(circuit, observable)
    np.testing.assert_allclose([energy, EXACT.expectation(circuit, observable)], exact, atol=1e-12)
    np.testing.assert_allclose(gradient, slopes, atol=1e-11)


@pytest.mark.parametrize("num_qubits", [1, 2, 3, 5, 10])
def test_untruncated_energies_and_gradients_are_those_of_a_statevector(num_qubits: int) -> None:
    """Every gate of the table is drawn; with ten qubits at most twelve of them are no Clifford gates."""
    rng = np.random.default_rng(num_qubits)
    for _ in range(8):
        assert_same(rng, num_qubits, 30, 12 if num_qubits == 10 else None)


@pytest.mark.slow
def test_a_thousand_random_circuits() -> None:
    """python -m pytest tests/simulators/test_pauli_propagation.py -m slow"""
    rng = np.random.default_rng(0)
    for k in range(1000):
        assert_same(rng, 1 + k % 10, int(rng.integers(0, 60)), 12)


def test_clifford_circuits_on_forty_qubits_against_stim() -> None:
    stim = pytest.importorskip("stim")
    rng = np.random.default_rng(3)
    names = {"h": "H", "s": "S", "sdg": "S_DAG", "sx": "SQRT_X", "x": "X", "cx": "CX", "cz": "CZ", "swap": "SWAP"}
    circuit, theirs = Circuit(40), stim.TableauSimulator()
    theirs.set_num_qubits(40)
    for _ in range(400):
        name = str(rng.choice([*names]))
        qubits = rng.permutation(40)[: GATES[gate_index(name)].num_qubits].tolist()
        circuit.append(name, qubits)
        getattr(theirs, names[name].lower())(*qubits)
    stabilizers = theirs.canonical_stabilizers()
    labels = {str(one)[1:].replace("_", "I")[::-1]: float(one.sign.real) for one in stabilizers}
    assert len(labels) == 40
    for label, sign in labels.items():
        assert EXACT.expectation(circuit, PauliSum({label: 1.0})) == pytest.approx(sign, abs=1e-12)
    assert EXACT.expectation(circuit, PauliSum({"X" * 40: 1.0})) in (-1.0, 0.0, 1.0)


def test_gradients_against_parameter_shifts_on_twenty_qubits() -> None:
    rng = np.random.default_rng(4)
    circuit, observable = random_circuit(rng, 20, 60, 10), tfim(20, periodic=True).hamiltonian
    _, gradient = EXACT.expectation_and_gradient(circuit, observable)
    assert circuit.num_params > 3
    for k in range(circuit.num_params):
        shift = np.zeros(circuit.num_params)
        shift[k] = np.pi / 2
        up, down = EXACT.expectations(circuit, observable, [circuit.params + shift, circuit.params - shift])
        assert gradient[k] == pytest.approx((up - down) / 2, abs=1e-11)


def test_linked_and_constant_angles() -> None:
    circuit = Circuit(3)
    shared = circuit.append_param(0.7)
    for gate, qubits, link in (
        ("ry", (0, -1), Link(shared, 2.0, 0.1)),
        ("rzz", (0, 2), Link(-1, 0.0, 1.3)),
        ("rx", (1, -1), Link(shared, -0.5, 0.0)),
    ):
        circuit.append_linked(gate_index(gate), *qubits, link)
        circuit.cx(qubits[0], (qubits[0] + 1) % 3).t(2)
    circuit.ry(0.4, 2)
    observable = random_observable(np.random.default_rng(5), 3, 6)
    energy, gradient = EXACT.expectation_and_gradient(circuit, observable)
    exact, slopes = PURE.expectation_and_gradient(circuit, observable)
    assert energy == pytest.approx(exact, abs=1e-12)
    np.testing.assert_allclose(gradient, slopes, atol=1e-12)
    assert EXACT.term_means(circuit, observable) == pytest.approx(PURE.term_means(circuit, observable), abs=1e-12)


@pytest.mark.parametrize("optimizer", [ScanLBFGS(), Rotosolve()])
def test_optimisers_reach_the_minimum_of_a_statevector(optimizer: Any) -> None:
    circuit = Circuit(4)
    for qubit in range(4):
        circuit.ry(0.0, qubit)
    for first in (0, 2, 1):
        circuit.cx(first, first + 1).ry(0.0, first).ry(0.0, first + 1)
    hamiltonian = tfim(4).hamiltonian
    found = optimizer.minimize(EXACT, circuit, hamiltonian, circuit.num_params)
    assert found.energy == pytest.approx(optimizer.minimize(PURE, circuit, hamiltonian, 10).energy, abs=1e-6)
    assert EXACT.expectation(circuit, hamiltonian, found.params) == pytest.approx(found.energy, abs=1e-10)


def test_nothing_but_strings_that_matter_less_are_dropped() -> None:
    """The error shrinks with the cut, the estimate is of its size, and new gates at angle 0 keep their gradient."""
    rng = np.random.default_rng(6)
    circuit, hamiltonian = Circuit(8), tfim(8).hamiltonian
    for layer in range(4):
        for qubit in range(8):
            circuit.ry(float(rng.normal(scale=0.3)), qubit)
        for qubit in range(layer % 2, 7, 2):
            circuit.cx(qubit, qubit + 1)
    exact = PURE.expectation(circuit, hamiltonian)
    errors = []
    for cut in (0.1, 1e-2, 1e-4):
        simulator = PauliPropagationSimulator(coefficient=cut)
        error = abs(simulator.expectation(circuit, hamiltonian) - exact)
        estimate = simulator.truncation_error(circuit, hamiltonian)
        assert error / 10 < estimate < 10 * error
        assert simulator.exact_energy(circuit, hamiltonian) == pytest.approx(exact, abs=1e-12)
        errors.append(error)
    assert errors[0] > 10 * errors[2] > 0
    assert PauliPropagationSimulator(weight=8).expectation(circuit, hamiltonian) == pytest.approx(exact, abs=1e-12)
    assert abs(PauliPropagationSimulator(weight=3).expectation(circuit, hamiltonian) - exact) > 1e-3
    fresh = Circuit(8).ry(0.0, 3)
    _, slope = PauliPropagationSimulator(coefficient=1e-2).expectation_and_gradient(fresh, hamiltonian)
    assert slope == pytest.approx([-1.0])


def test_weights_are_counted_after_cliffords() -> None:
    circuit = Circuit(3).cx(0, 1).cx(1, 2).ry(0.3, 0)
    found = pauli_rotations(circuit, PauliSum({"IIX": 1.0}))
    assert (found.x.tolist(), found.z.tolist(), found.signs.tolist()) == ([3], [1], [1.0])
    assert found.observable.terms() == {"IXX": 1.0}


def test_too_many_strings_are_refused() -> None:
    circuit, observable = random_circuit(np.random.default_rng(8), 8, 120), PauliSum({"ZZZZZZZZ": 1.0})
    with pytest.raises(ValueError, match=r"`max_strings` must be at least \d+ .*but is 100"):
        PauliPropagationSimulator(max_strings=100).expectation(circuit, observable)
    limited = PauliPropagationSimulator(coefficient=0.3, max_strings=100)
    assert np.isfinite(limited.expectation(circuit, observable))


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        ({"simulator": {"name": "pauli_propagation", "shots": 10}}, "`shots` must be None for Pauli propagation"),
        ({"simulator": {"name": "pauli_propagation", "weight": 0}}, "`weight` must be an integer of at least 1"),
        ({"simulator": {"name": "pauli_propagation", "coefficient": 1.5}}, "`coefficient` must lie between 0 and 1"),
        ({"simulator": {"name": "pauli_propagation", "max_strings": 0}}, "`max_strings` must be at least 1"),
        ({"simulator": {"name": "pauli_propagation", "heavy": 1}}, "Choices: coefficient, max_strings, seed, shots"),
        ({"mitigation": "zero_noise"}, "`mitigation` must be None without noise|noise"),
    ],
)
def test_what_it_cannot_do_is_refused_when_the_environment_is_made(rules: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make_env(tfim(3), **{"simulator": "pauli_propagation", **rules})


def play(env: Any, actions: list[int]) -> dict[str, Any]:
    env.reset(seed=0)
    for action in actions:
        *_, info = env.step(action)
    return dict(info)


def test_environments_by_one_word() -> None:
    rules: dict[str, Any] = {"actions": "blocks", "couplings": "line", "max_gates": 60}
    pure = play(make_env(tfim(5), **rules), [0, 2, 1, 3])
    info = play(make_env(tfim(5), simulator="pauli_propagation", **rules), [0, 2, 1, 3])
    assert info["energy"] == pytest.approx(pure["energy"], abs=1e-5)
    assert "truncation_error" not in info and info["num_two_qubit_gates"] == 4


def test_a_truncated_energy_alone_is_no_success() -> None:
    """Weight 1 makes the energy of a product of two qubits wrong; the exact energy decides."""
    rules: dict[str, Any] = {"actions": "blocks", "couplings": "line", "max_gates": 60}
    truncated = {"name": "pauli_propagation", "weight": 1}
    env = make_env(tfim(4), simulator=truncated, curriculum={"name": "fixed", "threshold": 0.2}, **rules)
    hamiltonian, solved = env.problem.hamiltonian, 0
    for actions in ([0, 2, 1], [0, 2, 1, 0, 2], [1, 0, 2, 1]):
        info = play(env, actions[:1])
        for action in actions[1:]:
            if env.episode.over:
                break
            *_, info = env.step(action)
        exact = PURE.expectation(env.circuit, hamiltonian) - env.problem.ground_energy
        near = abs(float(info["energy_error"])) < 0.2
        assert bool(info["success"]) == (near and abs(exact) < 0.2)
        assert np.isfinite(info["truncation_error"])
        solved += near and not info["success"]
    env.simulator.exact_energy = lambda *_: None
    assert not env.player.play_many([[0, 2, 1, 0, 2]]).success.any()


def test_vector_environments_show_the_truncation_error() -> None:
    rules: dict[str, Any] = {"max_gates": 5, "simulator": {"name": "pauli_propagation", "coefficient": 0.05}}
    env = CircuitBuildingVectorEnv([make_env(tfim(3), **rules) for _ in range(2)])
    _, infos = env.reset(seed=0)
    assert infos["truncation_error"].tolist() == [0.0, 0.0]
    *_, infos = env.step([0, 5])
    single = [play(make_env(tfim(3), **rules), [action])["truncation_error"] for action in (0, 5)]
    assert infos["truncation_error"].tolist() == pytest.approx(single)
