"""Fits of gate sets to counts: linear inversion, and maximum likelihood from there."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from qas_simulators.errors import must
from qas_simulators.tomography.experiments import Counts, Design
from qas_simulators.tomography.gate_set import GateSet
from qas_simulators.tomography.gauge import gauge_fixed
from qas_simulators.tomography.information import fisher_matrix
from qas_simulators.tomography.likelihood import Misfit

FloatArray = NDArray[np.float64]

_SMALLEST: Final = 1e-6  # times the largest singular value
_RIDGE: Final = 0.1


def linear_inversion(counts: Counts, target: GateSet) -> GateSet:
    """Return the gate set that explains the frequencies of single gates, by linear algebra.

    Args:
        counts: Of a design whose middle parts have the empty one and each gate alone. Longer ones are not used.
        target: Ideal gates; the estimate is in a gauge near it.

    Raises:
        ValueError: A missing middle part, or preparations and measurements that do not span all states and effects.

    References:
        Blume-Kohout et al., "Robust, self-consistent, closed-form tomography of quantum logic gates on a trapped ion
        qubit", arXiv:1310.4492.
    """
    design, size = counts.design, len(target.state)
    places = {middle: number for number, middle in enumerate(design.middles)}
    missing = [run for run in ((), *((key,) for key in target.gates)) if run not in places]
    if missing or () not in design.preparations or () not in design.measurements:
        raise ValueError(must("counts", "have the empty sequence and all gates alone", missing))
    outcomes = counts.frequencies.transpose(0, 2, 3, 1)  # middle, measurement, outcome, preparation
    tables = outcomes.reshape(len(design.middles), -1, len(design.preparations))
    rows = np.array([target.effects @ _product(target, run) for run in design.measurements]).reshape(-1, size)
    columns = np.array([_product(target, run) @ target.state for run in design.preparations])
    for name, matrix in (("measurements", rows), ("preparations", columns)):
        values = np.linalg.svd(matrix, compute_uv=False)
        if len(values) < size or values[size - 1] < _SMALLEST * values[0]:
            raise ValueError(must("counts", f"have {name} that span {size} dimensions", len(matrix)))
    left = np.linalg.pinv(rows)
    null = left @ tables[places[()]]  # states of all preparations, in a gauge near the target's
    right = np.linalg.pinv(null)
    gates = {key: left @ tables[places[(key,)]] @ right for key in target.gates}
    state = left @ tables[places[()]][:, design.preparations.index(())]
    bare = design.measurements.index(())
    effects = outcomes[places[()], bare] @ right
    gauge = np.vstack([effects.sum(axis=0), np.eye(size)[1:]])  # all outcomes together are the trace
    moved = GateSet(gates, state, effects).transformed(gauge)
    ptms = {}
    for key, ptm in moved.gates.items():
        ptms[key] = np.vstack([np.eye(size)[0], ptm[1:]])
    return GateSet(ptms, np.append(1.0, moved.state[1:]), moved.effects)


class Estimator:
    """Fits of maximum likelihood to counts of one design, any number of them.

    The parameters are scaled by the Fisher matrix of the ideal gates, which is computed once.

    Args:
        design: The circuits, as for :func:`linear_inversion`.
        target: Ideal gates.
        iterations: L-BFGS iterations of each stage.
    """

    def __init__(self, design: Design, target: GateSet, iterations: int = 100) -> None:
        self.design, self.target, self.iterations = design, target, iterations
        matrix = fisher_matrix(target, design, [*target.gates])
        ridge = _RIDGE * np.trace(matrix) / len(matrix)  # for the gauge of the ideal gates, which is not that of others
        self._factor = np.linalg.cholesky(matrix + ridge * np.eye(len(matrix)))

    def fit(self, counts: Counts) -> GateSet:
        """Return the gate set of maximum likelihood among those that keep the trace; see :func:`fitted`.

        Raises:
            ValueError: As for :func:`linear_inversion`.
        """
        current = gauge_fixed(linear_inversion(counts, self.target), self.target, most=np.inf).repaired()
        longest, length = max(map(len, counts.design.middles)), 1
        while True:
            current = self._minimum(counts.up_to(length), current, is_likelihood=False)
            if length >= longest:
                return self._minimum(counts, current, is_likelihood=True)
            length *= 4

    def _minimum(self, counts: Counts, start: GateSet, is_likelihood: bool) -> GateSet:
        from scipy.linalg import solve_triangular
        from scipy.optimize import minimize

        misfit = Misfit(counts, [*self.target.gates], is_likelihood)
        params = misfit.params(start)

        def scaled(offset: FloatArray) -> tuple[float, FloatArray]:
            change = solve_triangular(self._factor, offset, lower=True, trans="T")
            value, gradient = misfit(params + change)
            return value, solve_triangular(self._factor, gradient, lower=True)

        options = {"maxiter": self.iterations, "maxfun": 2 * self.iterations, "maxcor": 30, "ftol": 0.0, "gtol": 1e-8}
        found = minimize(scaled, np.zeros_like(params), jac=True, method="L-BFGS-B", options=options)
        return misfit.gate_set(params + solve_triangular(self._factor, found.x, lower=True, trans="T"))


def fitted(counts: Counts, target: GateSet, iterations: int = 100) -> GateSet:
    """Return the gate set of maximum likelihood among those that keep the trace.

    The fit begins at :func:`linear_inversion`, repaired. Least squares, weighted by the frequencies, come first, with
    circuits of up to 1, 4, 16, ... gates in the middle, each time from the last minimum, because the misfit of long
    circuits alone has others; then the likelihood of all. The gauge is arbitrary, see :func:`gauge_fixed`, and the
    gates need not be completely positive, see :meth:`GateSet.repaired`.

    Args:
        counts: As for :func:`linear_inversion`.
        target: As for :func:`linear_inversion`.
        iterations: L-BFGS iterations of each stage.

    Raises:
        ValueError: As for :func:`linear_inversion`.

    Examples:
        >>> from qas_simulators import NoiseModel
        >>> from qas_simulators.tomography import gauge_distance, usual_design
        >>> ideal = GateSet.ideal(1, [("sx", (0,)), ("s", (0,))])
        >>> device = GateSet.of_noise(NoiseModel.depolarizing(p1=0.01), 1, ideal.gates)
        >>> counts = usual_design(1, ideal.gates).simulated(device, shots=10_000, seed=0)
        >>> gauge_distance(fitted(counts, ideal), device) < 2e-3 < gauge_distance(ideal, device)
        True
    """
    return Estimator(counts.design, target, iterations).fit(counts)


def log_likelihood(gate_set: GateSet, counts: Counts) -> tuple[float, float]:
    """Return the logarithm of the likelihood of the counts, and its largest value for any probabilities at all.

    Twice the difference has a chi-squared distribution for a fit of maximum likelihood: its mean is the number of
    independent frequencies minus that of parameters which are not gauge.

    Examples:
        >>> from qas_simulators.tomography import usual_design
        >>> ideal = GateSet.ideal(1, [("sx", (0,)), ("s", (0,))])
        >>> exact = usual_design(1, ideal.gates, 2).simulated(ideal, 0)
        >>> bool(np.isclose(*log_likelihood(ideal, exact)))
        True
    """
    runs = counts.design.runs()
    probabilities = np.array([gate_set.probabilities(run) for run in runs]).reshape(counts.numbers.shape)
    seen = counts.numbers > 0
    numbers = counts.numbers[seen]
    model = float(numbers @ np.log(np.maximum(probabilities[seen], 1e-12)))
    return model, float(numbers @ np.log(counts.frequencies[seen]))


def _product(gate_set: GateSet, run: tuple[tuple[str, tuple[int, ...]], ...]) -> FloatArray:
    """Return the matrix of a sequence of gates."""
    matrix = np.eye(len(gate_set.state))
    for key in run:
        matrix = gate_set.gates[key] @ matrix
    return matrix
