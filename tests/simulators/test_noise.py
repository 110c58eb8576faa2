"""Channels and noise models."""

from __future__ import annotations

import numpy as np
import pytest

from qas_simulators import Channel, Circuit, NoiseModel, PauliSum, PauliTransferSimulator
from qas_simulators.channels import (
    amplitude_damping,
    bit_flip,
    depolarizing,
    pauli_basis,
    pauli_channel,
    phase_damping,
    phase_flip,
    ptm_of_kraus,
    thermal_relaxation,
)
from qas_simulators.gates import GATES
from qas_simulators.noise_variation import places_of, varied

CHANNELS = [
    depolarizing(0.1),
    depolarizing(0.2, 2),
    bit_flip(0.3),
    phase_flip(0.2),
    pauli_channel(0.1, 0.2, 0.3),
    phase_damping(0.4),
    amplitude_damping(0.3),
    amplitude_damping(0.3, excited_population=0.1),
    thermal_relaxation(t1=100.0, t2=80.0, time=5.0, excited_population=0.07),
    thermal_relaxation(t1=100.0, t2=200.0, time=5.0),
    bit_flip(0.1).tensor(depolarizing(0.2)),
    amplitude_damping(0.1).tensor(phase_damping(0.2)),
]


@pytest.mark.parametrize("channel", CHANNELS)
def test_channels_are_cptp(channel: Channel) -> None:
    size = 4**channel.num_qubits
    np.testing.assert_allclose(channel.ptm[0], np.eye(size)[0], atol=1e-12)
    basis = pauli_basis(channel.num_qubits)
    choi = sum(channel.ptm[i, j] * np.kron(basis[j].T, basis[i]) for i in range(size) for j in range(size))
    assert np.linalg.eigvalsh(choi).min() > -1e-12


@pytest.mark.parametrize("channel", CHANNELS)
def test_ptm_round_trip(channel: Channel) -> None:
    np.testing.assert_allclose(Channel.from_ptm(channel.ptm).ptm, channel.ptm, atol=1e-14)


def test_ptm_of_a_product_is_the_product() -> None:
    first, second = depolarizing(0.1).tensor(amplitude_damping(0.2)), depolarizing(0.3, 2)
    kraus = [b @ a for a in first.kraus for b in second.kraus]
    np.testing.assert_allclose(ptm_of_kraus(kraus), second.ptm @ first.ptm, atol=1e-14)
    cx = next(gate for gate in GATES if gate.name == "cx").matrix()
    np.testing.assert_allclose(ptm_of_kraus([cx @ cx]), np.eye(16), atol=1e-14)


def test_relaxation_reaches_its_equilibrium() -> None:
    late = thermal_relaxation(t1=10.0, t2=5.0, time=1000.0, excited_population=0.0758).ptm
    np.testing.assert_allclose(late[:, 0], [1, 0, 0, 1 - 2 * 0.0758], atol=1e-12)
    np.testing.assert_allclose(late[:, 1:], 0, atol=1e-12)
    halves = thermal_relaxation(10.0, 8.0, 1.0, 0.1).ptm
    np.testing.assert_allclose(halves @ halves, thermal_relaxation(10.0, 8.0, 2.0, 0.1).ptm, atol=1e-14)


def test_readout_errors_reach_every_letter() -> None:
    circuit = Circuit(2).h(0).x(1)  # <X_0> = 1, <Z_1> = -1
    noise = NoiseModel().add_readout(0.1, 0.3)
    values = {"IX": 0.6 + 0.2, "ZI": -0.6 + 0.2, "ZX": 0.8 * -0.4, "II": 1.0}
    for label, expected in values.items():
        value = PauliTransferSimulator(noise).expectation(circuit, PauliSum({label: 1.0}))
        assert value == pytest.approx(expected, abs=1e-14), label
    only_one = NoiseModel().add_readout(0.1, qubits=[1])
    assert PauliTransferSimulator(only_one).expectation(circuit, PauliSum({"ZX": 1.0})) == pytest.approx(-0.8)


