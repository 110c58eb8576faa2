"""Noise of devices and other libraries: Aer, IBM's fake backends, pyGSTi; presets; Stim for Clifford circuits."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

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


def energy_by_aer(model: Any, gates: list[Any], observable: PauliSum, qubits: list[int], target: Any) -> float:
    """Return the energy of gates by Aer: each transpiled by itself to the device's own, on the device's qubits."""
    from qiskit import QuantumCircuit, transpile
    from qiskit.circuit.library import UnitaryGate
    from qiskit_aer import AerSimulator

    whole = QuantumCircuit(target.num_qubits)
    for name, places, angle in gates:
        one, there = QuantumCircuit(target.num_qubits), tuple(qubits[k] for k in places)
        getattr(one, name)(*(() if angle is None else (angle,)), *there)
        if name not in target.operation_names or there not in target[name]:
            layout, level = list(range(target.num_qubits)), 2 if len(places) == 1 else 1
            one = transpile(one, target=target, optimization_level=level, initial_layout=layout)
        for instruction in one.data:
            operation = instruction.operation
            if operation.name == "iswap":  # which Aer knows only as a matrix, whose label brings the noise
                operation = UnitaryGate(operation.to_matrix(), label="iswap")
            whole.append(operation, [one.find_bit(qubit).index for qubit in instruction.qubits])
    whole.save_expectation_value(observable.to_qiskit(), qubits)
    simulator = AerSimulator(method="density_matrix", noise_model=model, enable_truncation=True)
    return float(simulator.run(whole).result().data(0)["expectation_value"])


NATIVE_GATES = {
    "u1, u2, u3": "FakeLondonV2",
    "sx and cx": "FakeManilaV2",
    "sx and ecr": ["sx", "x", "rz", "ecr"],
    "sx and cz": ["sx", "x", "rz", "cz"],
    "fractional": "FakeFractionalBackend",
    "u": ["u", "cx"],
    "r": ["r", "rz", "cz"],
    "all rotations": ["rx", "ry", "rz", "cz"],
    "iswap": ["u", "iswap"],
    "rx and iswap": ["rx", "rz", "iswap"],
}


_QUICK = ("u1, u2, u3", "r", "iswap")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:Properties of fake", "ignore:Gates with a calibrated error")
def test_every_fake_backend_is_read() -> None:
    """Four connected qubits of each: no gate is silently noiseless except turns about Z, done by software."""
    fake_provider = pytest.importorskip("qiskit_ibm_runtime.fake_provider")
    kinds = [kind for name, kind in vars(fake_provider).items() if name.startswith("Fake") and isinstance(kind, type)]
    backends = [kind() for kind in kinds if kind.__name__ != "FakeProviderForBackendV2"]
    assert len(backends) >= 60
    for backend in backends:
        qubits = [0]
        for _ in range(3):
            near = [
                other
                for a, b in backend.coupling_map or []
                for one, other in ((a, b), (b, a))
                if one in qubits and other not in qubits
            ]
            qubits += near[:1]
        noise = NoiseModel.from_backend(backend, qubits)
        allowed = [
            gate.name for gate in GATES if gate.num_qubits == 1 and noise.reason_against(gate.name, (0,)) is None
        ]
        silent = {name for name in allowed if not noise.channels(name, (0,))}
        assert silent <= {"rz", "z", "s", "sdg", "t", "tdg", "p"}, backend
        for pair in noise.couplings or ():
            pairs = [
                gate.name for gate in GATES if gate.num_qubits == 2 and noise.reason_against(gate.name, pair) is None
            ]
            assert all(noise.channels(name, pair) for name in pairs), backend


@pytest.mark.parametrize(
    "native", [name if name in _QUICK else pytest.param(name, marks=pytest.mark.slow) for name in NATIVE_GATES]
)
def test_every_gate_is_as_noisy_as_its_decomposition(native: str) -> None:
    """All gates on device qubits 0, 1 and 2 against Aer; where the noise of one is not known, it is refused by name."""
    aer()
    fake_provider = pytest.importorskip("qiskit_ibm_runtime.fake_provider")
    from qiskit.providers.fake_provider import GenericBackendV2
    from qiskit_aer.noise import NoiseModel as AerNoiseModel

    chosen, qubits = NATIVE_GATES[native], [1, 0, 2]
    if isinstance(chosen, str):
        backend = getattr(fake_provider, chosen)()
    else:
        backend = GenericBackendV2(4, chosen, coupling_map=[[0, 1], [1, 2], [2, 1], [2, 3]], seed=5)
    noise, model = NoiseModel.from_backend(backend, qubits), AerNoiseModel.from_backend(backend)
    noise._readout.errors.clear()  # Aer's expectation values have none
    simulator, rng = PauliTransferSimulator(noise), np.random.default_rng(7)
    assert noise.couplings is not None
    for gate in GATES:
        for seed, place in enumerate([(0,), (2,)] if gate.num_qubits == 1 else sorted(noise.couplings)):
            if noise.reason_against(gate.name, place) is not None:
                with pytest.raises(ValueError, match=gate.name):
                    noise.channels(gate.name, place)
                is_turning_pair = gate.num_params > 0 and gate.num_qubits == 2  # its noise may depend on the angle
                assert is_turning_pair or native not in ("u1, u2, u3", "u"), gate.name
                continue
            angle = float(rng.uniform(-3, 3)) if gate.num_params else None
            prefix = [("h", (0,), None), ("rx", (1,), 0.4), ("h", (2,), None)]
            circuit = Circuit(3)
            for name, places, value in [*prefix, (gate.name, place, angle)]:
                circuit.append(name, places, value)
            observable = random_pauli_sum(3, 20, seed)
            expected = energy_by_aer(model, list(circuit), observable, qubits, backend.target)
            tolerance = 1e-8 if gate.num_qubits == 1 else 5e-5  # pairs have several decompositions of equal length
            energy = simulator.expectation(circuit, observable)
            assert energy == pytest.approx(expected, abs=tolerance), (gate.name, place)


def test_forty_rotations_on_a_device_of_u3_gates() -> None:
    """Against Aer with its own u3 noise, from the backend and from Aer's model of it."""
    aer()
    fake_provider = pytest.importorskip("qiskit_ibm_runtime.fake_provider")
    from qiskit import QuantumCircuit
    from qiskit_aer import AerSimulator
    from qiskit_aer.noise import NoiseModel as AerNoiseModel

    backend = fake_provider.FakeLondonV2()
    model = AerNoiseModel.from_backend(backend)
    twin, circuit, observable = QuantumCircuit(2), Circuit(2), PauliSum({"IZ": 1.0, "ZI": 0.5, "XX": 0.3})
    from qiskit.circuit.library import U3Gate

    for k in range(40):
        angle = 0.1 * k - 1.3
        circuit.ry(angle, k % 2)
        twin.append(U3Gate(angle, 0, 0), [k % 2])
    twin.save_expectation_value(observable.to_qiskit(), [0, 1])
    simulator = AerSimulator(method="density_matrix", noise_model=model)
    expected = simulator.run(twin).result().data(0)["expectation_value"]
    for noise in (NoiseModel.from_backend(backend, [0, 1]), NoiseModel.from_qiskit(model, [0, 1])):
        noise._readout.errors.clear()
        assert PauliTransferSimulator(noise).expectation(circuit, observable) == pytest.approx(expected, abs=1e-12)
    assert abs(StatevectorSimulator().expectation(circuit, observable) - expected) > 0.01


