"""What a run reports of a circuit: no gate that does nothing, the same energy."""

from __future__ import annotations

import json
from dataclasses import asdict
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qas_envs import make_env
from qas_envs.problems import Problem, lih
from qas_experiments.training.display import closing_table
from qas_experiments.training.recorder import Solution, counts_of
from qas_experiments.training.shortening import LONGEST, SAME_ENERGY, reported, shortened
from qas_simulators import Circuit, NoiseModel, PauliSum, PauliTransferSimulator, StatevectorSimulator, reference
from qas_simulators.channels import amplitude_damping
from qas_simulators.flat_circuit import Link
from qas_simulators.gates import gate_index
from qas_simulators.optimizers import OptimizationResult, ScanLBFGS
from tests.conftest import random_circuit, random_pauli_sum

ISING = PauliSum({"IZZ": -1.0, "ZZI": -1.0, "XII": -0.3, "IXI": -0.3, "IIX": -0.3})


def found(circuit: Circuit, energy: float = 0.0) -> Solution:
    return Solution(circuit, energy, energy, 1, 1.0)


@pytest.mark.parametrize(
    ("circuit", "kept"),
    [
        (Circuit(3).rz(0.0, 0).ry(0.4, 0), ["ry"]),
        (Circuit(3).ry(0.4, 0).rz(2 * np.pi, 0), ["ry"]),
        (Circuit(3).ry(0.4, 0).rx(3e-6, 1), ["ry"]),  # changes the energy by 3e-12
        (Circuit(3).ry(0.4, 0).rx(1e-3, 1), ["ry", "rx"]),  # by 3e-7
        (Circuit(3).rz(1.2, 0).ry(0.4, 0), ["ry"]),  # about the axis of |0>
        (Circuit(3).cx(0, 1).ry(0.4, 0), ["ry"]),  # a CNOT whose control is |0>
        (Circuit(3).ry(0.4, 0).cx(0, 1).cx(0, 1), ["ry"]),
        (Circuit(3).ry(0.4, 0).ry(0.3, 0), ["ry"]),
        (Circuit(3).t(0).t(0).ry(0.4, 0), ["ry"]),
        (Circuit(3), []),
    ],
)
def test_gates_that_do_nothing_go(circuit: Circuit, kept: list[str]) -> None:
    shorter = shortened(circuit, ISING)
    assert [name for name, *_ in shorter] == kept
    before, after = (reference.expectation(one, ISING) for one in (circuit, shorter))
    assert after == pytest.approx(before, abs=SAME_ENERGY)


def test_rotations_that_no_term_notices_go() -> None:
    """After the last gate that mixes Z's eigenstates, a diagonal Hamiltonian sees neither RZ nor CZ."""
    diagonal = PauliSum({"ZZ": -1.0, "IZ": 0.5})
    circuit = Circuit(2).ry(0.4, 0).cx(0, 1).rz(0.7, 0).cz(0, 1).rz(-0.2, 1)
    assert [name for name, *_ in shortened(circuit, diagonal)] == ["ry", "cx"]


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 4), st.integers(0, 25), st.integers(0, 10_000))
def test_the_energy_stays_and_nothing_more_can_go(num_qubits: int, num_gates: int, seed: int) -> None:
    circuit, observable = random_circuit(num_qubits, num_gates, seed), random_pauli_sum(num_qubits, 4, seed)
    shorter = shortened(circuit, observable)
    energy = reference.expectation(circuit, observable)
    assert reference.expectation(shorter, observable) == pytest.approx(energy, abs=1.1 * SAME_ENERGY)
    assert {*shorter.count_ops()} <= {*circuit.count_ops()}
    assert all(count <= counts_of(circuit)[name] for name, count in counts_of(shorter).items() if name != "depth")
    gates = list(shorter)
    for place in range(len(gates)):
        without = Circuit(num_qubits)
        for gate in gates[:place] + gates[place + 1 :]:
            without.append(*gate)
        assert abs(reference.expectation(without, observable) - energy) > 0.9 * SAME_ENERGY


