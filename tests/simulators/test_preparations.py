"""Circuits that start after a preparation, on more qubits than they have: energies against Qiskit's operators."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
from qiskit.quantum_info import Operator, Statevector

from qas_simulators import (
    Circuit,
    CircuitBatch,
    NoiseModel,
    PauliPropagationSimulator,
    PauliSum,
    PauliTransferSimulator,
    Simulator,
    StabilizerSimulator,
    StatevectorSimulator,
)
from qas_simulators.block_circuits import BlockBench
from qas_simulators.candidates import candidates
from qas_simulators.flat_circuit import Link
from qas_simulators.gates import gate_index
from qas_simulators.kept_states import KeptStates
from qas_simulators.optimizers import Rotosolve, ScanLBFGS
from qas_simulators.preparation import Preparation, whole
from qas_simulators.program import statevector_program
from qas_simulators.simulability import simulability

TERMS = {"XZY": 0.7, "ZII": -0.4, "IXX": 0.3, "YIZ": 0.2, "III": 0.1}


def first() -> Circuit:
    """Every kind of gate: rotations of one and of two qubits, a phase, fixed gates."""
    return Circuit(3).h(2).cx(2, 0).ry(0.7, 1).rxx(0.4, 1, 2).p(0.3, 2).rzz(-1.1, 0, 1).sx(0)


def observable(scale: float = 1.0) -> PauliSum:
    return (scale * PauliSum(TERMS)).prepared(Preparation(first(), 2))


def circuit(seed: int = 0) -> Circuit:
    made = Circuit(2).rx(0.0, 0).rz(0.0, 1).cx(0, 1).ry(0.0, 1).ryy(0.0, 1, 0).rz(0.0, 0)
    made.params = np.random.default_rng(seed).uniform(-np.pi, np.pi, made.num_params)
    return made


def by_qiskit(own: Circuit) -> float:
    """Return the energy by matrices: the circuit's unitary acts on the two least significant qubits."""
    state = Statevector(first().to_qiskit()).evolve(Operator(own.to_qiskit()), qargs=[0, 1])
    return float(state.expectation_value(PauliSum(TERMS).to_qiskit()).real)


@pytest.mark.parametrize("seed", range(3))
def test_energies_slopes_and_means_are_qiskits(seed: int) -> None:
    simulator, own = StatevectorSimulator(), circuit(seed)
    assert simulator.expectation(own, observable()) == pytest.approx(by_qiskit(own), abs=1e-12)
    assert simulator.expectation(Circuit(2), observable()) == pytest.approx(by_qiskit(Circuit(2)), abs=1e-12)
    means = simulator.term_means(own, observable())
    assert means @ observable().coefficients == pytest.approx(by_qiskit(own), abs=1e-12)
    _, slopes = simulator.expectation_and_gradient(own, observable())
    for k in range(own.num_params):
        ends = []
        for turn in (np.pi / 2, -np.pi / 2):
            moved = own.copy()
            moved.params = own.params + turn * np.eye(own.num_params)[k]
            ends.append(by_qiskit(moved))
        assert slopes[k] == pytest.approx((ends[0] - ends[1]) / 2, abs=1e-12)


def test_real_arithmetic_and_small_units_keep_the_preparation() -> None:
    own = Circuit(2).ry(0.4, 0).cx(0, 1)
    assert StatevectorSimulator(real_arithmetic=True).expectation(own, observable()) == pytest.approx(
        by_qiskit(own), abs=1e-12
    )
    tiny = observable(1e-6)
    assert StatevectorSimulator().expectation(own, tiny) == pytest.approx(1e-6 * by_qiskit(own), abs=1e-18)
    found = ScanLBFGS().minimize(StatevectorSimulator(), own.copy(), tiny)
    assert found.energy == pytest.approx(1e-6 * ScanLBFGS().minimize(StatevectorSimulator(), own, observable()).energy)


def test_many_circuits_are_those_one_by_one() -> None:
    simulator, several = StatevectorSimulator(), [circuit(1), Circuit(2).h(0), circuit(2), Circuit(2).ry(0.2, 1)]
    alone = [ScanLBFGS().minimize(simulator, one.copy(), observable(), 1 if one.num_params else 0) for one in several]
    found = candidates(simulator, several, observable(), [1, 0, 1, 1])
    for k, one in enumerate(several):
        assert found.energies[k] == pytest.approx(by_qiskit(one), abs=1e-12)
        assert found.scanned[k] == candidates(simulator, [one], observable(), [min(1, one.num_params)]).scanned[0]
    batch = CircuitBatch([one.copy() for one in several], 12)
    together = ScanLBFGS().minimize_each(simulator, batch, observable(), range(4), [1, 0, 1, 1])
    assert together is not None
    assert together.energies.tolist() == [one.energy for one in alone]


