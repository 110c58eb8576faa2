"""Statevectors of many qubits, by blocks of gates and without diagonals, against the kernels of small registers."""

from __future__ import annotations

import numpy as np
import pytest

from qas_envs import make_env
from qas_envs.problems import heisenberg, tfim
from qas_simulators import Circuit, PauliSum, StatevectorSimulator, wide_objective
from qas_simulators import statevector as statevector_module
from qas_simulators.flat_circuit import Link
from qas_simulators.gates import GATES
from qas_simulators.optimizers import Rotosolve, ScanLBFGS
from qas_simulators.real_arithmetic import is_real
from qas_simulators.wide_states import WideProgram

NARROW = StatevectorSimulator()


def random_circuit(
    num_qubits: int, num_gates: int, rng: np.random.Generator, names: list[str] | None = None
) -> Circuit:
    circuit, gates = Circuit(num_qubits), [gate for gate in GATES if names is None or gate.name in names]
    for _ in range(num_gates):
        gate = gates[rng.integers(len(gates))]
        angle = float(rng.normal()) if gate.num_params else None
        circuit.append(gate.name, rng.permutation(num_qubits)[: gate.num_qubits].tolist(), angle)
    return circuit


def random_observable(num_qubits: int, num_terms: int, rng: np.random.Generator, letters: str = "IXYZ") -> PauliSum:
    return PauliSum({"".join(rng.choice([*letters], num_qubits)): float(rng.normal()) for _ in range(num_terms)})


@pytest.mark.parametrize("seed", range(8))
def test_energies_gradients_and_states(seed: int) -> None:
    """All gates of the table; up to 12 qubits, so that runs are short and long, and strings cross blocks."""
    rng = np.random.default_rng(seed)
    num_qubits = [2, 3, 4, 5, 6, 12][seed % 6]
    circuit, observable = random_circuit(num_qubits, 40, rng), random_observable(num_qubits, 20, rng)
    wide = WideProgram(circuit, observable, 1 + seed % 3)
    energy, gradient = wide.energy_and_gradient(circuit.params)
    expected = NARROW.expectation_and_gradient(circuit, observable)
    assert energy == pytest.approx(expected[0], abs=1e-11) and wide.energy(circuit.params) == energy
    np.testing.assert_allclose(gradient, expected[1], atol=1e-11)
    assert abs(np.vdot(wide.state(circuit.params), NARROW.statevector(circuit))) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("seed", range(2))
def test_real_arithmetic(seed: int) -> None:
    rng = np.random.default_rng(100 + seed)
    num_qubits = [3, 5, 8, 12][seed]
    circuit = random_circuit(num_qubits, 40, rng, ["ry", "cx", "cz", "swap", "h", "x", "z"])
    observable = random_observable(num_qubits, 20, rng, "IXZ") + PauliSum({"YY" + "I" * (num_qubits - 2): 0.7})
    assert is_real(circuit.table, observable)
    energy, gradient = WideProgram(circuit, observable, real=True).energy_and_gradient(circuit.params)
    expected = NARROW.expectation_and_gradient(circuit, observable)
    assert energy == pytest.approx(expected[0], abs=1e-11)
    np.testing.assert_allclose(gradient, expected[1], atol=1e-11)


def test_circuits_without_pairs_and_without_gates() -> None:
    observable = PauliSum({"ZIZ": 1.0, "IXI": -0.5, "YII": 0.25})
    for circuit in (Circuit(3), Circuit(3).ry(0.3, 1), Circuit(3).ry(0.3, 0).rx(0.2, 1).ry(-0.4, 2).h(0)):
        energy, gradient = WideProgram(circuit, observable).energy_and_gradient(circuit.params)
        expected = NARROW.expectation_and_gradient(circuit, observable)
        assert energy == pytest.approx(expected[0], abs=1e-12)
        np.testing.assert_allclose(gradient, expected[1], atol=1e-12)


