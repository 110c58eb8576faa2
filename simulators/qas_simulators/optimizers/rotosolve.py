"""Rotosolve: one angle after the other to the exact minimum of its sinusoid."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from qas_simulators.circuit import Circuit
from qas_simulators.errors import must
from qas_simulators.optimizers.optimizer import OptimizationResult
from qas_simulators.pauli import PauliSum
from qas_simulators.simulator import Simulator


@dataclass(frozen=True)
class Rotosolve:
    """Sweep over all angles until a sweep gains too little. Exact also with noise: channels keep energies sinusoidal.

    Attributes:
        max_sweeps: Sweeps over all angles.
        energy_tolerance: Stop when a sweep gains no more than this; for very small and very large operators in their
            own unit, see :meth:`PauliSum.in_unit`.

    References:
        Ostaszewski, Grant and Benedetti, "Structure optimization for parameterized quantum circuits", arXiv:1905.09692.
        Nakanishi, Fujii and Todo, arXiv:1903.12166.
    """

    fits_linked_angles: ClassVar[bool] = False  # in a shared angle an energy is no sinusoid
    is_deterministic: ClassVar[bool] = True  # with exact energies

    max_sweeps: int = 50
    energy_tolerance: float = 1e-8

    def __post_init__(self) -> None:
        if self.max_sweeps < 1:
            raise ValueError(must("max_sweeps", "be at least 1", self.max_sweeps))
        if not self.energy_tolerance >= 0:
            raise ValueError(must("energy_tolerance", "not be negative", self.energy_tolerance))

    def minimize(
        self, simulator: Simulator, circuit: Circuit, observable: PauliSum, num_new: int = 0
    ) -> OptimizationResult:
        """See :class:`~qas_simulators.optimizers.optimizer.Optimizer`."""
        observable, unit = observable.in_unit()
        measured, params = simulator.objective(circuit, observable), circuit.params
        energy = float(measured.energies(params[None, :])[0])
        evaluations = 1
        for _ in range(self.max_sweeps if len(params) else 0):
            before = energy
            energy = measured.sweep(params, energy)
            evaluations += 2 * len(params)
            if before - energy <= self.energy_tolerance:
                break
        if len(params):
            energy = float(measured.energies(params[None, :])[0])  # measured, not inferred
            evaluations += 1
        return OptimizationResult(unit * energy, params, simulator.runs_per_energy * evaluations, 0)
