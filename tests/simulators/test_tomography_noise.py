"""Noise models from fitted gate sets."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import qas_envs  # noqa: F401
from qas_simulators import Channel, Circuit, NoiseModel, PauliSum, PauliTransferSimulator
from qas_simulators.channels import amplitude_damping, depolarizing
from qas_simulators.gates import GATES, gate_index
from qas_simulators.tomography import (
    GateSet,
    device_noise,
    fitted,
    gauge_fixed,
    pair_target,
    usual_design,
)
from tests.simulators.test_tomography import ONE, TWO, device, random_gauge


def test_exact_gate_sets_give_the_noise_back() -> None:
    true = device()
    sets = {(q,): _own(true, q) for q in (0, 1)} | {(0, 1): GateSet.of_noise(true, 2, TWO)}
    noise = device_noise(sets, {"rz": "s"})
    for key in [("sx", (0,)), ("sx", (1,)), ("cx", (0, 1))]:
        np.testing.assert_allclose(noise.transfer_matrix(*key), true.transfer_matrix(*key), atol=1e-8)
    np.testing.assert_allclose(noise.transfer_matrix("rz", (1,)), depolarizing(0.004).ptm, atol=1e-8)
    observable = PauliSum({"ZZ": 1.0, "XI": 0.5, "IY": 0.3})
    circuit = Circuit(2).sx(0).cx(0, 1).s(1).sx(1)
    found = PauliTransferSimulator(noise).expectation(circuit, observable)
    assert found == pytest.approx(PauliTransferSimulator(true).expectation(circuit, observable), abs=1e-8)
    assert noise.couplings == {(0, 1)}
    with pytest.raises(ValueError, match="no gate set has ry"):
        noise.channels("ry", (0,))
    with pytest.raises(ValueError, match=r"no gate set has cx.*\(1, 0\)"):
        noise.channels("cx", (1, 0))
    with pytest.raises(ValueError, match="stand_ins"):
        device_noise(sets, {"rz": "t"})


def _own(noise: NoiseModel, qubit: int) -> GateSet:
    """Return the gates of one qubit of a pair."""
    wide = GateSet.of_noise(noise, 2, TWO)
    ptms = {(name, (0,)): wide.on_gate((name, (qubit,))) for name in ("sx", "s")}
    p01, p10 = wide.readout(qubit)
    effects = np.array([[1 - p01 + p10, 0, 0, 1 - p01 - p10], [1 + p01 - p10, 0, 0, p01 + p10 - 1]]) / 2
    return GateSet(ptms, np.array([1.0, 0.0, 0.0, 1.0]), effects)


def test_a_pair_has_the_frames_of_its_qubits() -> None:
    """Qubits whose fits are in gauges of their own: with them as the target, CX gets into the same frames."""
    true = device()
    gauges = [np.vstack([np.eye(4)[0], random_gauge(4, seed, 0.03)[1:]]) for seed in (0, 1)]
    first, second = (_own(true, q).transformed(gauges[q]) for q in (0, 1))
    gauge = np.vstack([np.eye(16)[0], random_gauge(16, 2, 0.005)[1:]])
    turned = GateSet.of_noise(true, 2, TWO).transformed(gauge)
    moved = gauge_fixed(turned, pair_target(first, second, TWO), most=np.inf, gate_weights={"sx": 1e4, "s": 1e4})
    wide = np.kron(gauges[1], gauges[0])
    expected = wide @ GateSet.of_noise(true, 2, TWO).gates["cx", (0, 1)] @ np.linalg.inv(wide)
    away = abs(gauge_fixed(turned, GateSet.ideal(2, TWO)).gates["cx", (0, 1)] - expected).max()
    found = abs(moved.gates["cx", (0, 1)] - expected).max()
    assert found < 0.1 * away


def test_exact_gates_with_a_large_weight_give_right_energies() -> None:
    """Fits to exact probabilities differ only by their gauge, which a noise model with exact RZ does not leave free."""
    tilt, turn = (Channel.from_kraus([GATES[gate_index(name)].matrix(0.05)]) for name in ("rz", "rx"))
    true = NoiseModel().add(turn, ["sx"]).add(tilt, ["sx"]).add(amplitude_damping(0.02), ["sx"]).add_readout(0.01, 0.03)
    ideal = GateSet.ideal(1, ONE)
    fit = fitted(usual_design(1, ONE).simulated(GateSet.of_noise(true, 1, ONE), 0), ideal)
    observable, rng = PauliSum({"Z": 1.0}), np.random.default_rng(0)  # what X is would depend on the frame's angle
    circuits = []
    for angles in rng.uniform(0, 6, (5, 2)):
        circuits.append(Circuit(1).sx(0).rz(angles[0], 0).sx(0).rz(angles[1], 0).sx(0))
    expected = np.array([PauliTransferSimulator(true).expectation(one, observable) for one in circuits])
    errors = []
    for weight in (1.0, 1e4):
        model = gauge_fixed(fit, ideal, gate_weights={"s": weight}).repaired().noise_model({"rz": "s"})
        found = [PauliTransferSimulator(model).expectation(one, observable) for one in circuits]
        errors.append(abs(np.array(found) - expected).max())
    assert errors[1] < 0.2 * errors[0] and errors[1] < 2e-3, errors


def test_environments_take_gate_sets_as_noise() -> None:
    true = device()
    fit = GateSet.of_noise(true, 2, [*TWO, ("cx", (1, 0))])
    settings = {"num_qubits": 2, "gates": ["sx", "s", "cx"], "optimizer": "none"}
    env: Any = gym.make("QAS-H2-v0", noise=fit, **settings).unwrapped
    other: Any = gym.make("QAS-H2-v0", noise=true, **settings).unwrapped
    for each in (env, other):
        each.reset(seed=0)
        for name, qubits in (("sx", (0,)), ("cx", (0, 1)), ("s", (1,))):
            _, _, _, _, each.last = each.step(each.catalogue.index(name, *qubits))
    assert env.last["energy"] == pytest.approx(other.last["energy"], abs=1e-8)
