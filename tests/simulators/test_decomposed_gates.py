"""Gates that a device does not have are as noisy as their decomposition into those that it has; Aer is the truth."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import qas_envs  # noqa: F401
from qas_simulators import Circuit, NoiseModel, PauliSum, PauliTransferSimulator, StatevectorSimulator
from qas_simulators.gates import GATES
from tests.conftest import random_pauli_sum
from tests.simulators.test_devices import aer


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


_QUICK = ("u1, u2, u3",)  # the others: python -m pytest tests/simulators/test_decomposed_gates.py -m slow


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
        for seed, place in enumerate([(2,)] if gate.num_qubits == 1 else sorted(noise.couplings)):
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