def test_sweeps_and_linked_angles() -> None:
    own = circuit()
    start = by_qiskit(own)
    found = Rotosolve().minimize(StatevectorSimulator(), own, observable())
    own.params = found.params
    assert found.energy == pytest.approx(by_qiskit(own), abs=1e-9) and found.energy < start
    linked = Circuit(2)
    shared = linked.append_param(0.6)
    for qubit in (0, 1):
        linked.append_linked(gate_index("ry"), qubit, -1, Link(shared, 1.0 + qubit, 0.1))
    plain = Circuit(2).ry(0.7, 0).ry(1.3, 1)
    assert StatevectorSimulator().expectation(linked, observable()) == pytest.approx(by_qiskit(plain), abs=1e-12)
    assert [*whole(linked, observable())] == [*whole(plain, observable())]


def test_the_whole_circuit_is_the_preparation_and_the_circuit() -> None:
    own = circuit()
    full = whole(own, observable())
    assert (full.num_qubits, full.num_gates) == (3, first().num_gates + own.num_gates)
    energy = Statevector(full.to_qiskit()).expectation_value(PauliSum(TERMS).to_qiskit()).real
    assert energy == pytest.approx(by_qiskit(own), abs=1e-12)
    assert whole(own, PauliSum({"ZZ": 1.0})) is own
    assert simulability(own, observable(), 0.0).energy == pytest.approx(by_qiskit(own), abs=1e-9)


def test_operators_with_a_preparation_are_values() -> None:
    one = observable()
    assert one == observable() and one == pickle.loads(pickle.dumps(one))
    assert one != PauliSum(TERMS) and one != PauliSum(TERMS).prepared(Preparation(first(), 1))
    assert one != PauliSum(TERMS).prepared(Preparation(first().x(0), 2))
    assert one.circuit_qubits == 2 and PauliSum(TERMS).circuit_qubits == 3
    assert (one + one).preparation is None
    assert "circuits of 2 qubits" in repr(one)


def test_states_are_not_kept_after_a_preparation() -> None:
    tables = circuit().table[None]
    assert KeptStates(1, 8, 2).serves(statevector_program(tables, PauliSum({"ZZ": 1.0})))
    assert not KeptStates(1, 8, 2).serves(statevector_program(tables, observable()))


@pytest.mark.parametrize(
    "simulator",
    [PauliTransferSimulator(NoiseModel.depolarizing(p1=1e-3)), PauliPropagationSimulator(), StabilizerSimulator()],
)
def test_other_simulators_refuse_it(simulator: Simulator) -> None:
    with pytest.raises(ValueError, match=r"^Argument `simulator` must be the noiseless StatevectorSimulator.*[^\n]$"):
        simulator.expectation(Circuit(2).h(0), observable())
    with pytest.raises(ValueError, match="where circuits start after a preparation"):
        simulator.batch_program(CircuitBatch([Circuit(2).h(0)], 2), observable())


def test_bad_input() -> None:
    with pytest.raises(ValueError, match=r"`num_qubits` must lie in 1\.\.3, but is 4"):
        Preparation(first(), 4)
    with pytest.raises(ValueError, match="`preparation` must have 2 qubits"):
        PauliSum({"ZZ": 1.0}).prepared(Preparation(first(), 2))
    with pytest.raises(ValueError, match="`observable` must act on 3 qubits, but is 2"):
        StatevectorSimulator().expectation(Circuit(3), observable())
    with pytest.raises(ValueError, match="`circuit` must have 2 qubits, but is 3"):
        whole(Circuit(3), observable())
    with pytest.raises(ValueError, match=r"start in .* for blocks in real arithmetic"):
        BlockBench(observable())
    wide = PauliSum({"Z" * 15: 1.0}).prepared(Preparation(Circuit(15), 2))
    with pytest.raises(ValueError, match="`observable` must have at most 14 qubits"):
        StatevectorSimulator().expectation(Circuit(2), wide)
    shared = Circuit(3)
    shared.append_linked(gate_index("ry"), 0, -1, Link(shared.append_param(0.1), 1.0, 0.0))
    with pytest.raises(ValueError, match="`circuit` must have no linked angles"):
        Preparation(shared, 2)
