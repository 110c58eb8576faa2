"""Snapshots of devices: channels of Aer's device models, couplings and readout errors of Qiskit's targets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from qiskit.quantum_info import PTM
from qiskit_aer.noise import NoiseModel as AerNoiseModel
from qiskit_ibm_runtime import fake_provider

from qas_simulators import PauliSum
from qas_simulators.device_snapshots import read_snapshot, snapshot, snapshot_names

SPLITS = {"manila": (3, 1, 2, 0), "almaden": (6, 1, 0, 2)}  # two SX a rotation, and one U3


def turned(name: str, theta: float) -> list[PTM]:
    """The gates of RX or RY on devices with SX: SX, RZ, SX, RZ (Qiskit's transpiler, OpenQASM's qelib)."""
    from qiskit.circuit.library import RZGate, SXGate

    last = {"rx": 2.5 * np.pi, "ry": 3.0 * np.pi}[name]
    first = {"rx": 0.5 * np.pi, "ry": 0.0}[name]
    return [PTM(gate) for gate in (RZGate(first), SXGate(), RZGate(theta + np.pi), SXGate(), RZGate(last))]


@pytest.mark.parametrize("device", SPLITS)
def test_channels_are_those_of_aer(device: str) -> None:
    qubits = SPLITS[device]
    backend: Any = getattr(fake_provider, f"Fake{device.capitalize()}V2")()
    errors = AerNoiseModel.from_backend(backend)._local_quantum_errors
    model, target = snapshot(device, qubits), backend.target
    coupled = {(a, b) for a in range(4) for b in range(4) if (qubits[a], qubits[b]) in target["cx"]}
    assert model.couplings == coupled and coupled
    for pair in coupled:
        place = tuple(qubits[k] for k in pair)
        expected = np.real(PTM(errors["cx"][place]).data)
        np.testing.assert_allclose(model.transfer_matrix("cx", pair), expected, atol=1e-8)
        fidelity = (np.trace(expected) / 4 + 1) / 5
        error = target["cx"][place].error
        is_relaxed = device == "almaden" and set(place) == {1, 2}  # relaxation alone exceeds the calibrated error
        assert 1 - fidelity == pytest.approx(error, rel=1e-6) or (is_relaxed and 1 - fidelity > error)
    for k, qubit in enumerate(qubits):
        seen = model.measured(PauliSum({"".join("Z" if q == k else "I" for q in (3, 2, 1, 0)): 1.0}))
        assert seen.coefficients == pytest.approx([1 - 2 * target["measure"][(qubit,)].error])
        assert np.array_equal(model.transfer_matrix("rz", (k,)), np.eye(4))
        native = "sx" if device == "manila" else "u3"
        error = PTM(errors[native][(qubit,)])
        for name, theta in (("rx", 0.3), ("ry", 0.3), ("ry", -2.0)):
            got = model.transfer_matrix(name, (k,))
            if native == "u3":
                np.testing.assert_allclose(got, np.real(error.data), atol=1e-8)
                continue
            before, one, middle, two, after = turned(name, theta)
            ideal = after @ two @ middle @ one @ before
            noisy = after @ error @ two @ middle @ error @ one @ before
            np.testing.assert_allclose(got @ ideal.data.real, noisy.data.real, atol=1e-8)


def test_gates_without_calibration_are_refused() -> None:
    model = snapshot("almaden", [0, 1])
    assert model.reason_against("cx", (0, 1)) is None and model.reason_against("ry", (1,)) is None
    for gate, place in (("h", (0,)), ("sx", (0,)), ("cz", (0, 1))):
        with pytest.raises(ValueError, match=f"no calibration of {gate}"):
            model.channels(gate, place)
    with pytest.raises(ValueError, match="coupl"):
        snapshot("manila", [0, 1, 2]).channels("cx", (0, 2))


def test_every_device_can_be_read() -> None:
    assert len(snapshot_names()) == 33
    for name in snapshot_names():
        read = read_snapshot(name)
        assert 5 <= len(read.qubits) <= 28 and all((b, a) in read.pairs for a, b in read.pairs)
        assert all(0 < error < 1 and duration > 0 for error, duration in read.pairs.values())
        assert all(0 <= one.misread < 0.5 and one.t1 > 0 and one.t2 > 0 for one in read.qubits if one is not None)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"device": "manilla"}, "Did you mean 'manila'"),
        ({"qubits": [0, 0]}, "different"),
        ({"qubits": [0, 9]}, "4"),
        ({"qubits": [0, 1, 4]}, r"coupled to others, but is \[4\]"),
    ],
)
def test_impossible_snapshots(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        snapshot(**settings)
