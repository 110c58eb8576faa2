"""COBYLA, compiled: nlopt's LN_COBYLA."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from qas_simulators.circuit import Circuit
from qas_simulators.errors import must
from qas_simulators.optimizers.optimizer import OptimizationResult
from qas_simulators.pauli import PauliSum
from qas_simulators.program import FloatArray
from qas_simulators.simulator import Simulator


@dataclass(frozen=True)
class Cobyla:
    """Powell's linear-approximation trust region, as the papers use it through SciPy (whose own is pure Python now).

    Attributes:
        max_evaluations: Energies per call.
        initial_step: First trust radius in radians (SciPy's ``rhobeg``).
        tolerance: Stop when steps are shorter than this in every angle (SciPy's default final radius).
    """

    is_deterministic: ClassVar[bool] = True  # with exact energies

    max_evaluations: int = 1000
    initial_step: float = 1.0
    tolerance: float = 1e-4

    def __post_init__(self) -> None:
        if self.max_evaluations < 1:
            raise ValueError(must("max_evaluations", "be at least 1", self.max_evaluations))
        for name in ("initial_step", "tolerance"):
            if not getattr(self, name) > 0:
                raise ValueError(must(name, "be positive", getattr(self, name)))

    def minimize(
        self, simulator: Simulator, circuit: Circuit, observable: PauliSum, num_new: int = 0
    ) -> OptimizationResult:
        """See :class:`~qas_simulators.optimizers.optimizer.Optimizer`; new angles get no treatment of their own."""
        import nlopt

        observable, unit = observable.in_unit()
        measured, start = simulator.objective(circuit, observable), circuit.params

        def energy_at(params: FloatArray) -> float:
            return float(measured.energies(params[None, :])[0])

        if len(start) == 0:
            return OptimizationResult(unit * energy_at(start), start, simulator.runs_per_energy, 0)
        best_energy, best_params, evaluations = np.inf, start, 0

        def objective(params: FloatArray, _gradient: FloatArray) -> float:
            nonlocal best_energy, best_params, evaluations
            point = params.copy()  # nlopt's own array is read-only, which would be another type to the kernels
            energy = energy_at(point)
            evaluations += 1
            if energy < best_energy:
                best_energy, best_params = energy, point
            return energy

        search = nlopt.opt(nlopt.LN_COBYLA, len(start))
        search.set_min_objective(objective)
        search.set_initial_step(self.initial_step)
        search.set_xtol_abs(self.tolerance)
        search.set_maxeval(self.max_evaluations)
        with suppress(nlopt.RoundoffLimited):  # the best point seen is still the answer
            search.optimize(start)
        runs = simulator.runs_per_energy
        return OptimizationResult(unit * best_energy, best_params, runs * evaluations, 0)
