"""Noise models for Qiskit Aer, and Aer as a :class:`Simulator` (needs ``qiskit-aer``)."""

from __future__ import annotations

from itertools import permutations
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from qas_simulators.bridges.qiskit import pauli_sum_to_qiskit, to_qiskit
from qas_simulators.channels import Channel
from qas_simulators.circuit import Circuit
from qas_simulators.errors import must, needs_extra
from qas_simulators.gates import GATES
from qas_simulators.noise import NoiseModel
from qas_simulators.pauli import PauliSum
from qas_simulators.program import FloatArray, KernelProgram
from qas_simulators.simulator import Objective, Simulator

with needs_extra("devices"):
    from qiskit import QuantumCircuit
    from qiskit.quantum_info import DensityMatrix, Kraus
    from qiskit_aer import AerSimulator as QiskitAerSimulator
    from qiskit_aer.noise import NoiseModel as AerNoiseModel
    from qiskit_aer.noise import QuantumError


def noise_to_qiskit(noise: NoiseModel, num_qubits: int) -> AerNoiseModel:
    """Return the gate noise as an Aer noise model for one register; readout and idle noise are not in it."""
    model = AerNoiseModel(basis_gates=[gate.name for gate in GATES])
    for gate in GATES:
        for qubits in permutations(range(num_qubits), gate.num_qubits):
            if noise.reason_against(gate.name, qubits) is None and noise.channels(gate.name, qubits):
                total = Channel.from_ptm(noise.transfer_matrix(gate.name, qubits))  # Qiskit composes to nine digits
                model.add_quantum_error(QuantumError(Kraus(list(total.kraus))), [gate.name], list(qubits))
    return model


class AerSimulator(Simulator):
    """Qiskit Aer with the interface of :class:`Simulator`, to compare with, and to use its other methods.

    Gradients come from the parameter-shift rule, two energies per angle. Optimisers that run inside compiled kernels
    (``scan_lbfgs``) do not work with it; the others do.

    Args:
        noise: As for :class:`~qas_simulators.PauliTransferSimulator`.
        method: Aer's method; with noise one that keeps density matrices.
        shots: As in :class:`Simulator`.
        seed: As in :class:`Simulator`.
    """

    has_kernels: ClassVar[bool] = False

    def __init__(
        self,
        noise: NoiseModel | None = None,
        method: str = "density_matrix",
        shots: int | None = None,
        seed: int | None = None,
    ) -> None:
        super().__init__(shots, seed)
        self.noise = noise if noise is not None else NoiseModel()
        self.method = method
        self._backends: dict[int, QiskitAerSimulator] = {}

    @property
    def is_noisy(self) -> bool:
        """Whether the noise model has any rule."""
        return not self.noise.is_noiseless

    def with_noise(self, noise: NoiseModel) -> AerSimulator:
        """Return the same simulator with another noise model."""
        twin = AerSimulator(noise, self.method, self.shots)
        twin.rng = self.rng
        return twin

    def _program(self, circuit: Circuit, observable: PauliSum) -> KernelProgram:
        raise ValueError(must("simulator", "run compiled kernels for this optimizer", "AerSimulator"))

    def _bytes_needed(self, circuit: Circuit) -> int:
        return 16 << circuit.num_qubits * (2 if self.method == "density_matrix" else 1)

    def objective(self, circuit: Circuit, observable: PauliSum) -> Objective:
        """Return the energy as a function of the angles."""
        self.check(circuit, observable)
        return _AerObjective(self, circuit, observable)

    def expectations_and_gradients(
        self, circuit: Circuit, observable: PauliSum, params_batch: ArrayLike
    ) -> tuple[FloatArray, FloatArray]:
        """Return exact expectation values and their gradients by the parameter-shift rule."""
        self.require_exact("gradients")
        if circuit.is_linked:
            raise ValueError(must("circuit", "have no linked angles, which parameter shifts need", circuit))
        batch = self._batch(circuit, params_batch)
        objective = self.objective(circuit, observable)
        shifts = np.pi / 2 * np.eye(circuit.num_params)
        points = (batch[:, None, None, :] + np.stack([shifts, -shifts])).reshape(-1, circuit.num_params)
        values = objective.energies(points).reshape(len(batch), 2, circuit.num_params)
        return objective.energies(batch), (values[:, 0] - values[:, 1]) / 2

    def run(self, circuits: list[QuantumCircuit], num_qubits: int) -> Any:
        """Run Qiskit circuits under the noise and return Aer's result."""
        if num_qubits not in self._backends:
            model = noise_to_qiskit(self.noise, num_qubits)
            self._backends[num_qubits] = QiskitAerSimulator(
                method=self.method, noise_model=model, max_parallel_threads=self.num_threads
            )
        return self._backends[num_qubits].run(circuits).result()

    def _term_means(self, circuit: Circuit, observable: PauliSum, params: FloatArray) -> FloatArray:
        twin = _at(self.noise.scheduled(circuit), params)
        twin.save_density_matrix()
        rho = DensityMatrix(self.run([twin], circuit.num_qubits).data(0)["density_matrix"])
        vector = PauliSum.from_matrix(rho.data, 0.0) * 2**circuit.num_qubits
        full = np.zeros(4**circuit.num_qubits)
        full[vector.pauli_indices()] = vector.coefficients
        return self.noise.term_means(observable, full)


class _AerObjective(Objective):
    """The energy of one circuit, from Aer."""

    _simulator: AerSimulator

    def __init__(self, simulator: AerSimulator, circuit: Circuit, observable: PauliSum) -> None:
        self._simulator = simulator
        self._circuit = circuit
        self._observable, self._unit = observable.in_unit()
        self._scheduled = simulator.noise.scheduled(circuit)
        self._measured = pauli_sum_to_qiskit(simulator.noise.measured(self._observable))

    def sweep(self, params: FloatArray, energy: float) -> float:
        """Move each angle to the minimum of its sinusoid by energies."""
        energy /= self._unit
        for k in range(len(params)):
            energy = self._turn(params, k, energy)
        return self._unit * energy

    def _exact(self, params_batch: FloatArray) -> FloatArray:
        twins = []
        for params in params_batch:
            twin = _at(self._scheduled, params)
            twin.save_expectation_value(self._measured, list(range(twin.num_qubits)))
            twins.append(twin)
        result = self._simulator.run(twins, self._circuit.num_qubits)
        return np.array([result.data(k)["expectation_value"] for k in range(len(twins))])


def _at(circuit: Circuit, params: FloatArray) -> QuantumCircuit:
    twin = circuit.copy()
    twin.params = params
    return to_qiskit(twin)