def test_models_of_aer_by_their_own_gates() -> None:
    """RX of a model of sx has two of its errors; of a model of u3, one; gates of the model itself keep theirs."""
    aer()
    from qiskit_aer.noise import NoiseModel as AerNoiseModel
    from qiskit_aer.noise import ReadoutError, depolarizing_error

    model = AerNoiseModel(basis_gates=["u3", "cx"])
    model.add_all_qubit_quantum_error(depolarizing_error(0.1, 1), ["u3"])
    noise = NoiseModel.from_qiskit(model)
    np.testing.assert_allclose(noise.transfer_matrix("ry", (29,)), np.diag([1, 0.9, 0.9, 0.9]), atol=1e-12)
    assert not noise.channels("cx", (3, 2))
    model = AerNoiseModel(basis_gates=["sx", "rz", "ecr"])
    model.add_all_qubit_quantum_error(depolarizing_error(0.1, 1), ["sx"])
    model.add_quantum_error(depolarizing_error(0.2, 1), ["sx"], [1])
    noise = NoiseModel.from_qiskit(model)
    for qubit, kept in [(0, 0.9), (1, 0.8), (29, 0.9)]:
        np.testing.assert_allclose(noise.transfer_matrix("rx", (qubit,)), np.diag([1] + 3 * [kept**2]), atol=1e-12)
    assert noise.channels("h", (1,)) and not noise.channels("rz", (1,))
    assert NoiseModel.from_qiskit(model, [4, 1]).transfer_matrix("sx", (1,))[1, 1] == pytest.approx(0.8)
    taken = NoiseModel.from_qiskit(model, stand_ins={"rx": "sx", "h": ["sx", "sx", "sx"]})
    assert taken.transfer_matrix("rx", (0,))[1, 1] == pytest.approx(0.9)
    assert taken.transfer_matrix("h", (0,))[1, 1] == pytest.approx(0.9**3)
    by_name = AerNoiseModel()
    by_name.add_all_qubit_quantum_error(depolarizing_error(0.1, 1), ["u2", "u3"])
    assert NoiseModel.from_qiskit(by_name).transfer_matrix("rx", (1,))[1, 1] == pytest.approx(0.9)
    only_x = AerNoiseModel(basis_gates=["x", "cx"])
    only_x.add_all_qubit_quantum_error(depolarizing_error(0.1, 1), ["x"])
    with pytest.raises(ValueError, match=r"the device's gates cannot make ry there\), but is 'ry on \(5,\)'"):
        NoiseModel.from_qiskit(only_x).channels("ry", (5,))
    model.add_readout_error(ReadoutError(0.1 * np.ones((4, 4)) + 0.6 * np.eye(4)), [0, 1])
    with pytest.raises(ValueError, match="readout errors of single qubits"):
        NoiseModel.from_qiskit(model)


