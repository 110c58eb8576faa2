"""Fuzzer: circuits and noise that Hypothesis draws, against the density matrix of ``qas_simulators.reference``.

python -m pytest tests/simulators/test_fuzz_circuits.py -m slow
"""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qas_simulators import Circuit, NoiseModel, PauliSum, PauliTransferSimulator, StatevectorSimulator, reference
from qas_simulators.channels import amplitude_damping, depolarizing, pauli_channel, thermal_relaxation
from qas_simulators.gates import GATES

ANGLES = st.floats(-7.0, 7.0, allow_nan=False) | st.sampled_from([0.0, np.pi / 2, np.pi, 2 * np.pi])
PROBABILITIES = st.sampled_from([0.0, 1e-9, 1e-3, 0.1, 0.5, 1.0])
LONG = settings(max_examples=4000, suppress_health_check=list(HealthCheck))


@st.composite
def circuits(draw: st.DrawFn) -> Circuit:
    """Return one to four qubits and up to 15 gates of the whole table."""
    num_qubits = draw(st.integers(1, 4))
    circuit = Circuit(num_qubits)
    gates = [gate for gate in GATES if gate.num_qubits <= num_qubits]
    for gate in draw(st.lists(st.sampled_from(gates), max_size=15)):
        qubits = draw(st.permutations(range(num_qubits)))[: gate.num_qubits]
        circuit.append(gate.name, qubits, draw(ANGLES) if gate.num_params else None)
    return circuit


@st.composite
def noise_models(draw: st.DrawFn, num_qubits: int) -> NoiseModel:
    """Return up to four rules in any order: gates on all qubits or some, readout errors, idle qubits."""
    noise = NoiseModel()
    for kind in draw(st.lists(st.sampled_from(["pauli", "depolarizing", "damping", "relaxing", "readout", "idle"]),
                              max_size=4)):  # fmt: skip
        p = draw(PROBABILITIES)
        gate = draw(st.sampled_from([gate for gate in GATES if gate.num_qubits <= num_qubits]))
        where = draw(st.permutations(range(num_qubits)))[: gate.num_qubits] if draw(st.booleans()) else None
        if kind == "pauli":
            noise.add(pauli_channel(p / 2, p / 4, p / 4), [gate.name], where)
        elif kind == "depolarizing":
            noise.add(depolarizing(p, gate.num_qubits), [gate.name], where)
        elif kind == "damping":
            noise.add(amplitude_damping(p, draw(PROBABILITIES)), [gate.name], where)
        elif kind == "relaxing":
            noise.add(thermal_relaxation(10.0, draw(st.sampled_from([1.0, 10.0, 20.0])), 1.0, p), [gate.name], where)
        elif kind == "readout":
            noise.add_readout(p, draw(PROBABILITIES), None if where is None else where[:1])
        else:
            noise.add_idle(amplitude_damping(p))
    return noise


def check(data: st.DataObject) -> None:
    """Compare energies and gradients with full matrices; the gradient's truth are shifted angles (pi / 2)."""
    circuit = data.draw(circuits())
    noise = data.draw(noise_models(circuit.num_qubits))
    labels = st.text("IXYZ", min_size=circuit.num_qubits, max_size=circuit.num_qubits)
    observable = PauliSum(data.draw(st.dictionaries(labels, st.floats(-2.0, 2.0), min_size=1, max_size=5)))
    for simulator, model in [(PauliTransferSimulator(noise), noise), (StatevectorSimulator(), None)]:
        measured = observable if model is None else model.measured(observable)
        energy, gradient = simulator.expectation_and_gradient(circuit, observable)
        assert abs(energy - reference.expectation(circuit, measured, model)) < 1e-11
        assert abs(energy - simulator.expectation(circuit, observable)) < 1e-11
        for k, shift in enumerate(np.pi / 2 * np.eye(circuit.num_params)):
            up, down = (reference.expectation(circuit, measured, model, circuit.params + s) for s in (shift, -shift))
            assert abs(gradient[k] - (up - down) / 2) < 1e-9


@settings(max_examples=30)
@given(st.data())
def test_circuits_against_density_matrices(data: st.DataObject) -> None:
    check(data)


@pytest.mark.slow
@LONG
@given(st.data())
def test_many_circuits_against_density_matrices(data: st.DataObject) -> None:
    check(data)
