"""What every angle optimiser answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from qas_simulators.circuit import Circuit
from qas_simulators.circuit_batch import CircuitBatch
from qas_simulators.pauli import PauliSum
from qas_simulators.program import FloatArray, Settings, solve_each
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


class BatchResult(NamedTuple):
    """What :class:`OptimizationResult` says, for circuits side by side; the angles are in the batch."""

    energies: FloatArray  # (rows,)
    evaluations: NDArray[np.int64]  # (rows,)
    gradients: NDArray[np.int64]  # (rows,)


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


@runtime_checkable
class BatchOptimizer(Optimizer, Protocol):
    """An optimiser whose work one call of a kernel does for many circuits."""

    def minimize_each(
        self,
        simulator: Simulator,
        batch: CircuitBatch,
        observable: PauliSum,
        rows: Sequence[int],
        num_new: Sequence[int],
        num_threads: int = 1,
    ) -> BatchResult | None:
        """Do what :meth:`minimize` does, with the same numbers, for circuits ``rows`` of a batch, changing its angles.

        Returns ``None``, and changes nothing, where circuits must be served one by one.
        """
        ...


def solve_rows(
    simulator: Simulator,
    batch: CircuitBatch,
    observable: PauliSum,
    rows: Sequence[int],
    num_new: Sequence[int],
    settings: Settings | None,
    num_threads: int,
) -> BatchResult | None:
    """Scan the new angles of circuits ``rows`` and minimise over all; without settings, only return their energies."""
    observable, unit = observable.in_unit()
    program = simulator.batch_program(batch, observable)
    if program is None:
        return None
    indices, sizes = np.array(rows, dtype=np.int64), batch.sizes(rows, num_new)
    energies, counts = solve_each(program, batch.angles, indices, sizes, settings, num_threads)
    return BatchResult(unit * energies, counts[:, 0], counts[:, 1])
