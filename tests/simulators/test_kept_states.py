"""Statevectors that are kept from step to step: energies of whole circuits, bit for bit, however circuits change."""

from __future__ import annotations

from threading import Event

import numpy as np
import pytest

from qas_simulators import Circuit, NoiseModel, PauliTransferSimulator, StatevectorSimulator
from qas_simulators.circuit_arrays import CircuitArrays
from qas_simulators.gates import GATES
from qas_simulators.optimizers import NoOptimizer
from qas_simulators.program import beside, thread_pool
from tests.conftest import random_circuit, random_pauli_sum

NUM_QUBITS, SIZE, CAPACITY = 3, 20, 30
OBSERVABLE = random_pauli_sum(NUM_QUBITS, 20, seed=5)


def every_gate() -> Circuit:
    """Return a circuit with every gate of the table on some qubits."""
    circuit = Circuit(NUM_QUBITS)
    for number, gate in enumerate(GATES):
        qubits = [(number + k) % NUM_QUBITS for k in range(gate.num_qubits)]
        circuit.append(gate.name, qubits, 0.0 if gate.num_params else None)
    return circuit


def grown(initial: Circuit) -> CircuitArrays:
    return CircuitArrays(initial, SIZE, CAPACITY, every_gate().table)


def energies(circuits: CircuitArrays, rows: np.ndarray, num_threads: int = 1) -> np.ndarray:
    found = NoOptimizer().minimize_each(
        StatevectorSimulator(), circuits, OBSERVABLE, rows, np.zeros(len(rows)), num_threads
    )
    assert found is not None and found.evaluations.tolist() == [1] * len(rows) and not found.gradients.any()
    return found.energies


def alone(circuits: CircuitArrays, rows: np.ndarray) -> np.ndarray:
    """Return the same energies, each circuit simulated on its own from the start."""
    return np.array([StatevectorSimulator().expectation(circuits.circuit(row), OBSERVABLE) for row in rows])


@pytest.mark.parametrize("num_threads", [1, 3])
@pytest.mark.parametrize("initial", [Circuit(NUM_QUBITS), random_circuit(NUM_QUBITS, 4, seed=2)])
def test_energies_of_circuits_that_grow_and_change(
    initial: Circuit, num_threads: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some grow by several gates between two energies; angles change; circuits begin again; others are put in."""
    circuits, twin = grown(initial), grown(initial)
    kept = circuits._kept
    calls: list[int] = []
    original = kept.energies
    monkeypatch.setattr(kept, "energies", lambda *given: calls.append(1) or original(*given))
    for step in range(24):
        for _ in range(int(rng.integers(1, 3))):
            rows = np.flatnonzero((rng.random(SIZE) < 0.7) & (circuits.counts[:, 0] < CAPACITY))
            circuits.append(rows, rng.integers(len(GATES), size=len(rows)))
        rows = np.flatnonzero(rng.random(SIZE) < 0.8)
        np.testing.assert_array_equal(energies(circuits, rows, num_threads), alone(circuits, rows))
        some = np.flatnonzero(rng.random(SIZE) < 0.3)
        if step % 3 == 0:  # an angle anywhere
            circuits.angles[some, rng.integers(4, size=len(some))] = rng.normal(size=len(some))
        elif step % 3 == 1:
            circuits.reset(some[:2])
        else:  # other gates, as many as before or fewer
            twin.append(some, rng.integers(len(GATES), size=len(some)))
            circuits.put(some[:3], twin.taken(some[:3]))
    assert len(calls) == 24 and (kept._arrays[3][:, 0] > 0).sum() > SIZE // 2


def test_a_copy_keeps_its_own_states(rng: np.random.Generator) -> None:
    circuits = grown(Circuit(NUM_QUBITS))
    everywhere = np.arange(SIZE)
    circuits.append(everywhere, rng.integers(len(GATES), size=SIZE))
    energies(circuits, everywhere)
    twin = circuits.copy()
    twin.append(everywhere, rng.integers(len(GATES), size=SIZE))
    np.testing.assert_array_equal(energies(twin, everywhere), alone(twin, everywhere))
    np.testing.assert_array_equal(energies(circuits, everywhere), alone(circuits, everywhere))


def test_where_no_states_are_kept(rng: np.random.Generator) -> None:
    """Noise, real arithmetic, and too many amplitudes: circuits are simulated from the start."""
    circuits = CircuitArrays(Circuit(2), 3, 4, Circuit(2).ry(0.0, 0).cx(0, 1).table)
    circuits.append(np.arange(3), np.array([0, 1, 0]))
    circuits.angles[:, 0] = rng.normal(size=3)
    observable = random_pauli_sum(2, 6, seed=1)
    real = random_pauli_sum(1, 1, seed=0).from_matrix(np.diag([1.0, -1.0, 0.5, 0.0]))
    for simulator, wanted in [
        (PauliTransferSimulator(NoiseModel.depolarizing(1e-3, 1e-2)), observable),
        (StatevectorSimulator(real_arithmetic=True), real),
    ]:
        found = NoOptimizer().minimize_each(simulator, circuits, wanted, np.arange(3), np.zeros(3))
        expected = [simulator.expectation(circuits.circuit(row), wanted) for row in range(3)]
        np.testing.assert_allclose(found.energies, expected, rtol=0.0, atol=1e-12)
        assert circuits._kept._arrays is None
    large = CircuitArrays(Circuit(14), 300, 1, Circuit(14).h(0).table)
    program = StatevectorSimulator().batch_program(large, random_pauli_sum(14, 1, seed=0))
    assert program is not None and not large._kept.serves(program)


def test_a_thread_that_has_not_started_is_not_waited_for() -> None:
    release, done = Event(), []
    pool = thread_pool(2)
    busy = [pool.submit(release.wait, 30.0) for _ in range(2)]
    try:
        beside(lambda: done.append(1), 2)
        assert done == [1]
    finally:
        release.set()
    assert all(one.result() for one in busy) and done == [1]
