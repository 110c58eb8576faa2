"""Exact scan of the new angles, then L-BFGS on adjoint gradients: the default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from qas_simulators.circuit import Circuit
from qas_simulators.circuit_batch import CircuitBatch, first_new
from qas_simulators.errors import must
from qas_simulators.optimizers.optimizer import BatchResult, OptimizationResult, solve_rows
from qas_simulators.pauli import PauliSum
from qas_simulators.program import Settings, minimize
from qas_simulators.simulator import Simulator


@dataclass(frozen=True)
class ScanLBFGS:
    """Move each new angle to the exact minimum of its sinusoid, then minimise over all angles.

    The scan matters because a new gate at angle 0 often sits on a stationary point, where the gradient is zero.

    Attributes:
        max_iterations: L-BFGS iterations.
        gradient_tolerance: Stop when no derivative exceeds it, in energy per radian; for very small and very large
            operators in their own unit, see :meth:`PauliSum.in_unit`.
        energy_tolerance: Stop when an iteration gains no more than this, in the same unit.
        scan_all: Scan every angle first, not only the new ones: about twice the time, and fewer poor local minima.
    """

    needs_kernels: ClassVar[bool] = True  # of a simulator with exact values
    is_deterministic: ClassVar[bool] = True  # with exact energies

    max_iterations: int = 200
    gradient_tolerance: float = 1e-5
    energy_tolerance: float = 1e-10
    scan_all: bool = False

    def __post_init__(self) -> None:
        if self.max_iterations < 1:
            raise ValueError(must("max_iterations", "be at least 1", self.max_iterations))
        for name in ("gradient_tolerance", "energy_tolerance"):
            if not getattr(self, name) >= 0:
                raise ValueError(must(name, "not be negative", getattr(self, name)))

    @property
    def _settings(self) -> Settings:
        return self.max_iterations, self.gradient_tolerance, self.energy_tolerance

    def minimize(
        self, simulator: Simulator, circuit: Circuit, observable: PauliSum, num_new: int = 0
    ) -> OptimizationResult:
        """See :class:`~qas_simulators.optimizers.optimizer.Optimizer`."""
        simulator.require_exact("scan_lbfgs")
        observable, unit = observable.in_unit()
        params = circuit.params
        energy, evaluations, gradients = minimize(
            simulator.program(circuit, observable),
            params,
            0 if self.scan_all else first_new(circuit, num_new),
            self._settings,
        )
        return OptimizationResult(unit * energy, params, evaluations, gradients)

    def minimize_each(
        self,
        simulator: Simulator,
        batch: CircuitBatch,
        observable: PauliSum,
        rows: Sequence[int],
        num_new: Sequence[int],
        num_threads: int = 1,
    ) -> BatchResult | None:
        """See :class:`~qas_simulators.optimizers.optimizer.BatchOptimizer`."""
        simulator.require_exact("scan_lbfgs")
        new = [batch.circuits[row].num_params for row in rows] if self.scan_all else num_new
        return solve_rows(simulator, batch, observable, rows, new, self._settings, num_threads)
