"""Zero-noise extrapolation and readout inversion, against closed forms, NumPy's fits and density matrices."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from qas_simulators import (
    Channel,
    Circuit,
    MitigatedSimulator,
    NoiseModel,
    PauliSum,
    PauliTransferSimulator,
    Simulator,
    StatevectorSimulator,
    ZeroNoise,
    reference,
)
from qas_simulators.channels import amplitude_damping, bit_flip, depolarizing, pauli_channel, thermal_relaxation
from qas_simulators.extrapolation import inverted_readout
from qas_simulators.flat_circuit import Link
from qas_simulators.folding import folded
from qas_simulators.noise_presets import mumbai
from qas_simulators.optimizers import AdamSPSA, Cobyla, NoOptimizer, Rotosolve, ScanLBFGS

PAIR = PauliSum({"II": 0.3, "ZZ": 0.7, "XX": -0.4, "ZI": 0.2, "YY": 0.25})
QUADRATIC = ZeroNoise()


def mitigated(noise: NoiseModel, method: ZeroNoise = QUADRATIC, **settings: Any) -> MitigatedSimulator:
    return MitigatedSimulator(PauliTransferSimulator(noise, **settings), method)


def global_circuit() -> Circuit:
    """Return a circuit in which every gate acts on the whole register of two qubits."""
    return Circuit(2).rxx(0.9, 0, 1).cx(0, 1).ryy(-0.4, 1, 0).rzz(1.3, 0, 1).cx(1, 0).rxx(0.35, 1, 0)


def local_circuit() -> Circuit:
    return Circuit(2).ry(0.4, 0).ry(-1.1, 1).cx(0, 1).rz(0.8, 1).sx(0).ry(0.6, 1).t(0).cx(1, 0).rx(0.2, 0)


def biased_noise() -> NoiseModel:
    """Return gate noise with readout errors that differ by outcome and qubit, two of them on qubit 1."""
    noise = NoiseModel.depolarizing(0.01, 0.03).add(amplitude_damping(0.02), ["ry", "cx"])
    return noise.add_readout(0.02, 0.07).add_readout(0.05, 0.01, qubits=[1])


def exact(circuit: Circuit, observable: PauliSum = PAIR) -> float:
    return StatevectorSimulator().expectation(circuit, observable)


# -- fits --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [0, 1, 2, 3])
def test_polynomials_of_the_order_are_exact(order: int) -> None:
    rng = np.random.default_rng(order)
    scales, coefficients = (1.0, 1.5, 2.0, 4.0, 5.0), rng.normal(size=(order + 1, 6))
    energies = np.array([sum(c * scale**k for k, c in enumerate(coefficients)) for scale in scales])
    found = ZeroNoise(scales, order).extrapolated(energies, mixed=9.0)
    np.testing.assert_allclose(found, coefficients[0], atol=1e-10)


@pytest.mark.parametrize(("scales", "order"), [((1, 2), 1), ((1, 2, 3), 1), ((1, 2, 3), 2), ((1, 3, 5, 7), 2)])
def test_fits_are_those_of_numpy(scales: tuple[int, ...], order: int) -> None:
    energies = np.random.default_rng(0).normal(size=len(scales))
    expected = np.polyfit(scales, energies, order)[-1]
    assert ZeroNoise(scales, order).extrapolated(energies, 0.0) == pytest.approx(expected, abs=1e-10)
    above = 5.0 + np.exp(energies)
    assert ZeroNoise(scales, order, "exponential").extrapolated(above, 5.0) == pytest.approx(5.0 + np.exp(expected))


def test_exponentials_are_exact_on_both_sides_of_the_mixed_energy() -> None:
    scales = np.array([1.0, 2.0, 3.0])
    decay = np.exp(-0.3 * scales + 0.02 * scales**2)
    for size in (2.0, -2.0):
        found = ZeroNoise(tuple(scales), 2, "exponential").extrapolated(-7.0 + size * decay, -7.0)
        assert found == pytest.approx(-7.0 + size, abs=1e-12)


def test_energies_on_both_sides_of_the_mixed_energy_are_fitted_by_the_polynomial() -> None:
    crossing, zero = [1.0, -0.5, -1.0], [0.0, 0.0, 0.0]
    method = ZeroNoise(fit="exponential")
    for energies in (crossing, zero, [0.0, 1.0, 2.0]):
        assert method.extrapolated(energies, 0.0) == pytest.approx(QUADRATIC.extrapolated(energies, 0.0), abs=1e-12)
        np.testing.assert_allclose(method.slopes(energies, 0.0), [3.0, -3.0, 1.0], atol=1e-10)


@pytest.mark.parametrize("fit", ["polynomial", "exponential"])
def test_slopes_of_fits_are_difference_quotients(fit: str) -> None:
    method, energies = ZeroNoise(order=1, fit=fit), np.array([-1.2, -0.9, -0.5])
    step = 1e-6 * np.eye(3)
    up, down = method.extrapolated((energies + step).T, 0.1), method.extrapolated((energies - step).T, 0.1)
    np.testing.assert_allclose(method.slopes(energies, 0.1), (up - down) / 2e-6, atol=1e-8)


# -- noise -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("channel", "expected"),
    [
        (depolarizing(0.1), depolarizing(0.25)),
        (depolarizing(0.2, 2), depolarizing(0.5, 2)),
        (bit_flip(0.1), bit_flip(0.25)),
        (pauli_channel(0.1, 0.04, 0.02), pauli_channel(0.25, 0.1, 0.05)),
        (amplitude_damping(0.1, 0.3), amplitude_damping(0.25, 0.3)),
        (thermal_relaxation(50.0, 70.0, 2.0, 0.1), thermal_relaxation(50.0, 70.0, 5.0, 0.1)),
        (bit_flip(0.1).tensor(depolarizing(0.2)), bit_flip(0.25).tensor(depolarizing(0.5))),
    ],
)
def test_rates_of_channels_are_scaled(channel: Channel, expected: Channel) -> None:
    np.testing.assert_allclose(channel.scaled(2.5).ptm, expected.ptm, atol=1e-14)
    np.testing.assert_allclose(pickle.loads(pickle.dumps(channel)).scaled(2.5).ptm, expected.ptm, atol=1e-14)


def test_other_channels_act_several_times() -> None:
    unnamed = Channel.from_ptm(amplitude_damping(0.2).ptm)
    np.testing.assert_allclose(unnamed.scaled(3).ptm, np.linalg.matrix_power(unnamed.ptm, 3), atol=1e-9)
    half = unnamed.scaled(1.5).ptm
    np.testing.assert_allclose(half @ half, np.linalg.matrix_power(unnamed.ptm, 3), atol=1e-9)


def test_mumbai_at_twice_the_noise() -> None:
    first, second = thermal_relaxation(1 / 2.862e-4, 1 / 2.093e-4, 2.0, 0.0758), depolarizing(2 * 8.25e-3)
    noise = mumbai().scaled(2)
    np.testing.assert_allclose(noise.transfer_matrix("ry", (0,)), first.ptm @ depolarizing(2 * 2.44e-4).ptm, atol=1e-12)
    relaxed = thermal_relaxation(1 / 3.402e-3, 1 / 2.488e-3, 2.0, 0.0758)
    expected = relaxed.tensor(relaxed).ptm @ second.tensor(second).ptm
    np.testing.assert_allclose(noise.transfer_matrix("cx", (1, 0)), expected, atol=1e-12)
    z = PauliSum({"Z": 1.0})
    assert noise.measured(z).coefficients[0] == pytest.approx(1 - 4 * 0.02246)
    assert mumbai().scaled(2, 1).measured(z).coefficients[0] == pytest.approx(1 - 2 * 0.02246)


def test_probabilities_above_1_are_refused() -> None:
    with pytest.raises(ValueError, match=r"Noise cannot be scaled by 3\. .*but is 1\.2"):
        mitigated(NoiseModel.depolarizing(0.4))
    with pytest.raises(ValueError, match=r"Noise cannot be scaled by 2\. .*but is 1\.1"):
        mitigated(NoiseModel.depolarizing(0.1).add_readout(0.55), ZeroNoise(readout="scaled"))


# -- folding -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1, 3, 5])
def test_folded_circuits_do_the_same(scale: int) -> None:
    circuit = local_circuit()
    longer = folded(circuit, scale)
    assert len(longer) == scale * len(circuit) and longer.num_params == circuit.num_params
    simulator = StatevectorSimulator()
    overlap = np.vdot(simulator.statevector(circuit), simulator.statevector(longer))
    assert abs(overlap) == pytest.approx(1.0, abs=1e-12)


def test_folded_circuits_keep_links() -> None:
    circuit = Circuit(1).ry(0.3, 0)
    circuit.append_linked(circuit.table[0, 0], 0, -1, Link(0, -2.0, 0.4))
    longer = folded(circuit, 3)
    np.testing.assert_allclose(longer.angles, [0.3, -0.3, 0.3, -0.2, 0.2, -0.2], atol=1e-15)


def test_folded_energies_are_those_of_density_matrices() -> None:
    noise = NoiseModel.depolarizing(0.02, 0.05).add(amplitude_damping(0.03), ["cx", "t", "tdg", "sx", "sxdg"])
    circuit = Circuit(2).ry(0.4, 0).sx(1).cx(0, 1).t(1)
    longer = Circuit(2).ry(0.4, 0).ry(-0.4, 0).ry(0.4, 0).sx(1).sxdg(1).sx(1)
    longer = longer.cx(0, 1).cx(0, 1).cx(0, 1).t(1).tdg(1).t(1)
    energies = [reference.expectation(one, PAIR, noise) for one in (circuit, longer)]
    found = mitigated(noise, ZeroNoise((1, 3), 1, scaling="folding")).expectation(circuit, PAIR)
    assert found == pytest.approx(1.5 * energies[0] - 0.5 * energies[1], abs=1e-12)


# -- mitigated energies ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("scales", "order"), [((1, 3), 1), ((1, 3, 5), 1), ((1, 3, 5), 2)])
def test_exponentials_are_exact_for_global_depolarising(scales: tuple[int, ...], order: int) -> None:
    """The distance from the mixed energy decays as ``(1 - p)**L`` with the number of gates."""
    circuit, p = global_circuit(), 0.07
    method = ZeroNoise(scales, order, "exponential", "folding")
    simulator = mitigated(NoiseModel.depolarizing(p2=p), method)
    raw = simulator.base.expectation(circuit, PAIR)
    assert raw == pytest.approx(0.3 + (1 - p) ** 6 * (exact(circuit) - 0.3), abs=1e-12)
    assert simulator.expectation(circuit, PAIR) == pytest.approx(exact(circuit), abs=1e-12)


def test_polynomials_are_exact_for_scaled_global_depolarising() -> None:
    """With rates ``s p`` the decay is a polynomial in ``s`` of as many orders as there are gates."""
    circuit, noise = global_circuit(), NoiseModel.depolarizing(p2=0.07)
    full = mitigated(noise, ZeroNoise((1, 1.5, 2, 2.5, 3, 3.5, 4), 6)).expectation(circuit, PAIR)
    assert full == pytest.approx(exact(circuit), abs=1e-9)
    errors = []
    for order in (1, 2, 3):
        scales = tuple(range(1, order + 2))
        errors.append(abs(mitigated(noise, ZeroNoise(scales, order)).expectation(circuit, PAIR) - exact(circuit)))
    assert abs(mitigated(noise).base.expectation(circuit, PAIR) - exact(circuit)) > errors[0] > errors[1] > errors[2]


def test_readout_inversion_is_exact() -> None:
    noise, bare = biased_noise(), biased_noise()
    bare._readout.errors.clear()
    circuit = local_circuit()
    simulator = mitigated(noise, inverted_readout())
    expected = reference.expectation(circuit, PAIR, bare)
    assert abs(simulator.base.expectation(circuit, PAIR) - expected) > 5e-3
    assert simulator.expectation(circuit, PAIR) == pytest.approx(expected, abs=1e-12)
    np.testing.assert_allclose(
        simulator.term_means(circuit, PAIR), PauliTransferSimulator(bare).term_means(circuit, PAIR), atol=1e-12
    )


def test_inverted_readout_is_the_inverse_of_confusion_matrices() -> None:
    noise = NoiseModel().add_readout(0.1, 0.25, qubits=[0]).add_readout(0.03, 0.08, qubits=[1])
    confusion = np.kron([[0.97, 0.08], [0.03, 0.92]], [[0.9, 0.25], [0.1, 0.75]])  # qubit 0 least significant
    read = confusion @ np.array([0.1, 0.2, 0.3, 0.4])
    signs = {"IZ": [1, -1, 1, -1], "ZI": [1, 1, -1, -1], "ZZ": [1, -1, -1, 1], "II": [1, 1, 1, 1]}
    observable = noise.unmeasured(PauliSum({"ZZ": 1.0, "IZ": 0.5}))
    found = sum(coefficient * np.dot(signs[label], read) for label, coefficient in observable.terms().items())
    true = np.linalg.solve(confusion, read)
    assert found == pytest.approx(np.dot(signs["ZZ"], true) + 0.5 * np.dot(signs["IZ"], true), abs=1e-12)


def test_readout_errors_inverted_scaled_and_kept() -> None:
    circuit, energies = local_circuit(), {}
    for readout in ("inverted", "scaled", "kept"):
        energies[readout] = mitigated(mumbai(), ZeroNoise(readout=readout)).expectation(circuit, PAIR)
    for readout, of_readout in (("inverted", 0), ("scaled", None), ("kept", 1)):
        models = [mumbai().scaled(k, k if of_readout is None else of_readout) for k in (1, 2, 3)]
        runs = [reference.expectation(circuit, noise.measured(PAIR), noise) for noise in models]
        assert energies[readout] == pytest.approx(3 * runs[0] - 3 * runs[1] + runs[2], abs=1e-12)
    assert abs(energies["inverted"] - exact(circuit)) < 1e-4 < abs(energies["kept"] - exact(circuit))


METHODS = [
    QUADRATIC,
    ZeroNoise((1, 2), 1, "exponential"),
    ZeroNoise((1, 3), 1, scaling="folding"),
    ZeroNoise((1, 3, 5), 1, "exponential", "folding", "kept"),
]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("is_linked", [False, True])
def test_gradients_are_difference_quotients(method: ZeroNoise, is_linked: bool) -> None:
    circuit = local_circuit()
    if is_linked:
        circuit.append_linked(circuit.table[0, 0], 1, -1, Link(0, -2.0, 0.4))
    simulator = mitigated(biased_noise(), method)
    energy, gradient = simulator.expectation_and_gradient(circuit, PAIR)
    steps = 1e-5 * np.eye(circuit.num_params)
    points = circuit.params + np.concatenate([steps, -steps])
    up, down = simulator.expectations(circuit, PAIR, points).reshape(2, -1)
    assert energy == pytest.approx(simulator.expectation(circuit, PAIR), abs=1e-12)
    np.testing.assert_allclose(gradient, (up - down) / 2e-5, atol=1e-8)


@pytest.mark.parametrize("method", METHODS)
def test_minimisation_ends_where_gradients_vanish(method: ZeroNoise) -> None:
    circuit, simulator = local_circuit(), mitigated(biased_noise(), method)
    result = ScanLBFGS().minimize(simulator, circuit, PAIR, num_new=2)
    circuit.params = result.params
    energy, gradient = simulator.expectation_and_gradient(circuit, PAIR)
    assert result.energy == pytest.approx(energy, abs=1e-12) and np.abs(gradient).max() < 1e-4
    if simulator.is_sinusoidal:
        swept = Rotosolve(max_sweeps=200, energy_tolerance=1e-12).minimize(simulator, circuit, PAIR)
        assert swept.energy == pytest.approx(energy, abs=1e-8)


def test_aer_gives_the_same_energies() -> None:
    pytest.importorskip("qiskit_aer")
    from qas_simulators.bridges.aer import AerSimulator

    circuit = local_circuit()
    for method in METHODS[:2]:
        by_aer = MitigatedSimulator(AerSimulator(biased_noise()), method)
        energy, gradient = by_aer.expectation_and_gradient(circuit, PAIR)
        expected = mitigated(biased_noise(), method).expectation_and_gradient(circuit, PAIR)
        assert energy == pytest.approx(expected[0], abs=1e-9)
        np.testing.assert_allclose(gradient, expected[1], atol=1e-9)


# -- shots and counts --------------------------------------------------------------------------------------------------


def test_shot_noise_is_amplified_by_the_weights() -> None:
    """One gate, ``<Z> = c (1 - 2 r) + 0`` at each scale: the standard error in closed form."""
    noise, shots = NoiseModel.depolarizing(0.02).add_readout(0.05), 1000
    simulator = mitigated(noise, shots=shots, seed=3)
    circuit, observable = Circuit(1).ry(0.5, 0), PauliSum({"I": 4.0, "Z": 2.0})
    means = np.cos(0.5) * (1 - 0.02 * np.array([1, 2, 3])) * 0.9
    errors = 2.0 / 0.9 * np.sqrt((1 - means**2) / shots)  # inverting readout divides by 0.9
    expected = np.linalg.norm(errors * [3.0, -3.0, 1.0])
    assert simulator.standard_error(circuit, observable, shots) == pytest.approx(expected, rel=1e-12)
    energies = simulator.expectations(circuit, observable, np.full((600, 1), 0.5))
    assert energies.mean() == pytest.approx(exact(circuit, observable), abs=5 * expected / np.sqrt(600))
    assert energies.std() == pytest.approx(expected, rel=0.12)
    assert simulator.shots_used == 600 * 3 * shots  # one term at three scales


@pytest.mark.parametrize(
    ("optimizer", "energies"),
    [
        (NoOptimizer(), 1),
        (Cobyla(max_evaluations=7), 7),
        (AdamSPSA(iterations=(5,)), 16),
        (Rotosolve(max_sweeps=1), 2 + 2 * 5),
    ],
)
def test_all_runs_and_shots_are_counted(optimizer: Any, energies: int) -> None:
    simulator = mitigated(mumbai(), shots=50, seed=0)
    result = optimizer.minimize(simulator, local_circuit(), PAIR)
    assert result.evaluations == 3 * energies
    assert simulator.shots_used == result.evaluations * 50 * 4  # four terms besides the identity


def test_asymmetric_readout_errors_add_measured_terms() -> None:
    noise = NoiseModel.depolarizing(0.01).add_readout(0.02, 0.05)
    simulator = mitigated(noise, ZeroNoise((1, 2), 1), shots=10, seed=0)
    simulator.expectation(Circuit(2).ry(0.3, 0), PauliSum({"ZZ": 1.0}))
    assert simulator.shots_used == 2 * 10 * 3  # ZZ, ZI and IZ


@pytest.mark.parametrize("method", METHODS)
def test_minimisations_count_all_runs(method: ZeroNoise, monkeypatch: pytest.MonkeyPatch) -> None:
    from qas_simulators import simulator

    runs = {"energies_of": 0, "gradients_of": 0}

    def count(name: str) -> None:
        function = getattr(simulator, name)

        def counting(*arguments: Any) -> Any:
            runs[name] += len(arguments[1])
            return function(*arguments)

        monkeypatch.setattr(simulator, name, counting)

    count("energies_of")
    count("gradients_of")
    result = ScanLBFGS().minimize(mitigated(mumbai(), method), local_circuit(), PAIR, num_new=2)
    assert result.gradients == runs["gradients_of"] > 0 and result.evaluations == sum(runs.values())
    assert runs["energies_of"] == len(method.scales) * 2 * (3 if method is QUADRATIC else 8)


def test_copies_and_pickles_give_the_same_energies() -> None:
    simulator = mitigated(mumbai(), shots=20, seed=5)
    twin = pickle.loads(pickle.dumps(simulator))
    for _ in range(2):
        assert simulator.expectation(local_circuit(), PAIR) == twin.expectation(local_circuit(), PAIR)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"scales": (1, -2, 3)}, "`scales`"),
        ({"scales": (0.5, 1, 2)}, "`scales`"),
        ({"scales": (1, 1, 2)}, "`scales`"),
        ({"scales": (1, float("inf"), 2)}, "`scales`"),
        ({"scales": (1, 2)}, "`order`"),
        ({"order": -1}, "`order`"),
        ({"order": True}, "`order`"),
        ({"fit": "cubic"}, "fit"),
        ({"scaling": "pulses"}, "scaling"),
        ({"readout": "ignored"}, "readout"),
        ({"scaling": "folding"}, "odd"),
        ({"scales": (1, 3, 5), "scaling": "folding", "readout": "scaled"}, "`readout`"),
    ],
)
def test_bad_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ZeroNoise(**settings)


@pytest.mark.parametrize("base", [StatevectorSimulator(), PauliTransferSimulator()])
def test_simulators_without_noise_are_refused(base: Simulator) -> None:
    with pytest.raises(ValueError, match="`noise`"):
        MitigatedSimulator(base, QUADRATIC)


@pytest.mark.parametrize("qubits", [None, [2]])
def test_readout_errors_without_an_inverse_are_refused(qubits: list[int] | None) -> None:
    noise = NoiseModel.depolarizing(0.01).add_readout(0.3, 0.7, qubits)
    with pytest.raises(ValueError, match="inverse"):
        mitigated(noise)
    assert mitigated(noise, ZeroNoise(readout="kept")).is_noisy