def test_broken_gates_are_named_and_left_out() -> None:
    """Calibrated with an error of 1: a coupling is missing; without its sx, a qubit has no rotations about X."""
    aer()
    from qiskit.circuit import Parameter
    from qiskit.circuit.library import CXGate, RZGate, SXGate
    from qiskit.transpiler import InstructionProperties, Target

    def target(cx: dict[tuple[int, int], float], sx: list[float]) -> Target:
        result = Target(num_qubits=3)
        result.add_instruction(CXGate(), {pair: InstructionProperties(error=error) for pair, error in cx.items()})
        result.add_instruction(SXGate(), {(k,): InstructionProperties(error=error) for k, error in enumerate(sx)})
        result.add_instruction(RZGate(Parameter("a")), {(k,): InstructionProperties(error=0.0) for k in range(3)})
        return result

    with pytest.warns(UserWarning, match=r"error of 1 are left out: cx on \(2, 1\), cx on \(1, 2\), sx on \(0,\)\."):
        noise = NoiseModel.from_backend(target({(0, 1): 0.01, (2, 1): 1.0, (1, 2): 1.0}, [1.0, 0.001, 0.001]))
    assert noise.couplings == {(0, 1), (1, 0)}
    observable = PauliSum({"ZZZ": 1.0})
    for circuit, message in [
        (Circuit(3).rx(0.1, 0), "cannot make rx there"),
        (Circuit(3).h(0), "cannot make h there"),
        (Circuit(3).cx(1, 0), "cannot make cx there"),  # the other way round it needs H on both
        (Circuit(3).cx(1, 2), "couplings"),
    ]:
        with pytest.raises(ValueError, match=message):
            PauliTransferSimulator(noise).expectation(circuit, observable)
    assert noise.channels("rx", (1,)) and noise.channels("cx", (0, 1)) and not noise.channels("rz", (0,))
    with pytest.warns(UserWarning, match=r"cx on \(1, 2\)\."):  # one direction is enough
        noise = NoiseModel.from_backend(target({(0, 1): 0.01, (2, 1): 0.01, (1, 2): 1.0}, [0.0, 0.0, 0.0]), [1, 2])
    assert noise.couplings == {(0, 1), (1, 0)} and noise.channels("cx", (0, 1))
    with pytest.warns(UserWarning, match="cx on"):
        noise = NoiseModel.from_backend(target({(0, 1): 0.01, (2, 1): 1.0, (1, 2): 1.0}, [0.001, 0.001, 0.001]))
    with pytest.raises(ValueError, match="connect all 3 qubits"):
        gym.make("QAS-TFIM-v0", num_qubits=3, noise=noise)


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
    for gate, qubits in places:
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
    for _ in range(30):
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
    worst, seed = module.largest_difference(seed=1_000_000, count=300)
    assert worst < 1e-12, f"problem {seed}"
    aer()
    worst, seed = module.largest_difference(seed=1_000_000, count=10, against_aer=True)
    assert worst < 1e-12, f"problem {seed}"
