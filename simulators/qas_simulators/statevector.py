"""The noiseless simulator."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qas_simulators.circuit import Circuit
from qas_simulators.circuit_batch import CircuitBatch
from qas_simulators.pauli import PauliSum
from qas_simulators.program import FloatArray, KernelProgram, final_state, links_of, statevector_program
from qas_simulators.simulator import Simulator


class StatevectorSimulator(Simulator):
    """Simulation of pure states, ``2**n`` amplitudes.

    Args:
        shots: As in :class:`Simulator`.
        seed: As in :class:`Simulator`.
        num_threads: As in :class:`Simulator`.
        shot_noise: As in :class:`Simulator`.
        device: ``"cpu"``, or ``"cuda"``: a GPU computes energies, gradients and minimisations of batches of circuits,
            such as those of vector environments; single circuits stay on the CPU.

    Examples:
        >>> from qas_simulators import Circuit, PauliSum
        >>> round(StatevectorSimulator().expectation(Circuit(1).ry(0.5, 0), PauliSum({"X": 1.0})), 6)
        0.479426
    """

    devices = ("cpu", "cuda")

    @property
    def is_noisy(self) -> bool:
        """Never."""
        return False

    def _program(self, circuit: Circuit, observable: PauliSum) -> KernelProgram:
        return statevector_program(circuit.table[None], observable, links_of(circuit))

    def _batch_program(self, batch: CircuitBatch, observable: PauliSum) -> KernelProgram:
        return statevector_program(batch.tables, observable, device=self.device)

    def _bytes_needed(self, circuit: Circuit) -> int:
        return 48 << circuit.num_qubits

    def _term_means(self, circuit: Circuit, observable: PauliSum, params: FloatArray) -> FloatArray:
        return observable.term_means(final_state(self._program(circuit, observable), params))

    def statevector(self, circuit: Circuit) -> NDArray[np.complex128]:
        """Return the amplitudes ``(2**n,)``, qubit 0 the least significant bit of the index."""
        identity = PauliSum({"I" * circuit.num_qubits: 1.0})
        return final_state(self.program(circuit, identity), circuit.params)
