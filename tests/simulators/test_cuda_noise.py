"""Noisy circuits on a GPU, under numba's simulator of one, against the compiled kernels of the CPU."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

import qas_envs  # noqa: F401
from qas_simulators import Circuit, NoiseModel, PauliSum, PauliTransferSimulator
from qas_simulators.channels import Channel, amplitude_damping, depolarizing, thermal_relaxation
from qas_simulators.circuit_batch import CircuitBatch
from qas_simulators.cuda import batch as cuda_batch
from qas_simulators.cuda.batch import DeviceBatch
from qas_simulators.gates import GATES
from qas_simulators.kernels.pauli_plan import BLOCK2, EXCHANGE2
from qas_simulators.kernels.tasks import ENERGY, GRADIENT
from qas_simulators.noise import ONE_QUBIT_GATES, TWO_QUBIT_GATES
from qas_simulators.noise_presets import mumbai
from qas_simulators.noise_tables import NoiseTables
from qas_simulators.program import slopes_each, solve_each
from tests.conftest import random_circuit, random_pauli_sum
from tests.simulators.comparison import assert_same_minima


def _strong() -> NoiseModel:
    """Depolarising, relaxation and readout errors, no inverse of which is stable."""
    model = NoiseModel.depolarizing(0.3, 0.5).add(amplitude_damping(0.4), ONE_QUBIT_GATES)
    return model.add(thermal_relaxation(1.0, 0.9, 0.5, 0.1), TWO_QUBIT_GATES).add_readout(0.05, 0.1)


def _dense() -> NoiseModel:
    """Two-qubit gates that are 16 x 16 blocks."""
    turn = np.array([[np.cos(0.3), -np.sin(0.3)], [np.sin(0.3), np.cos(0.3)]])
    turns = Channel.from_kraus([turn]).tensor(Channel.from_kraus([turn.T]))
    return NoiseModel().add(turns, TWO_QUBIT_GATES).add(depolarizing(0.02), ["ry"])


NOISES: dict[str, Callable[[], NoiseModel]] = {"none": NoiseModel, "mumbai": mumbai, "strong": _strong, "dense": _dense}


def both(noise: NoiseModel) -> tuple[PauliTransferSimulator, PauliTransferSimulator]:
    return PauliTransferSimulator(noise), PauliTransferSimulator(noise, device="cuda")


def _batch(num_qubits: int, sizes: tuple[int, ...], seed: int = 0) -> tuple[CircuitBatch, PauliSum]:
    circuits = [random_circuit(num_qubits, size, seed + k) for k, size in enumerate(sizes)]
    return CircuitBatch(circuits, max(sizes) + 1), random_pauli_sum(num_qubits, 6, seed)


def test_noise_of_every_kind() -> None:
    """The noise models below reach exchanges, relaxation after them, and blocks of two qubits."""
    tables = {name: NoiseTables(make(), 2) for name, make in NOISES.items()}
    assert EXCHANGE2 in tables["mumbai"].kinds and BLOCK2 not in tables["mumbai"].kinds
    assert (tables["mumbai"].after >= 0).any() and (tables["none"].after < 0).all()
    assert BLOCK2 in tables["dense"].kinds
    assert not PauliTransferSimulator(_strong())._tables_for(2).is_stable(random_circuit(2, 30, 0))


def _compare(noise: NoiseModel, batch: CircuitBatch, observable: PauliSum) -> None:
    sizes = batch.sizes(range(len(batch)), [0] * len(batch))
    programs = [simulator.batch_program(batch, observable) for simulator in both(noise)]
    assert programs[1] is not None and programs[1].device == "cuda"
    wanted, slopes = slopes_each(programs[0], batch.angles, sizes)  # type: ignore[arg-type]
    found, others = slopes_each(programs[1], batch.angles, sizes)
    np.testing.assert_allclose(found, wanted, atol=1e-13)
    np.testing.assert_allclose(others, slopes, atol=1e-13)
    energies, _ = solve_each(programs[1], batch.angles, np.arange(len(batch)), sizes, None)
    np.testing.assert_array_equal(energies, found)


CASES = ("none", 2), ("mumbai", 3), ("strong", 1), ("strong", 2), ("dense", 3)


@pytest.mark.parametrize(("noise", "num_qubits"), CASES)
def test_energies_and_gradients(noise: str, num_qubits: int) -> None:
    """Circuits of different length, the empty one among them, over the whole gate table."""
    batch, observable = _batch(num_qubits, (8, 0, 4), seed=num_qubits)
    _compare(NOISES[noise](), batch, observable)


@pytest.mark.slow  # python -m pytest tests/simulators/test_cuda_noise.py -m slow
@pytest.mark.parametrize("noise", ["mumbai", "dense"])
def test_every_gate_forwards_and_backwards(noise: str) -> None:
    """Between rotations, so that its transpose is part of the gradient; on both orders of its qubits."""
    circuits = []
    for gate in GATES:
        for qubits in ([0, 1], [1, 0])[: gate.num_qubits]:
            circuit = Circuit(2).ry(0.4, 0)
            circuit.append(gate.name, qubits[: gate.num_qubits], 0.3 if gate.num_params else None)
            circuits.append(circuit.ry(-0.9, 1))
    _compare(NOISES[noise](), CircuitBatch(circuits, 4), PauliSum({"XY": 0.7, "ZZ": 0.5, "IX": -0.3, "YI": 0.2}))


@pytest.mark.parametrize("noise", ["strong", pytest.param("mumbai", marks=pytest.mark.slow)])
def test_scans_and_minimisations_of_some_circuits(noise: str) -> None:
    """The same angles, energies and counts; circuits that are not asked for stay as they are."""
    rows = np.array([3, 2, 0])
    for descent in (None, (2, 1e-5, 1e-10)):
        batches = [_batch(2, (9, 3, 8, 0), seed=7)[0] for _ in range(2)]
        new = [max(0, circuit.num_params - 1) for circuit in batches[0].circuits]
        assert sum(new) >= 4
        assert_same_minima([*both(NOISES[noise]())], batches, new, rows, descent)


def test_states_in_global_memory_and_few_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_batch, "_SHARED_BYTES", 0)
    monkeypatch.setattr(cuda_batch, "_TAPE_BYTES", 1)
    _compare(mumbai(), *_batch(2, (6, 4)))


def test_single_precision_and_another_noise_with_the_same_observable() -> None:
    batch, observable = _batch(2, (6, 4))
    sizes, energies = batch.sizes([0, 1], [0, 0]), []
    for noise in (NoiseModel.depolarizing(0.01, 0.05), NoiseModel.depolarizing(0.1, 0.2)):
        program = PauliTransferSimulator(noise).batch_program(batch, observable)
        assert program is not None
        device = DeviceBatch(program.constants, program.tables, batch.angles, sizes, is_single=True)
        device.run(ENERGY)
        device.run(GRADIENT)
        wanted, slopes = slopes_each(program, batch.angles, sizes)
        assert device.energies.dtype == device.gradients.dtype == np.float32
        np.testing.assert_allclose(device.energies.copy_to_host(), wanted, atol=1e-5)
        np.testing.assert_allclose(device.gradients.copy_to_host(), slopes, atol=1e-5)
        energies.append(wanted)
    assert not np.allclose(energies[0], energies[1])


def test_environments_by_one_word() -> None:
    """A vector environment with noise plays the same on both, also over tensors, which kernels change themselves."""
    rules: dict[str, Any] = {
        "num_qubits": 2,
        "noise": "mumbai",
        "optimizer": {"name": "scan_lbfgs", "max_iterations": 1},
    }
    rules |= {"gates": ["cx", "ry"], "max_gates": 3}
    on_gpu = {"name": "pauli_transfer", "device": "cuda"}
    all_envs = [
        gym.make_vec("QAS-TFIM-v0", 2, **rules),
        gym.make_vec("QAS-TFIM-v0", 2, simulator=on_gpu, **rules),
        gym.make_vec("QAS-TFIM-v0", 2, simulator=on_gpu, device="cpu", **rules),
    ]
    steps = []
    for envs in all_envs:
        envs.reset(seed=0)
        steps.append([envs.step(np.array(actions)) for actions in ([2, 3], [0, 2])])
    for other in steps[1:]:
        for one, two in zip(steps[0], other, strict=True):
            np.testing.assert_allclose(two[0], one[0], atol=1e-6)
            np.testing.assert_allclose(two[4]["energy"], one[4]["energy"], atol=1e-9)
            np.testing.assert_array_equal(two[4]["evaluations"], one[4]["evaluations"])


def test_what_is_not_there_is_refused_at_once() -> None:
    simulator = PauliTransferSimulator(mumbai(), device="cuda")
    batch = CircuitBatch([Circuit(9).h(0)], 1)
    with pytest.raises(ValueError, match="at most 8 qubits on a GPU with noise"):
        slopes_each(simulator.batch_program(batch, PauliSum({"Z" * 9: 1.0})), batch.angles, batch.sizes([0], [0]))  # type: ignore[arg-type]
    idle = NoiseModel().add_idle(depolarizing(0.1))
    with pytest.raises(ValueError, match="`device` must be 'cpu' where qubits are noisy while they idle"):
        PauliTransferSimulator(idle, device="cuda")
    with pytest.raises(ValueError, match="`device` must be 'cpu' where qubits are noisy while they idle"):
        PauliTransferSimulator(idle).on("cuda")
