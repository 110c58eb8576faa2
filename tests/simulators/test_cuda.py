"""The kernels of GPUs, under numba's simulator of one, against the compiled kernels of the CPU."""

from __future__ import annotations

import gymnasium as gym
import numpy as np
import pytest

import qas_envs  # noqa: F401
from qas_simulators import Circuit, PauliSum, StatevectorSimulator
from qas_simulators.circuit_batch import CircuitBatch
from qas_simulators.cuda import batch as cuda_batch
from qas_simulators.cuda.batch import DeviceBatch
from qas_simulators.gates import GATES
from qas_simulators.kernels.tasks import ENERGY, GRADIENT
from qas_simulators.optimizers import ScanLBFGS
from qas_simulators.program import slopes_each
from tests.conftest import random_circuit, random_pauli_sum
from tests.simulators.comparison import assert_same_minima

CPU, GPU = StatevectorSimulator(), StatevectorSimulator(device="cuda")


def _batch(num_qubits: int, sizes: tuple[int, ...], seed: int = 0) -> tuple[CircuitBatch, PauliSum]:
    circuits = [random_circuit(num_qubits, size, seed + k) for k, size in enumerate(sizes)]
    return CircuitBatch(circuits, max(sizes) + 1), random_pauli_sum(num_qubits, 6, seed)


@pytest.mark.parametrize("num_qubits", [1, 2, 3])
def test_energies_and_gradients(num_qubits: int) -> None:
    """Circuits of different length, the empty one among them, over the whole gate table."""
    batch, observable = _batch(num_qubits, (9, 0, 5), seed=num_qubits)
    sizes = batch.sizes(range(3), [0, 0, 0])
    wanted, slopes = slopes_each(CPU.batch_program(batch, observable), batch.angles, sizes)  # type: ignore[arg-type]
    found, others = slopes_each(GPU.batch_program(batch, observable), batch.angles, sizes)  # type: ignore[arg-type]
    np.testing.assert_allclose(found, wanted, atol=1e-13)
    np.testing.assert_allclose(others, slopes, atol=1e-13)


def test_every_gate_forwards_and_backwards() -> None:
    """Between rotations, so that its inverse is part of the gradient; on both orders of its qubits."""
    circuits = []
    for gate in GATES:
        for qubits in ([0, 1], [1, 0]):
            circuit = Circuit(2).ry(0.4, 0).rx(0.7, 1)
            circuit.append(gate.name, qubits[: gate.num_qubits], 0.3 if gate.num_params else None)
            circuits.append(circuit.ry(-0.9, 1))
    batch, observable = CircuitBatch(circuits, 4), PauliSum({"XY": 0.7, "ZZ": 0.5, "IX": -0.3, "YI": 0.2})
    sizes = batch.sizes(range(len(circuits)), [0] * len(circuits))
    wanted, slopes = slopes_each(CPU.batch_program(batch, observable), batch.angles, sizes)  # type: ignore[arg-type]
    found, others = slopes_each(GPU.batch_program(batch, observable), batch.angles, sizes)  # type: ignore[arg-type]
    np.testing.assert_allclose(found, wanted, atol=1e-14)
    np.testing.assert_allclose(others, slopes, atol=1e-14)


def test_scans_and_minimisations_of_some_circuits() -> None:
    """The same angles, energies and counts; circuits that are not asked for stay as they are."""
    rows = np.array([2, 0])
    for descent in (None, (4, 1e-5, 1e-10)):
        batches = [_batch(2, (6, 3, 5), seed=3)[0] for _ in range(2)]
        new = [min(1, circuit.num_params) for circuit in batches[0].circuits]
        assert sum(new) >= 2
        assert_same_minima((CPU, GPU), batches, new, rows, descent)


def test_states_in_global_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_batch, "_SHARED_BYTES", 0)
    batch, observable = _batch(2, (6, 4))
    sizes = batch.sizes([0, 1], [0, 0])
    wanted, slopes = slopes_each(CPU.batch_program(batch, observable), batch.angles, sizes)  # type: ignore[arg-type]
    found, others = slopes_each(GPU.batch_program(batch, observable), batch.angles, sizes)  # type: ignore[arg-type]
    np.testing.assert_allclose(found, wanted, atol=1e-13)
    np.testing.assert_allclose(others, slopes, atol=1e-13)


def test_single_precision_and_arrays_that_stay_on_the_device() -> None:
    batch, observable = _batch(2, (6, 4))
    program, sizes = CPU.batch_program(batch, observable), batch.sizes([0, 1], [0, 0])
    assert program is not None
    device = DeviceBatch(program.constants, program.tables, batch.angles, sizes, is_single=True)
    device.run(ENERGY)
    device.run(GRADIENT)
    wanted, slopes = slopes_each(program, batch.angles, sizes)
    assert device.energies.dtype == device.gradients.dtype == np.float32
    np.testing.assert_allclose(device.energies.copy_to_host(), wanted, atol=1e-5)
    np.testing.assert_allclose(device.gradients.copy_to_host(), slopes, atol=1e-5)


def test_an_environment_by_one_word() -> None:
    """A vector environment plays the same on both; so do the circuits of a searcher."""
    simulator = {"name": "statevector", "device": "cuda"}
    rules = {"num_qubits": 2, "optimizer": {"name": "scan_lbfgs", "max_iterations": 3}}
    both = [gym.make_vec("QAS-TFIM-v0", 2, **rules), gym.make_vec("QAS-TFIM-v0", 2, simulator=simulator, **rules)]
    steps = []
    for envs in both:
        envs.reset(seed=0)
        steps.append([envs.step(np.array(actions)) for actions in ([2, 3], [3, 6])])
    for one, other in zip(*steps, strict=True):
        np.testing.assert_allclose(other[0], one[0], atol=1e-6)
        np.testing.assert_allclose(other[1], one[1], atol=1e-9)
        assert one[4]["evaluations"].tolist() == other[4]["evaluations"].tolist()
    player = gym.make("QAS-TFIM-v0", simulator=simulator, **rules).unwrapped.player  # type: ignore[attr-defined]
    played = player.play_many([[2], [3, 6]], starts=1, max_iterations=2)
    wanted = [
        ScanLBFGS(max_iterations=2, starts=1, warm=False)
        .minimize(CPU, circuit, gym.make("QAS-TFIM-v0", num_qubits=2).unwrapped.problem.hamiltonian)  # type: ignore[attr-defined]
        .energy
        for circuit in played.circuits
    ]
    np.testing.assert_allclose(played.energies, wanted, atol=1e-9)


def test_what_is_not_there_is_refused_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"device of StatevectorSimulator 'gpu'\. Choices: cpu, cuda"):
        StatevectorSimulator(device="gpu")
    batch = CircuitBatch([Circuit(15).h(0)], 1)
    with pytest.raises(ValueError, match="at most 14 qubits"):
        slopes_each(GPU.batch_program(batch, PauliSum({"Z" * 15: 1.0})), batch.angles, batch.sizes([0], [0]))  # type: ignore[arg-type]
    monkeypatch.setattr(cuda_batch, "IS_SIMULATED", False)
    monkeypatch.setattr(cuda_batch.cuda, "is_available", lambda: False)
    with pytest.raises(ValueError, match="`device` must be 'cpu' on this machine"):
        StatevectorSimulator(device="cuda")