def test_readout_error_equals_counting_misread_bits() -> None:
    """Average over all misreadings of a Bell state measured in the ZZ basis."""
    p01, p10 = 0.05, 0.2
    confusion = np.array([[1 - p01, p10], [p01, 1 - p10]])  # [read, true]
    probabilities = np.array([0.5, 0, 0, 0.5])
    read = np.kron(confusion, confusion) @ probabilities
    expected = read @ np.array([1, -1, -1, 1])
    simulator = PauliTransferSimulator(NoiseModel().add_readout(p01, p10))
    assert simulator.expectation(Circuit(2).h(0).cx(0, 1), PauliSum({"ZZ": 1.0})) == pytest.approx(expected, abs=1e-14)


def test_readout_errors_act_in_the_order_added() -> None:
    """On |0>: half of all 0 are read as 1, then half of these 1 as 0: p(1) = 1/4. The other way round p(1) = 1/2."""
    z = PauliSum({"Z": 1.0})
    for noise, expected in [
        (NoiseModel().add_readout(0.5, 0.0).add_readout(0.0, 0.5), 0.5),
        (NoiseModel().add_readout(0.0, 0.5).add_readout(0.5, 0.0), 0.0),
    ]:
        simulator = PauliTransferSimulator(noise)
        assert simulator.expectation(Circuit(1), z) == expected
        assert simulator.term_means(Circuit(1), z).tolist() == [expected]
        assert simulator.heisenberg(Circuit(1), z).basis_energies()[0] == expected


def test_several_readout_errors_are_products_of_confusion_matrices() -> None:
    """Two qubits, three errors, one of them on qubit 1 alone; energy, gradient, and the operator pulled back."""
    rules = [(0.3, 0.05, None), (0.02, 0.4, [1]), (0.25, 0.1, None)]
    noise, confusions = NoiseModel(), [np.eye(2), np.eye(2)]
    for p01, p10, where in rules:
        noise.add_readout(p01, p10, where)
        for qubit in (0, 1) if where is None else where:
            confusions[qubit] = np.array([[1 - p01, p10], [p01, 1 - p10]]) @ confusions[qubit]  # [read, true]
    observable = PauliSum({"IZ": 0.5, "ZI": -1.0, "ZZ": 2.0})

    def expected(angle: float) -> float:  # RY on qubit 0, then CX
        true = np.array([np.cos(angle / 2) ** 2, 0, 0, np.sin(angle / 2) ** 2])
        return float(observable.basis_energies() @ np.kron(confusions[1], confusions[0]) @ true)

    simulator, circuit = PauliTransferSimulator(noise), Circuit(2).ry(0.7, 0).cx(0, 1)
    energy, gradient = simulator.expectation_and_gradient(circuit, observable)
    assert energy == pytest.approx(expected(0.7), abs=1e-14)
    assert gradient[0] == pytest.approx((expected(0.7 + np.pi / 2) - expected(0.7 - np.pi / 2)) / 2, abs=1e-14)
    assert simulator.term_means(circuit, observable) @ observable.coefficients == pytest.approx(energy, abs=1e-14)
    assert simulator.heisenberg(circuit, observable).basis_energies()[0] == pytest.approx(energy, abs=1e-14)


