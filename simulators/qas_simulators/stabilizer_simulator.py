"""Energies of Clifford circuits, whose cost grows with gates and terms, not with the number of amplitudes."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from qas_simulators.circuit import Circuit
from qas_simulators.errors import must
from qas_simulators.flat_circuit import Table
from qas_simulators.gates import GATES
from qas_simulators.pauli import PauliSum
from qas_simulators.program import FloatArray, KernelProgram, Settings
from qas_simulators.simulator import Minimizer, Objective, Simulator
from qas_simulators.stabilizers import is_clifford, slices_of


class StabilizerSimulator(Simulator):
    """Noiseless simulation of Clifford circuits, to 128 qubits.

    The strings of the observable are moved back through the circuit; in ``|0...0>`` a string of I and Z has the value 1
    or -1, any other 0. There are no angles, so optimisers have nothing to do; any of them works.

    Args:
        seed: As in :class:`Simulator`.
        shots: ``None``: there is no shot noise.

    Raises:
        ValueError: ``shots`` is given.

    References:
        D. Gottesman: The Heisenberg representation of quantum computers, quant-ph/9807006.

    Examples:
        >>> circuit = Circuit(100).h(0)
        >>> for qubit in range(99):
        ...     circuit = circuit.cx(qubit, qubit + 1)
        >>> StabilizerSimulator().expectation(circuit, PauliSum({"X" * 100: 1.0, "Z" * 100: 0.5, "Z" + 99 * "I": 2.0}))
        1.5
    """

    def __init__(self, seed: int | None = None, shots: int | None = None) -> None:
        super().__init__(None, seed)
        if shots is not None:
            raise ValueError(must("shots", "be None for the stabiliser simulator, which has no shot noise", shots))

    @property
    def is_noisy(self) -> bool:
        """Never."""
        return False

    def _program(self, circuit: Circuit, observable: PauliSum) -> KernelProgram:
        raise ValueError(must("simulator", "have kernels for this, not keep stabilisers", self))

    def _bytes_needed(self, circuit: Circuit) -> int:
        return 0

    def check_gates(self, table: Table, num_qubits: int) -> None:
        """Raise ``ValueError`` for gates that are no Clifford gates, rows of circuits ``(gates, 4)``."""
        foreign = sorted({GATES[gate].name for gate in table[:, 0].tolist() if not is_clifford(gate)})
        if foreign:
            needed = "be Clifford gates, such as 'clifford', where the simulator is 'stabilizer'"
            raise ValueError(must("gates", needed, foreign))

    def objective(self, circuit: Circuit, observable: PauliSum) -> Objective:
        """Return the energy as a function of no angles."""
        return _StabilizerObjective(self, circuit, observable)

    def minimizer(self, circuit: Circuit, observable: PauliSum) -> Minimizer:
        """Return the minimisation over no angles: the energy."""
        energy = self.expectation(circuit, observable)

        def minimized(params: FloatArray, first: int, settings: Settings) -> tuple[float, int, int]:
            return energy, 1, 0

        return minimized

    def expectations_and_gradients(
        self, circuit: Circuit, observable: PauliSum, params_batch: ArrayLike
    ) -> tuple[FloatArray, FloatArray]:
        """Return the expectation values ``(B,)`` and gradients ``(B, 0)``."""
        batch = self._batch(circuit, params_batch)
        return self.expectations(circuit, observable, batch), np.zeros_like(batch)

    def _term_means(self, circuit: Circuit, observable: PauliSum, params: FloatArray) -> FloatArray:
        slices = slices_of(observable)
        slices.conjugate(circuit, back=True)
        flipping, signs = (f"{mask:0{slices.size}b}"[::-1] for mask in (slices.flipping, slices.signs))
        value = {"00": 1.0, "01": -1.0, "10": 0.0, "11": 0.0}
        return np.array([value[a + b] for a, b in zip(flipping, signs, strict=True)])


class _StabilizerObjective(Objective):
    """The energy of one circuit, which has no angles."""

    def __init__(self, simulator: StabilizerSimulator, circuit: Circuit, observable: PauliSum) -> None:
        simulator.check(circuit, observable)
        self._simulator, self._circuit, self._observable, self._unit = simulator, circuit, observable, 1.0

    def measured(self, params_batch: FloatArray, shots: int | None, rng: np.random.Generator) -> FloatArray:
        """Return energies ``(B,)``."""
        if shots is not None:
            raise ValueError(must("shots", "be None for the stabiliser simulator, which has no shot noise", shots))
        means = self._simulator._term_means(self._circuit, self._observable, np.empty(0))
        return np.full(len(params_batch), float(self._observable.coefficients @ means))

    def sweep(self, params: FloatArray, energy: float) -> float:
        """Return the energy: there is no angle to move."""
        return energy
