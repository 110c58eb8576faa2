"""Noise of devices and other libraries: Aer, IBM's fake backends, pyGSTi; presets; Stim for Clifford circuits."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest

import qas_envs  # noqa: F401
from qas_simulators import Channel, Circuit, NoiseModel, PauliSum, PauliTransferSimulator, StatevectorSimulator
from qas_simulators.channels import amplitude_damping, bit_flip, depolarizing, pauli_basis, thermal_relaxation
from qas_simulators.gates import GATES
from qas_simulators.noise import ONE_QUBIT_GATES, TWO_QUBIT_GATES
from qas_simulators.noise_presets import NOISE_MODELS
from qas_simulators.optimizers import make_optimizer
from tests.conftest import random_circuit, random_pauli_sum

NATIVE = ("rz", "sx", "x", "cx")


def aer() -> object:
    return pytest.importorskip("qas_simulators.bridges.aer", reason="needs qiskit-aer", exc_type=ImportError)


def native_circuit(num_qubits: int, num_gates: int, seed: int, pairs: list[tuple[int, int]]) -> Circuit:
    rng = np.random.default_rng(seed)
    circuit = Circuit(num_qubits)
    for name in rng.choice(NATIVE, num_gates):
        qubits = pairs[rng.integers(len(pairs))] if name == "cx" else (int(rng.integers(num_qubits)),)
        circuit.append(str(name), qubits, float(rng.normal()) if name == "rz" else None)
    return circuit


ROUND_TRIPS = {
    "pauli": NoiseModel.depolarizing(1e-2, 5e-2).add(bit_flip(0.1), ["h"], [1]),
    "relaxing": NoiseModel().add(amplitude_damping(0.1, 0.2), ONE_QUBIT_GATES + TWO_QUBIT_GATES),
    "mixed": NoiseModel()
    .add(depolarizing(0.1, 2), ["cx", "cz"])
    .add(thermal_relaxation(9.0, 7.0, 1.0), ["cx"], [2, 0]),
    "readout": NoiseModel.depolarizing(1e-2).add_readout(0.02, 0.05).add_readout(0.1, qubits=[1]),
    "idle": NoiseModel.depolarizing(1e-2).add_idle(amplitude_damping(0.1)),
}


@pytest.mark.parametrize("name", ROUND_TRIPS)
def test_aer_agrees(name: str) -> None:
    noise = ROUND_TRIPS[name]
    theirs, ours = aer().AerSimulator(noise), PauliTransferSimulator(noise)  # type: ignore[attr-defined]
    for seed in range(3):
        circuit, observable = random_circuit(3, 25, seed), random_pauli_sum(3, 20, seed)
        batch = circuit.params + 0.1 * np.arange(3)[:, None]
        expected = theirs.expectations(circuit, observable, batch)
        np.testing.assert_allclose(ours.expectations(circuit, observable, batch), expected, atol=1e-12)
        means = theirs._term_means(circuit, observable, circuit.params)
        np.testing.assert_allclose(ours._term_means(circuit, observable, circuit.params), means, atol=1e-12)
    energy, gradient = theirs.expectation_and_gradient(circuit, observable)
    again, gradient_again = ours.expectation_and_gradient(circuit, observable)
    assert energy == pytest.approx(again, abs=1e-12)
    np.testing.assert_allclose(gradient, gradient_again, atol=1e-11)


@pytest.mark.parametrize("name", ["pauli", "relaxing", "mixed"])
def test_noise_to_aer_and_back(name: str) -> None:
    noise = ROUND_TRIPS[name]
    back = NoiseModel.from_qiskit(aer().noise_to_qiskit(noise, 3))  # type: ignore[attr-defined]
    for seed in range(3):
        circuit, observable = random_circuit(3, 25, seed), random_pauli_sum(3, 20, seed)
        expected = PauliTransferSimulator(noise).expectation(circuit, observable)
        assert PauliTransferSimulator(back).expectation(circuit, observable) == pytest.approx(expected, abs=1e-12)


def test_aer_with_our_optimizers() -> None:
    circuit, observable = Circuit(2).ry(0.3, 0).cx(0, 1).rx(0.2, 1), PauliSum({"ZZ": 1.0, "XX": 0.5})
    simulator = aer().AerSimulator(NoiseModel.depolarizing(1e-3, 1e-2))  # type: ignore[attr-defined]
    best = make_optimizer("rotosolve").minimize(simulator, circuit, observable, 0)
    assert best.energy == pytest.approx(simulator.expectation(circuit, observable, best.params), abs=1e-9)
    with pytest.raises(ValueError, match="run compiled kernels"):
        make_optimizer("scan_lbfgs").minimize(simulator, circuit, observable, 0)


def test_a_model_of_qiskit_with_defaults_and_local_errors() -> None:
    aer()
    from qiskit_aer import AerSimulator
    from qiskit_aer.noise import NoiseModel as AerNoiseModel
    from qiskit_aer.noise import ReadoutError, depolarizing_error, thermal_relaxation_error

    model = AerNoiseModel()
    model.add_all_qubit_quantum_error(depolarizing_error(0.05, 1), ["sx", "x"])
    model.add_quantum_error(thermal_relaxation_error(50.0, 70.0, 3.0), ["sx"], [1])
    model.add_all_qubit_quantum_error(depolarizing_error(0.1, 2), ["cx"])
    two = thermal_relaxation_error(50.0, 70.0, 3.0).tensor(thermal_relaxation_error(30.0, 20.0, 3.0))
    model.add_quantum_error(two.compose(depolarizing_error(0.02, 2)), ["cx"], [2, 0])
    noise = NoiseModel.from_qiskit(model)
    pairs = [(a, b) for a in range(3) for b in range(3) if a != b]
    for seed in range(5):
        circuit, observable = native_circuit(3, 30, seed, pairs), random_pauli_sum(3, 20, seed)
        twin = circuit.to_qiskit()
        twin.save_expectation_value(observable.to_qiskit(), [0, 1, 2])
        result = AerSimulator(method="density_matrix", noise_model=model).run(twin).result()
        expected = result.data(0)["expectation_value"]
        assert PauliTransferSimulator(noise).expectation(circuit, observable) == pytest.approx(expected, abs=1e-12)
    model.add_readout_error(ReadoutError([[0.9, 0.1], [0.2, 0.8]]), [0])
    simulator = PauliTransferSimulator(NoiseModel.from_qiskit(model))
    assert simulator.expectation(Circuit(1), PauliSum({"Z": 1.0})) == pytest.approx(0.8)
    assert simulator.expectation(Circuit(1).h(0), PauliSum({"X": 1.0})) == pytest.approx(0.8)
    with pytest.raises(ValueError, match="stand_ins"):
        NoiseModel.from_qiskit(model, stand_ins={"rx": "sxx"})


def test_fake_backend() -> None:
    aer()
    fake_provider = pytest.importorskip("qiskit_ibm_runtime.fake_provider")
    from qiskit_aer import AerSimulator
    from qiskit_aer.noise import NoiseModel as AerNoiseModel

    backend = fake_provider.FakeMumbaiV2()
    qubits = [1, 4, 7, 10]  # of the device
    noise = NoiseModel.from_backend(backend, qubits)
    assert noise.couplings == {(0, 1), (1, 0), (1, 2), (2, 1), (2, 3), (3, 2)}
    circuit, observable = native_circuit(4, 40, 3, sorted(noise.couplings)), random_pauli_sum(4, 20, 3)
    model = AerNoiseModel.from_backend(backend)
    from qiskit import QuantumCircuit

    twin = QuantumCircuit(27).compose(circuit.to_qiskit(), qubits)
    twin.save_expectation_value(observable.to_qiskit(), qubits)
    backend = AerSimulator(method="density_matrix", noise_model=model, enable_truncation=True)
    expected = backend.run(twin).result().data(0)["expectation_value"]
    without_readout = PauliTransferSimulator(noise)
    without_readout.noise._readout.errors.clear()
    assert without_readout.expectation(circuit, observable) == pytest.approx(expected, abs=1e-12)

    with pytest.raises(ValueError, match=r"couplings .* but is 'cx on \(0, 2\)'"):
        PauliTransferSimulator(noise).expectation(Circuit(4).cx(0, 2), observable)
    with pytest.raises(ValueError, match="qubits"):
        NoiseModel.from_backend(backend=fake_provider.FakeManilaV2(), qubits=[4, 5])
    env = gym.make("QAS-LiH-v0", noise=noise, optimizer="none").unwrapped
    two_qubit = {action.qubits for action in env.catalogue.actions if len(action.qubits) == 2}
    assert two_qubit == noise.couplings


def test_what_is_no_backend() -> None:
    aer()
    fake_provider = pytest.importorskip("qiskit_ibm_runtime.fake_provider")
    backend = fake_provider.FakeManilaV2()  # a line of five qubits
    for choice, qubits, message in [
        (fake_provider.FakeManilaV2, None, r"must be a backend, FakeManilaV2\(\), not its class"),
        ("FakeManilaV2", None, "must be a backend or target of Qiskit"),
        (None, None, "must be a backend or target of Qiskit"),
        (backend.coupling_map, None, "must be a backend or target of Qiskit"),
        (backend, [0, 2], r"be coupled on the device, as \[0, 2\] to no other is not, but is \[0, 2\]"),
        (backend, [0, 1, 4], r"be coupled on the device, as \[4\]"),
        (backend, [0, 0], "different qubits in 0..4"),
        (backend, [0, 5], "different qubits in 0..4"),
        (backend, [0.0], "different qubits in 0..4"),
        (backend, [], "different qubits in 0..4"),
        (backend, 3, "different qubits in 0..4"),
    ]:
        with pytest.raises(ValueError, match=message):
            NoiseModel.from_backend(choice, qubits)
    assert NoiseModel.from_backend(backend, [2]).couplings == frozenset()
    by_target, by_backend = NoiseModel.from_backend(backend.target, [0, 1]), NoiseModel.from_backend(backend, [0, 1])
    np.testing.assert_array_equal(by_target.transfer_matrix("cx", (0, 1)), by_backend.transfer_matrix("cx", (0, 1)))


def test_smaller_devices_than_the_problem() -> None:
    aer()
    fake_provider = pytest.importorskip("qiskit_ibm_runtime.fake_provider")
    noise = NoiseModel.from_backend(fake_provider.FakeManilaV2(), [0, 1])
    for circuit in (Circuit(4).rx(0.1, 3), Circuit(4)):
        with pytest.raises(ValueError, match="at most the noise model's 2 qubits, but is 4"):
            PauliTransferSimulator(noise).expectation(circuit, PauliSum({"ZZZZ": 1.0}))
    with pytest.raises(ValueError, match=r"use the noise model's 2 qubits, but is 'rx on \(2,\)'"):
        noise.channels("rx", (2,))
    with pytest.raises(ValueError, match="`noise` must have the problem's 4 qubits, but is 2"):
        gym.make("QAS-LiH-v0", noise=noise)
    assert PauliTransferSimulator(noise).expectation(Circuit(1).x(0), PauliSum({"Z": 1.0})) < -0.9
    env = gym.make("QAS-H2-v0", num_qubits=2, noise=noise, optimizer="none").unwrapped
    assert {action.qubits for action in env.catalogue.actions if len(action.qubits) == 2} == {(0, 1), (1, 0)}
    envs = gym.make_vec("QAS-H2-v0", num_envs=2, vectorization_mode="vector_entry_point", num_qubits=2, noise=noise)
    envs.reset(seed=0)
    envs.step(np.array([0, 3]))


def test_pygsti_model() -> None:
    modelpack = pytest.importorskip("pygsti.modelpacks.smq2Q_XYCNOT")
    model = modelpack.target_model()
    rotated = model.depolarize(op_noise=0.05)
    noise = NoiseModel.from_pygsti(rotated)
    np.testing.assert_allclose(noise.channels("sx", (1,))[0][0].ptm, np.diag([1, 0.95, 0.95, 0.95]), atol=1e-12)
    with pytest.raises(ValueError, match="the model has no matrix of ry"):  # a rotation by a fixed angle is not our RY
        noise.channels("ry", (0,))
    with pytest.raises(ValueError, match=r"whose noise is known .* but is 'ry on \(1,\)'"):
        PauliTransferSimulator(noise).expectation(Circuit(2).ry(0.1, 1), PauliSum({"ZZ": 1.0}))
    assert len(noise.add(bit_flip(0.1), ["ry"]).channels("ry", (0,))) == 1
    with pytest.raises(ValueError, match="at most the noise model's 2 qubits, but is 3"):
        PauliTransferSimulator(noise).expectation(Circuit(3).sx(0), PauliSum({"ZZZ": 1.0}))
    np.testing.assert_allclose(noise.channels("cx", (0, 1))[0][0].ptm, np.diag([1] + 15 * [0.95]), atol=1e-12)
    perfect = NoiseModel.from_pygsti(model)
    circuit = Circuit(2).sx(0).cx(0, 1).sx(1)
    observable = random_pauli_sum(2, 10, 1)
    expected = StatevectorSimulator().expectation(circuit, observable)
    assert PauliTransferSimulator(perfect).expectation(circuit, observable) == pytest.approx(expected, abs=1e-12)
    with pytest.raises(ValueError, match="gates"):
        NoiseModel.from_pygsti(model, {"Gxpi2": "cx"})


def test_ptms_with_and_without_the_gate() -> None:
    channel = amplitude_damping(0.2).tensor(bit_flip(0.1))
    cx = next(gate for gate in GATES if gate.name == "cx").matrix()
    whole = Channel.from_kraus([k @ cx for k in channel.kraus]).ptm
    for ptm, with_gate in [(channel.ptm, False), (whole, True)]:
        noise = NoiseModel.from_ptms({("cx", (1, 0)): ptm}, with_gate)
        np.testing.assert_allclose(noise.channels("cx", (1, 0))[0][0].ptm, channel.ptm, atol=1e-12)
        assert not noise.channels("cx", (0, 1))
    for key, ptm, message in [
        (("rx", (0,)), np.eye(4), "without an angle"),
        (("cx", (0, 1)), np.eye(4), r"shape \(16, 16\)"),
        (("cy", (0, 1)), np.eye(16), "Unknown gate"),
        (("x", (0,)), np.diag([1, 1.1, 1, 1]), "completely positive"),
    ]:
        with pytest.raises(ValueError, match=message):
            NoiseModel.from_ptms({key: ptm}, with_gate=True)


@pytest.mark.parametrize("name", NOISE_MODELS)
def test_presets_are_cptp(name: str) -> None:
    model = NOISE_MODELS[name](**{"depolarizing": {"p1": 1e-3, "p2": 1e-2}, "bit_flip": {"p": 0.1}}.get(name, {}))
    pairs = model.couplings or {(0, 1), (1, 0)}
    places = [(gate, (q,)) for gate in ONE_QUBIT_GATES for q in (0, 1)] + [("cx", pair) for pair in pairs]
    known = [(gate, qubits) for gate, qubits in places if model.reason_against(gate, qubits) is None]
    assert len(known) == len(places) or name == "snapshot"  # which refuses what was not calibrated
    assert {gate for gate, _ in known} >= {"sx", "cx"}
    for gate, qubits in known:
        for channel, _ in model.channels(gate, qubits):
            size = 4**channel.num_qubits
            np.testing.assert_allclose(channel.ptm[0], np.eye(size)[0], atol=1e-12)
            basis = pauli_basis(channel.num_qubits)
            choi = sum(channel.ptm[i, j] * np.kron(basis[j].T, basis[i]) for i, j in np.argwhere(channel.ptm))
            assert np.linalg.eigvalsh(choi).min() > -1e-12


def test_mumbai_median_values() -> None:
    """arXiv:2402.03500: factors by hand; CX depolarises and relaxes both qubits."""
    noise = NOISE_MODELS["mumbai"]()
    state = PauliTransferSimulator(noise)
    z = state.expectation(Circuit(1).x(0), PauliSum({"Z": 1.0}))
    keep = np.exp(-2.862e-4)
    relaxed = -(1 - 2.44e-4) * keep + (1 - keep) * (1 - 2 * 0.0758)
    assert z == pytest.approx((1 - 2 * 0.02246) * relaxed, abs=1e-12)
    with pytest.raises(ValueError, match="Unknown level"):
        NOISE_MODELS["mumbai"](level="mean")


def test_clifford_circuits_against_stim() -> None:
    stim = pytest.importorskip("stim")
    names = {"x": "X", "y": "Y", "z": "Z", "h": "H", "s": "S", "sdg": "S_DAG", "sx": "SQRT_X", "sxdg": "SQRT_X_DAG",
             "cx": "CX", "cz": "CZ", "swap": "SWAP", "id": "I"}  # fmt: skip
    rng = np.random.default_rng(0)
    for _ in range(10):
        num_qubits = int(rng.integers(2, 7))
        circuit, theirs = Circuit(num_qubits), stim.TableauSimulator()
        theirs.set_num_qubits(num_qubits)
        for name in rng.choice(list(names), 60):
            gate = next(gate for gate in GATES if gate.name == name)
            qubits = [int(q) for q in rng.choice(num_qubits, gate.num_qubits, replace=False)]
            circuit.append(str(name), qubits)
            theirs.do(stim.Circuit(f"{names[str(name)]} {' '.join(map(str, qubits))}"))
        for label in {"".join(rng.choice(list("IXYZ"), num_qubits)) for _ in range(20)} - {"I" * num_qubits}:
            expected = theirs.peek_observable_expectation(stim.PauliString(label[::-1].replace("I", "_")))
            observable = PauliSum({label: 1.0})
            for simulator in (StatevectorSimulator(), PauliTransferSimulator()):
                assert simulator.expectation(circuit, observable) == pytest.approx(expected, abs=1e-12)


def test_idle_noise_by_moments() -> None:
    """Qubit 1 idles for two moments, then for one; qubit 0 never."""
    noise = NoiseModel().add_idle(amplitude_damping(0.2), 1)
    circuit = Circuit(2).h(0).x(1).h(0).h(0).cx(0, 1).rz(0.3, 0)
    names = [(name, qubits) for name, qubits, _ in noise.scheduled(circuit)]
    assert names == [
        ("h", (0,)), ("x", (1,)), ("h", (0,)), ("h", (0,)), ("id", (1,)), ("id", (1,)), ("cx", (0, 1)),
        ("rz", (0,)), ("id", (1,)),
    ]  # fmt: skip
    excited = (1 - PauliTransferSimulator(noise).expectation(Circuit(2).x(1).h(0).h(0).h(0), PauliSum({"ZI": 1.0}))) / 2
    assert excited == pytest.approx(0.8**2)
    written_out = PauliTransferSimulator(noise).expectation(Circuit(2).x(1).id(1).id(1), PauliSum({"ZI": 1.0}))
    assert (1 - written_out) / 2 == pytest.approx(0.8**2)


def test_random_noisy_circuits_against_the_reference() -> None:
    """A seeded sample of ``simulators/benchmarks/random_circuits.py``."""
    path = Path(__file__).parents[2] / "simulators" / "benchmarks" / "random_circuits.py"
    spec = importlib.util.spec_from_file_location("random_circuits", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    worst, seed = module.largest_difference(seed=1_000_000, count=40)
    assert worst < 1e-12, f"problem {seed}"
    aer()
    worst, seed = module.largest_difference(seed=1_000_000, count=10, against_aer=True)
    assert worst < 1e-12, f"problem {seed}"