def test_closed_forms() -> None:
    np.testing.assert_allclose(phase_damping(0.36).ptm, np.diag([1, 0.8, 0.8, 1]), atol=1e-14)
    np.testing.assert_allclose(depolarizing(0.1).ptm, np.diag([1, 0.9, 0.9, 0.9]), atol=1e-14)
    np.testing.assert_allclose(depolarizing(0.2, 2).ptm, np.diag([1] + [0.8] * 15), atol=1e-14)
    np.testing.assert_allclose(bit_flip(0.3).ptm, np.diag([1, 1, 0.4, 0.4]), atol=1e-14)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: NoiseModel.depolarizing(p1=-0.1), r"`p1` must lie in \[0, 1\], but is -0.1"),
        (lambda: NoiseModel.bit_flip(1.5), "`p`"),
        (lambda: depolarizing(float("nan")), "nan"),
        (lambda: NoiseModel().add(depolarizing(0.1, 2), ["rx"]), "one qubit"),
        (lambda: NoiseModel().add(bit_flip(0.1), ["cnot"]), "Unknown gate"),
        (lambda: Channel.from_kraus([[[1, 0], [0, 0.5]]]), "trace"),
        (lambda: Channel.from_ptm(np.diag([1.0, 1.0, -1.0, 1.0])), "completely positive"),
        (lambda: Channel.from_ptm(np.diag([0.9, 0.9, 0.9, 0.9])), "trace"),
        (lambda: Channel.from_ptm(np.eye(3)), "shape"),
        (lambda: thermal_relaxation(10.0, 30.0, 1.0), "at most 2"),
        (lambda: thermal_relaxation(0.0, 30.0, 1.0), "positive"),
        (lambda: pauli_channel(0.5, 0.5, 0.5), "but is 1.5"),
        (lambda: NoiseModel().add_readout(1.2), "`p01`"),
    ],
)
def test_bad_noise(build: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()  # type: ignore[operator]


_READOUT = [("readout", 0, (0,)), ("readout", 0, (1,))]


def test_each_place_has_a_factor_of_its_own() -> None:
    """Depolarising noise is scaled by its probability, on each qubit and each pair; readout errors likewise."""
    noise = NoiseModel.depolarizing(p1=0.01, p2=0.02).add_readout(0.03, 0.05)
    places = places_of(noise, 2)
    assert places == [("channel", 0, (0,)), ("channel", 0, (1,)), ("channel", 1, (0, 1)), *_READOUT]
    factors = dict(zip(places, (1.0, 2.0, 3.0, 0.5, 1.0), strict=True))
    other = varied(noise, factors, 2)
    for qubit, p in enumerate((0.01, 0.02)):
        np.testing.assert_allclose(other.transfer_matrix("x", (qubit,)), depolarizing(p).ptm, atol=1e-15)
    for pair in ((0, 1), (1, 0)):
        np.testing.assert_allclose(other.transfer_matrix("cx", pair), depolarizing(0.06, 2).ptm, atol=1e-15)
    for label, p01, p10 in (("IZ", 0.015, 0.025), ("ZI", 0.03, 0.05)):
        expected = PauliSum({label: 1 - p01 - p10, "II": p10 - p01})
        assert other.measured(PauliSum({label: 1.0})).to_matrix() == pytest.approx(expected.to_matrix(), abs=1e-15)
    same = varied(noise, dict.fromkeys(places, 1.0), 2)
    assert (same.transfer_matrix("ry", (1,)) == noise.transfer_matrix("ry", (1,))).all()
    with pytest.raises(ValueError, match=r"Noise cannot be varied. Argument `p` must lie in \[0, 1\]"):
        varied(noise, dict.fromkeys(places, 200.0), 2)


def test_rules_on_some_qubits_keep_them() -> None:
    noise = NoiseModel().add(bit_flip(0.1), ["x", "cx"], None, except_on=[(0,), (1, 0)]).add(bit_flip(0.2), ["h"], [1])
    assert places_of(noise, 2) == [("channel", 0, (1,)), ("channel", 0, (0, 1)), ("channel", 1, (1,))]
    other = varied(noise, dict.fromkeys(places_of(noise, 2), 2.0), 2)
    assert not other.channels("x", (0,)) and not other.channels("cx", (1, 0)) and not other.channels("h", (0,))
    assert other.transfer_matrix("h", (1,))[3, 3] == pytest.approx(1 - 2 * 0.4)
    assert other.transfer_matrix("x", (1,))[3, 3] == pytest.approx(1 - 2 * 0.2)
    assert len(other.channels("cx", (0, 1))) == 2
