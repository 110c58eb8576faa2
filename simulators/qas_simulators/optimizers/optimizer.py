"""What every angle optimiser answers."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from qas_simulators.circuit import Circuit
from qas_simulators.pauli import PauliSum
from qas_simulators.program import FloatArray
from qas_simulators.simulator import Simulator


class OptimizationResult(NamedTuple):
    """Where an optimiser ended and what it cost.

    ``evaluations`` counts runs of the simulator: an energy is one, an energy with its gradient is one too (the adjoint
    method makes it about two to three times as expensive). ``gradients`` says how many of them were gradients; on
    hardware each of those would be two energies per angle.
    """

    energy: float
    params: FloatArray  # (num_params,)
    evaluations: int
    gradients: int


class Optimizer(Protocol):
    """Minimises an observable over a circuit's angles, starting from the circuit's own."""

    def minimize(
        self, simulator: Simulator, circuit: Circuit, observable: PauliSum, num_new: int = 0
    ) -> OptimizationResult:
        """Return the best angles found; the circuit is not changed. Circuits without angles are fine.

        Args:
            simulator: Evaluates energies.
            circuit: Its angles are the warm start.
            observable: What is minimised.
            num_new: How many of the last angles belong to gates just added.
        """
        ...
