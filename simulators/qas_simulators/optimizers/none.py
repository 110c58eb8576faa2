"""No optimisation: for gate sets without angles, and for control experiments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qas_simulators.circuit import Circuit
from qas_simulators.circuit_batch import CircuitTables, Numbers
from qas_simulators.optimizers.optimizer import BatchResult, OptimizationResult, solve_rows
from qas_simulators.pauli import PauliSum
from qas_simulators.simulator import Simulator


@dataclass(frozen=True)
class NoOptimizer:
    """Evaluate the circuit at the angles it has."""

    is_deterministic: ClassVar[bool] = True  # with exact energies

    def minimize(
        self, simulator: Simulator, circuit: Circuit, observable: PauliSum, num_new: int = 0
    ) -> OptimizationResult:
        """See :class:`~qas_simulators.optimizers.optimizer.Optimizer`."""
        energy = simulator.expectation(circuit, observable)
        return OptimizationResult(energy, circuit.params, simulator.runs_per_energy, 0)

    def minimize_each(
        self,
        simulator: Simulator,
        batch: CircuitTables,
        observable: PauliSum,
        rows: Numbers,
        num_new: Numbers,
        num_threads: int = 1,
    ) -> BatchResult | None:
        """See :class:`~qas_simulators.optimizers.optimizer.BatchOptimizer`."""
        return solve_rows(simulator, batch, observable, rows, np.zeros(len(rows), dtype=np.int64), None, num_threads)