def test_states_before_late_angles_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scans of late angles apply the gates from there on only, in any order of the angles."""
    rng = np.random.default_rng(7)
    circuit, observable = random_circuit(6, 60, rng), random_observable(6, 10, rng)
    wide, params, applied = WideProgram(circuit, observable), circuit.params, []
    turn = WideProgram._turn
    monkeypatch.setattr(WideProgram, "_turn", lambda self, *args: (applied.append(1), turn(self, *args))[1])
    wide.energy(params)
    num_blocks = len(applied)
    for place in (len(params) - 1, len(params) - 1, 0, 3, len(params) // 2, len(params) - 1):
        params = params.copy()
        params[place] += 0.3
        before = len(applied)
        assert wide.energy(params) == pytest.approx(NARROW.expectation(circuit, observable, params), abs=1e-11)
        if place == 3:
            wide.energy_and_gradient(params)
        last = len(applied) - before
    assert last == num_blocks  # the state before the last angle was lost
    params[-1] += 0.1
    before = len(applied)
    assert wide.energy(params) == pytest.approx(NARROW.expectation(circuit, observable, params), abs=1e-11)
    assert 0 < len(applied) - before < num_blocks // 2


@pytest.mark.parametrize("seed", range(4))
def test_single_precision(seed: int) -> None:
    rng = np.random.default_rng(200 + seed)
    names = ["ry", "cx", "cz", "h"] if seed % 2 else None
    circuit = random_circuit(11, 60, rng, names)
    observable = random_observable(11, 20, rng, "IXZ")
    energy, gradient = WideProgram(circuit, observable, 2, bool(seed % 2), is_single=True).energy_and_gradient(
        circuit.params
    )
    expected = NARROW.expectation_and_gradient(circuit, observable)
    assert 0 < abs(energy - expected[0]) < 1e-5
    np.testing.assert_allclose(gradient, expected[1], atol=1e-5)


@pytest.fixture
def wide(monkeypatch: pytest.MonkeyPatch) -> StatevectorSimulator:
    """A simulator that takes the wide path for small registers too."""
    for module in (wide_objective, statevector_module):
        monkeypatch.setattr(module, "LEAST_QUBITS", 2)
    return StatevectorSimulator(seed=0)


def test_linked_angles_and_units(wide: StatevectorSimulator) -> None:
    circuit = Circuit(3).h(0).cx(0, 1)
    shared = circuit.append_param(0.3)
    for qubit, factor in ((0, 1.0), (2, -0.5)):
        circuit.append_linked(1, qubit, -1, Link(shared, factor, 0.1))  # RY
    circuit.cx(1, 2)
    observable = 1e-6 * heisenberg(3, periodic=True).hamiltonian
    energy, gradient = wide.expectation_and_gradient(circuit, observable)
    shift = 1e-5
    ends = [wide.expectation(circuit, observable, [0.3 + sign * shift]) for sign in (1, -1)]
    assert gradient[0] == pytest.approx((ends[0] - ends[1]) / (2 * shift), rel=1e-6)
    assert energy == pytest.approx(wide.expectation(circuit, observable), abs=1e-18)


def test_minima_are_those_of_small_registers(wide: StatevectorSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = tfim(4)
    circuit = Circuit(4)
    for qubit in range(4):
        circuit.ry(0.1 * qubit, qubit)
    for qubit in range(3):
        circuit.cx(qubit, qubit + 1).ry(0.0, qubit).ry(0.0, qubit + 1)
    found = [one.minimize(wide, circuit, problem.hamiltonian, 2) for one in (ScanLBFGS(), Rotosolve())]
    monkeypatch.undo()
    expected = [one.minimize(NARROW, circuit, problem.hamiltonian, 2) for one in (ScanLBFGS(), Rotosolve())]
    assert found[0].energy == pytest.approx(expected[0].energy, abs=1e-8)
    assert found[1].energy == pytest.approx(expected[1].energy, abs=1e-6)
    assert found[0].gradients > 1 and found[0].evaluations == found[0].gradients + 6


def test_shot_noise(wide: StatevectorSimulator) -> None:
    circuit, observable = Circuit(2).ry(0.7, 0), PauliSum({"ZI": 1.0, "IX": 1.0})
    noisy = StatevectorSimulator(shots=100, seed=3)
    values = [noisy.expectation(circuit, observable) for _ in range(300)]
    exact = 1.0 + np.sin(0.7)
    assert np.mean(values) == pytest.approx(exact, abs=0.02)
    assert np.std(values) == pytest.approx(np.cos(0.7) / 10, rel=0.2)


def test_sixteen_qubits_against_free_fermions() -> None:
    """The empty circuit has the energy of |0...0>, and equal turns that of the mean-field state."""
    problem = tfim(16)
    simulator = StatevectorSimulator(num_threads=2)
    assert simulator.expectation(Circuit(16), problem.hamiltonian) == pytest.approx(problem.empty_energy, abs=1e-10)
    circuit = Circuit(16)
    for qubit in range(16):
        circuit.ry(1.0, qubit)
    expected = -15 * np.cos(1.0) ** 2 - 16 * np.sin(1.0)
    energy, gradient = simulator.expectation_and_gradient(circuit, problem.hamiltonian)
    assert energy == pytest.approx(expected, abs=1e-10)
    assert gradient.sum() == pytest.approx(30 * np.cos(1.0) * np.sin(1.0) - 16 * np.cos(1.0), abs=1e-10)


def test_environments_with_single_precision() -> None:
    """The rounding is shown, and refused where the accuracy needs more."""
    rules = {"actions": "blocks", "couplings": "line", "max_gates": 60}
    single = {"name": "statevector", "precision": "single"}
    with pytest.raises(
        ValueError, match=r"`precision` must be 'double' for an accuracy of 1e-06: energies .* about 3e-05"
    ):
        make_env("tfim", problem_settings={"num_qubits": 16, "accuracy": 1e-6}, simulator=single, **rules)
    env = make_env("tfim", problem_settings={"num_qubits": 16}, simulator=single, **rules)
    env.reset(seed=0)
    *_, info = env.step(0)
    exact = StatevectorSimulator().expectation(env.circuit, env.problem.hamiltonian)
    assert 0 < info["truncation_error"] < 3e-5
    assert abs(info["energy"] - exact) < 3e-5 and info["energy"] < env.problem.empty_energy
    with pytest.raises(ValueError, match="Unknown precision 'half'"):
        StatevectorSimulator(precision="half")
