"""No optimisation: for gate sets without angles, and for control experiments."""

from __future__ import annotations

from dataclasses import dataclass

from qas_simulators.circuit import Circuit
from qas_simulators.optimizers.optimizer import OptimizationResult
from qas_simulators.pauli import PauliSum
from qas_simulators.simulator import Simulator


@dataclass(frozen=True)
class NoOptimizer:
    """Evaluate the circuit at the angles it has."""

    def minimize(
        self, simulator: Simulator, circuit: Circuit, observable: PauliSum, num_new: int = 0
    ) -> OptimizationResult:
        """See :class:`~qas_simulators.optimizers.optimizer.Optimizer`."""
        return OptimizationResult(simulator.expectation(circuit, observable), circuit.params, 1, 0)