@pytest.mark.parametrize(("num_qubits", "longest"), [(3, LONGEST), (12, LONGEST // 2)])
def test_angles_of_long_circuits_are_not_adjusted(
    num_qubits: int, longest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of greedy_blocks with 279 gates on 12 qubits searched for 5 s, and its report took more than 4 minutes."""
    rng, sizes = np.random.default_rng(0), []
    minimize = ScanLBFGS.minimize

    def counted(self: ScanLBFGS, simulator: Any, circuit: Circuit, *others: Any) -> OptimizationResult:
        sizes.append(len(circuit))
        return minimize(self, simulator, circuit, *others)

    monkeypatch.setattr(ScanLBFGS, "minimize", counted)
    layers, ising = Circuit(num_qubits), PauliSum({"I" * (num_qubits - 3) + label: value for label, value in ISING})
    for angles in rng.uniform(0.5, 2.0, (longest // 5 + 1, 3)):
        layers.ry(angles[0], 0).ry(angles[1], 1).cx(0, 1).ry(angles[2], 2).cx(1, 2)
    long = layers.copy().rz(0.0, 0).cx(0, 2).cx(0, 2)
    shorter = shortened(long, ising)
    assert len(shorter) == len(layers) > longest and not sizes
    before, after = (StatevectorSimulator().expectation(each, ising) for each in (long, shorter))
    assert after == pytest.approx(before, abs=SAME_ENERGY)
    assert shortened(Circuit(num_qubits).ry(0.4, 0).rx(0.2, 1).rx(0.3, 1), ising).num_gates == 2 and sizes


def test_the_circuit_of_the_readme_s_command() -> None:
    """LiH at 3.4 Å, ``training.seed=0``: 21 rotations, of which nine are needed; the energy by Qiskit."""
    from qiskit.quantum_info import SparsePauliOp, Statevector

    circuit = (
        Circuit(4)
        .ry(2.036980459717895, 1)
        .ry(-0.6294795199064198, 3)
        .ry(3.028931953217409, 0)
        .ry(-0.7022989391845835, 2)
        .rz(0.0, 0)
        .rz(0.0, 2)
        .ry(-0.7022989200451094, 2)
        .ry(-0.11266076918495073, 0)
        .rz(0.0, 0)
        .rz(0.0, 3)
        .ry(-0.1126606940518092, 0)
        .rz(0.0, 0)
        .ry(-0.11266069405040785, 0)
        .rz(0.0, 0)
        .ry(-0.11266069405212767, 0)
        .cx(2, 0)
        .ry(0.6285280583943298, 2)
        .ry(0.21530194230074037, 0)
        .cx(2, 1)
        .ry(1.1040271695350208, 1)
        .ry(1.302295151590404, 2)
        .cx(3, 2)
        .ry(-1.4376988451705623, 2)
        .ry(0.6071834763176227, 3)
    )
    hamiltonian = lih(3.4).hamiltonian
    shorter = shortened(circuit, hamiltonian)
    assert shorter.count_ops() == {"ry": 9, "cx": 3} and circuit.num_rotations == 21
    operator = SparsePauliOp.from_list(list(hamiltonian))
    before, after = (Statevector(one.to_qiskit()).expectation_value(operator).real for one in (circuit, shorter))
    assert after == pytest.approx(before, abs=SAME_ENERGY) and before == pytest.approx(-7.787799136, abs=1e-9)


def test_shared_angles() -> None:
    circuit = Circuit(2)
    source = circuit.append_param(0.4)
    for qubit in (0, 1):
        circuit.append_linked(gate_index("ry"), qubit, -1, Link(source, 1.0, 0.0))
    circuit.append_linked(gate_index("rz"), 0, -1, Link(source, 0.0, 0.0))
    shorter = shortened(circuit, PauliSum({"ZZ": 1.0, "XX": 0.2}))
    assert [tuple(gate) for gate in shorter] == [("ry", (0,), 0.4), ("ry", (1,), 0.4)]


def test_with_noise_the_energy_is_that_of_what_is_reported() -> None:
    noise = NoiseModel.depolarizing(1e-3, 1e-2)
    env = make_env("tfim", problem_settings={"num_qubits": 3}, noise=noise)
    circuit = Circuit(3).h(0).cx(0, 1).rz(1e-9, 0).rz(0.0, 2).cx(1, 2).cx(1, 2)
    before = env.simulator.expectation(circuit, env.problem.hamiltonian)
    short = reported(found(circuit, before), env)
    assert short.circuit.count_ops() == {"h": 1, "cx": 1}
    expected = reference.expectation(short.circuit, env.problem.hamiltonian, noise)
    assert short.energy == pytest.approx(expected, abs=1e-12)
    assert short.energy < before - 1e-4, "three gates less, less noise"
    assert short.energy_error == pytest.approx(short.energy - env.problem.ground_energy)


def test_a_gate_whose_noise_helps_is_kept() -> None:
    """Relaxation after RX(0) brings |0> nearer to the ground state |1>; without the gate there is none."""
    problem = Problem("pump", PauliSum({"Z": 1.0}), -2.0, 1e-3, "J")  # said to be -2, or X would solve it
    noise = NoiseModel().add(amplitude_damping(0.3, excited_population=1.0), ["rx"])
    env = make_env(problem, simulator=PauliTransferSimulator(noise), optimizer="none", gates=["rx", "ry"])
    circuit = Circuit(1).rx(0.0, 0)
    energy = 1 - 2 * 0.3  # P(1) = 0.3
    assert env.simulator.expectation(circuit, problem.hamiltonian) == pytest.approx(energy)
    assert reported(found(circuit, energy), env).circuit == circuit


def test_families_only_merge_and_cancel() -> None:
    """The last instance drawn need not be the circuit's."""
    env = make_env("tfim", problem_settings={"num_qubits": 2}, vary={"field": (0.5, 1.5)})
    circuit = Circuit(2).rz(0.3, 0).rz(-0.3, 0).rz(0.7, 1).ry(0.4, 1)
    assert [name for name, *_ in reported(found(circuit), env).circuit] == ["rz", "ry"]


def test_the_closing_table_has_both_counts() -> None:
    from rich.console import Console

    circuit = Circuit(2).rz(0.0, 0).ry(0.4, 0).cx(0, 1)
    short = found(shortened(circuit, PauliSum({"ZZ": 1.0, "XX": 0.3})))
    console = Console(width=140, record=True, file=StringIO())
    console.print(closing_table("title", "Ha", {"a": short, "b": None}, {"a": found(circuit), "b": None}))
    text = console.export_text()
    assert "1 (2)" in text and "in brackets: the circuit as it was built" in text
    console.print(closing_table("title", "Ha", {"a": short}))
    assert "(" not in console.export_text()


def test_a_run_reports_the_simplified_circuit_and_keeps_the_other(run: Path) -> None:
    from qiskit import qasm3
    from qiskit.quantum_info import SparsePauliOp, Statevector

    row = json.loads((run / "summary.json").read_text())["rows"]["found in training"]
    raw, short = (Circuit.from_qasm3((run / f"{name}.qasm").read_text()) for name in ("best", "simplified"))
    assert {name: row[name] for name in counts_of(raw)} == counts_of(raw)
    assert {name: row[f"simplified_{name}"] for name in counts_of(short)} == counts_of(short)
    assert (run / "best.txt").read_text().strip() == short.draw().strip()
    hamiltonian = make_env("tfim", problem_settings={"num_qubits": 2}).problem.hamiltonian
    state: Any = Statevector(qasm3.loads((run / "simplified.qasm").read_text()))
    energy = state.expectation_value(SparsePauliOp.from_list(list(hamiltonian))).real
    assert energy == pytest.approx(row["energy"], abs=2 * SAME_ENERGY)
    assert row["simplified_energy"] == pytest.approx(row["energy"], abs=SAME_ENERGY)
    assert shortened(raw, hamiltonian) == short and asdict(found(short))["energy"] == 0.0
