"""The interface of angle optimisers."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from qas_simulators.arrays import NUMPY
from qas_simulators.circuit import Circuit
from qas_simulators.circuit_arrays import CircuitArrays
from qas_simulators.circuit_batch import CircuitTables, Numbers
from qas_simulators.errors import must
from qas_simulators.pauli import PauliSum
from qas_simulators.program import FloatArray, Settings, solve_each
from qas_simulators.simulator import Simulator


class OptimizationResult(NamedTuple):
    """The minimum that an optimiser found, and its cost.

    ``evaluations`` counts runs of the simulator: an energy is one, an energy with its gradient is one too (the adjoint
    method makes it about two to three times as expensive). A mitigated energy is one run at each scale of the noise.
    ``gradients`` is the number of gradients among them; on hardware, each of those would be two energies per angle.
    """

    energy: float
    params: FloatArray  # (num_params,)
    evaluations: int
    gradients: int


class BatchResult(NamedTuple):
    """The same as :class:`OptimizationResult` for several circuits; their angles are in the batch."""

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
            num_new: Number of angles, the last ones, of gates that were just added.
        """
        ...


@runtime_checkable
class BatchOptimizer(Optimizer, Protocol):
    """An optimiser that minimises many circuits by one call of a kernel."""

    def minimize_each(
        self,
        simulator: Simulator,
        batch: CircuitTables,
        observable: PauliSum,
        rows: Numbers,
        num_new: Numbers,
        num_threads: int = 1,
    ) -> BatchResult | None:
        """Minimise circuits ``rows`` of a batch, changing its angles; the numbers are those of :meth:`minimize`.

        Returns ``None``, and changes nothing, where circuits must be simulated one by one.
        """
        ...


def solve_rows(
    simulator: Simulator,
    batch: CircuitTables,
    observable: PauliSum,
    rows: Numbers,
    num_new: Numbers,
    settings: Settings | None,
    num_threads: int,
) -> BatchResult | None:
    """Scan the new angles of circuits ``rows`` and minimise over all; without settings, only return their energies."""
    observable, unit = observable.in_unit()
    program = simulator.batch_program(batch, observable)
    if program is None:
        return None
    if settings is None and isinstance(batch, CircuitArrays):
        found = batch.energies(program, rows, num_threads)
        if found is not None:
            return BatchResult(unit * found, np.ones(len(rows), dtype=np.int64), np.zeros(len(rows), dtype=np.int64))
    if isinstance(batch, CircuitArrays) and batch.library is not NUMPY:
        energies, counts = batch.solved(program, rows, num_new, settings)
    else:
        indices, sizes = np.asarray(rows, dtype=np.int64), batch.sizes(rows, num_new)
        energies, counts = solve_each(program, batch.angles, indices, sizes, settings, num_threads)
    return BatchResult(unit * energies, counts[:, 0], counts[:, 1])


def warmed(optimizer: Optimizer) -> Optimizer:
    """Return an optimiser that uses the angles that it is given."""
    return with_settings(optimizer, warm=True) if getattr(optimizer, "warm", True) is False else optimizer


def with_settings(optimizer: Optimizer, **settings: Any) -> Optimizer:
    """Return an optimiser with other settings; those that are ``None`` stay.

    Raises:
        ValueError: It has no such setting.
    """
    given = {name: value for name, value in settings.items() if value is not None}
    for name in given:
        if not hasattr(optimizer, name) or not dataclasses.is_dataclass(optimizer):
            raise ValueError(must("optimizer", f"be one with the setting {name!r}, such as 'scan_lbfgs'", optimizer))
    return dataclasses.replace(optimizer, **given) if given else optimizer  # type: ignore[type-var]
