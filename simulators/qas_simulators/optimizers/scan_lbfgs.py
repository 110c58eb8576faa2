"""Exact scan of the new angles, then L-BFGS on adjoint gradients: the default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final
from zlib import crc32

import numpy as np

from qas_simulators.circuit import Circuit
from qas_simulators.circuit_batch import CircuitBatch, CircuitTables, Numbers, first_new
from qas_simulators.errors import must, unknown_name
from qas_simulators.optimizers.optimizer import BatchResult, OptimizationResult, solve_rows
from qas_simulators.pauli import PauliSum
from qas_simulators.program import FloatArray, Settings
from qas_simulators.simulator import Simulator

WHEN: Final = ("step", "end")
"""When environments optimise angles."""


@dataclass(frozen=True)
class ScanLBFGS:
    """Move each new angle to the exact minimum of its sinusoid, then minimise over all angles.

    The scan matters because a new gate at angle 0 often sits on a stationary point, where the gradient is zero.

    With ``starts`` the same minimisation also begins at random angles, and the lowest minimum is the result. The random
    angles are determined by ``seed`` and the circuit's gates, so that the result is the same whenever a circuit is
    optimised; without the warm start it is a function of the circuit alone, whatever was tried before.

    With ``redraws`` the lowest minimum is left again and again: two neighbouring angles are drawn at random, all are
    minimised, and the result is kept if it is lower. A good minimum of a long circuit differs from a poor one in few
    angles, so that this finds it more often than as many random starts. What is drawn depends on the same as above.

    Attributes:
        max_iterations: L-BFGS iterations of each minimisation.
        gradient_tolerance: Stop when no derivative exceeds it, in energy per radian; for very small and very large
            operators in their own unit, see :meth:`PauliSum.in_unit`.
        energy_tolerance: Stop when an iteration gains no more than this, in the same unit.
        scan_all: Scan every angle first, not only the new ones: about twice the time, and fewer poor local minima.
        starts: Minimisations from random angles, uniform in [-pi, pi).
        warm: Whether one minimisation starts from the angles that the circuit has, the new ones scanned.
        when: ``"step"``: environments optimise after every action; ``"end"``: once, at the end of the episode.
        seed: Seeds the random angles.
        redraws: Minimisations from the lowest minimum so far with two neighbouring angles drawn again.

    Raises:
        ValueError: A number out of range, or no start at all.

    Examples:
        >>> from qas_simulators import Circuit, PauliSum, StatevectorSimulator
        >>> circuit, pair = Circuit(2).ry(0, 0).ry(0, 1).cx(0, 1).ry(0, 0).ry(0, 1), PauliSum({"ZZ": 1.0, "XX": 1.0})
        >>> memoryless = ScanLBFGS(starts=3, warm=False)
        >>> round(memoryless.minimize(StatevectorSimulator(), circuit, pair).energy, 9)
        -2.0
    """

    needs_kernels: ClassVar[bool] = True  # of a simulator with exact values
    is_deterministic: ClassVar[bool] = True  # with exact energies

    max_iterations: int = 200
    gradient_tolerance: float = 1e-5
    energy_tolerance: float = 1e-10
    scan_all: bool = False
    starts: int = 0
    warm: bool = True
    when: str = "step"
    seed: int = 0
    redraws: int = 0

    def __post_init__(self) -> None:
        if self.max_iterations < 1:
            raise ValueError(must("max_iterations", "be at least 1", self.max_iterations))
        for name in ("gradient_tolerance", "energy_tolerance", "starts", "seed", "redraws"):
            if not getattr(self, name) >= 0:
                raise ValueError(must(name, "not be negative", getattr(self, name)))
        if not self.warm and self.starts == 0:
            raise ValueError(must("starts", "be at least 1 without a warm start", self.starts))
        if self.when not in WHEN:
            raise ValueError(unknown_name("time of optimisation", self.when, WHEN))

    @property
    def _settings(self) -> Settings:
        return self.max_iterations, self.gradient_tolerance, self.energy_tolerance

    def minimize(
        self, simulator: Simulator, circuit: Circuit, observable: PauliSum, num_new: int = 0
    ) -> OptimizationResult:
        """See :class:`~qas_simulators.optimizers.optimizer.Optimizer`."""
        simulator.require_exact("scan_lbfgs")
        observable, unit = observable.in_unit()
        minimize = simulator.minimizer(circuit, observable)
        params = circuit.params
        begins = [(start, len(params)) for start in random_starts(circuit, self.starts, self.seed)]
        if self.warm:
            begins.insert(0, (params, 0 if self.scan_all else first_new(circuit, num_new)))
        best, lowest, evaluations, gradients = params, np.inf, 0, 0
        for start, first in begins:
            energy, more, more_gradients = minimize(start, first, self._settings)
            evaluations, gradients = evaluations + more, gradients + more_gradients
            if energy < lowest:
                best, lowest = start, energy
            if len(params) == 0:
                break  # nothing to start from elsewhere
        redrawn = Redraws(circuit, self.seed)
        for _ in range(self.redraws if len(params) else 0):
            start = redrawn.of(best)
            energy, more, more_gradients = minimize(start, len(params), self._settings)
            evaluations, gradients = evaluations + more, gradients + more_gradients
            if energy < lowest:
                best, lowest = start, energy
        runs = simulator.runs_per_energy
        return OptimizationResult(unit * lowest, best, runs * evaluations, runs * gradients)

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
        simulator.require_exact("scan_lbfgs")
        if self.starts:
            found = self._minimize_each_from_all(simulator, batch, observable, rows, num_new, num_threads)
        else:
            new = batch.sizes_of(rows)[:, 1] if self.scan_all else num_new
            found = solve_rows(simulator, batch, observable, rows, new, self._settings, num_threads)
        if found is None or not self.redraws:
            return found
        return self._redrawn_each(found, simulator, batch, observable, rows, num_threads)

    def _redrawn_each(
        self,
        found: BatchResult,
        simulator: Simulator,
        batch: CircuitTables,
        observable: PauliSum,
        rows: Numbers,
        num_threads: int,
    ) -> BatchResult | None:
        """Redraw angles of all circuits, once in each call of the kernel."""
        places = [place for place, row in enumerate(rows) if batch.circuits[row].num_params]
        owners = [batch.circuits[rows[place]] for place in places]
        redraws = [Redraws(owner, self.seed) for owner in owners]
        energies, evaluations, gradients = found.energies.copy(), found.evaluations.copy(), found.gradients.copy()
        for _ in range(self.redraws if owners else 0):
            starts = [turned(owner, own.of(owner.params)) for owner, own in zip(owners, redraws, strict=True)]
            tried = CircuitBatch(starts, batch.tables.shape[1])
            more = solve_rows(
                simulator, tried, observable, range(len(starts)), [0] * len(starts), self._settings, num_threads
            )
            if more is None:
                return None
            evaluations[places] += more.evaluations
            gradients[places] += more.gradients
            for number, (place, owner) in enumerate(zip(places, owners, strict=True)):
                if more.energies[number] < energies[place]:
                    energies[place], owner.params = more.energies[number], starts[number].params
        return BatchResult(energies, evaluations, gradients)

    def _minimize_each_from_all(
        self,
        simulator: Simulator,
        batch: CircuitTables,
        observable: PauliSum,
        rows: Numbers,
        num_new: Numbers,
        num_threads: int,
    ) -> BatchResult | None:
        """Do what :meth:`minimize` does for each circuit, all starts of all circuits by one call of the kernel."""
        begins, owners, new = [], [], []
        for place, (row, number) in enumerate(zip(rows, num_new, strict=True)):
            circuit = batch.circuits[row]
            own = [(circuit, circuit.num_params if self.scan_all else number)] if self.warm else []
            own += [(turned(circuit, start), 0) for start in random_starts(circuit, self.starts, self.seed)]
            own = own if circuit.num_params else own[:1]
            begins += [circuit.copy() for circuit, _ in own]
            new += [number for _, number in own]
            owners += [place] * len(own)
        if not begins:
            return solve_rows(simulator, batch, observable, rows, num_new, self._settings, num_threads)
        starts = CircuitBatch(begins, batch.tables.shape[1])
        found = solve_rows(simulator, starts, observable, range(len(begins)), new, self._settings, num_threads)
        if found is None:
            return None
        energies = np.full(len(rows), np.inf)
        counts = np.zeros((2, len(rows)), dtype=np.int64)
        for start, place in enumerate(owners):
            counts[0, place] += found.evaluations[start]
            counts[1, place] += found.gradients[start]
            if found.energies[start] < energies[place]:
                energies[place] = found.energies[start]
                batch.circuits[rows[place]].params = begins[start].params
        return BatchResult(energies, *counts)


def random_starts(circuit: Circuit, number: int, seed: int) -> list[FloatArray]:
    """Return random angles that depend on the circuit's gates and the seed only, ``number`` times ``(num_params,)``."""
    if number == 0:
        return []
    rng = np.random.default_rng((seed, crc32(circuit.table.tobytes())))
    return [*rng.uniform(-np.pi, np.pi, (number, circuit.num_params))]


class Redraws:
    """Draws two neighbouring angles of a circuit at random, the same ones whenever it is optimised.

    Args:
        circuit: The draws depend on its gates and the seed only.
        seed: See there.
    """

    def __init__(self, circuit: Circuit, seed: int) -> None:
        self._rng = np.random.default_rng((seed, 1, crc32(circuit.table.tobytes())))

    def of(self, params: FloatArray) -> FloatArray:
        """Return a copy of the angles, at least one, with two neighbours drawn again."""
        place = int(self._rng.integers(max(1, len(params) - 1)))
        drawn = params.copy()
        drawn[place : place + 2] = self._rng.uniform(-np.pi, np.pi, min(2, len(params)))
        return drawn


def turned(circuit: Circuit, params: FloatArray) -> Circuit:
    """Return a copy of a circuit with other parameters."""
    twin = circuit.copy()
    twin.params = params
    return twin
