"""The noisy simulator: states as real Pauli vectors."""

from __future__ import annotations

from typing import Self

import numpy as np

from qas_simulators.circuit import Circuit
from qas_simulators.circuit_batch import CircuitTables
from qas_simulators.errors import must
from qas_simulators.noise import NoiseModel
from qas_simulators.noise_tables import NoiseTables
from qas_simulators.pauli import NEGLIGIBLE, PauliSum
from qas_simulators.program import FloatArray, KernelProgram, final_state, links_of, pulled_back
from qas_simulators.simulator import Simulator


class PauliTransferSimulator(Simulator):
    """Simulation of mixed states, ``4**n`` real numbers ``Tr(P rho)``.

    Args:
        noise: Channels that follow the gates, and readout errors; ``None`` for none. Do not change it later.
        shots: As in :class:`Simulator`.
        seed: As in :class:`Simulator`.
        num_threads: As in :class:`Simulator`.
        shot_noise: As in :class:`Simulator`.
        device: ``"cpu"``, or ``"cuda"``: a GPU computes energies, gradients and minimisations of batches of circuits
            with at most eight qubits, unless qubits are noisy while they idle; single circuits stay on the CPU.

    Examples:
        >>> from qas_simulators import Circuit, NoiseModel, PauliSum
        >>> noisy = PauliTransferSimulator(NoiseModel.depolarizing(p1=0.1))
        >>> round(noisy.expectation(Circuit(1).x(0), PauliSum({"Z": 1.0})), 9)
        -0.9
    """

    devices = ("cpu", "cuda")

    def __init__(
        self,
        noise: NoiseModel | None = None,
        shots: int | None = None,
        seed: int | None = None,
        num_threads: int = 1,
        shot_noise: str = "exact",
        device: str = "cpu",
    ) -> None:
        super().__init__(shots, seed, num_threads, shot_noise, device)
        if noise is not None and not isinstance(noise, NoiseModel):
            raise ValueError(must("noise", "be a NoiseModel or None", noise))
        self.noise = noise if noise is not None else NoiseModel()
        self._check_device()
        self._tables: dict[int, NoiseTables] = {}
        self._measured: tuple[PauliSum, PauliSum] | None = None  # the last observable, without and with readout errors

    def _check_device(self) -> None:
        if self.device == "cuda" and self.noise.has_idle_noise:
            raise ValueError(must("device", "be 'cpu' where qubits are noisy while they idle", self.device))

    def on(self, device: str) -> Self:
        """See :meth:`Simulator.on`."""
        twin = super().on(device)
        twin._check_device()
        return twin

    @property
    def is_noisy(self) -> bool:
        """Whether the noise model has any rule."""
        return not self.noise.is_noiseless

    def with_noise(self, noise: NoiseModel) -> PauliTransferSimulator:
        """Return the same simulator with another noise model."""
        twin = PauliTransferSimulator(noise, self.shots, None, self.num_threads, self.shot_noise, self.device)
        twin.rng = self.rng
        return twin

    def _program(self, circuit: Circuit, observable: PauliSum) -> KernelProgram:
        tables, links = self.noise.scheduled(circuit).table[None], links_of(circuit)
        return self._tables_for(circuit.num_qubits).program(tables, self._as_measured(observable), links)

    def _batch_program(self, batch: CircuitTables, observable: PauliSum) -> KernelProgram | None:
        if self.noise.has_idle_noise:  # adds gates of its own to every circuit
            return None
        if self.noise.is_restricted:
            self.noise.check(batch.rows(), batch.num_qubits)
        tables, observable = self._tables_for(batch.num_qubits), self._as_measured(observable)
        return tables.program(batch.tables, observable, device=self.device)

    def _as_measured(self, observable: PauliSum) -> PauliSum:
        if self._measured is None or self._measured[0] is not observable:
            self._measured = (observable, self.noise.measured(observable))
        return self._measured[1]

    def _bytes_needed(self, circuit: Circuit) -> int:
        vectors = 2
        if 8 <= circuit.num_qubits <= 16 and not self._tables_for(circuit.num_qubits).is_stable(circuit):
            vectors += 2 * len(circuit)  # most states that are kept in place of inverses
        return (8 * vectors) << 2 * circuit.num_qubits

    def _most_bytes_needed(self, batch: CircuitTables) -> int:
        if self.device == "cuda":
            return 0  # kernels there divide the memory among as many circuits as fit
        if 8 <= batch.num_qubits <= 16:
            return super()._most_bytes_needed(batch)
        return self._bytes_needed(batch.circuits[0])  # the same for all

    def _term_means(self, circuit: Circuit, observable: PauliSum, params: FloatArray) -> FloatArray:
        identity = PauliSum({"I" * circuit.num_qubits: 1.0})
        tables, links = self.noise.scheduled(circuit).table[None], links_of(circuit)
        vector = final_state(self._tables_for(circuit.num_qubits).program(tables, identity, links), params)
        return self.noise.term_means(observable, vector)

    def _tables_for(self, num_qubits: int) -> NoiseTables:
        if num_qubits not in self._tables:
            self._tables[num_qubits] = NoiseTables(self.noise, max(num_qubits, 2))
        return self._tables[num_qubits]

    def heisenberg(self, circuit: Circuit, observable: PauliSum, tolerance: float = NEGLIGIBLE) -> PauliSum:
        """Return the observable pulled back through the noisy circuit, readout errors included.

        Its expectation in ``|0...0>`` is that of ``observable`` after the circuit; coefficients up to ``tolerance``
        times the observable's largest are dropped.
        """
        coefficients = pulled_back(self.program(circuit, observable), circuit.params)[: 4**circuit.num_qubits]
        cutoff = tolerance * np.abs(observable.coefficients).max()
        return PauliSum.from_indices(circuit.num_qubits, np.flatnonzero(np.abs(coefficients) > cutoff), coefficients)

    def pauli_vector(self, circuit: Circuit) -> FloatArray:
        """Return ``Tr(P rho)`` for every Pauli string, shape ``(4**n,)``; see the conventions for the order."""
        identity = PauliSum({"I" * circuit.num_qubits: 1.0})
        return final_state(self.program(circuit, identity), circuit.params)[: 4**circuit.num_qubits]
