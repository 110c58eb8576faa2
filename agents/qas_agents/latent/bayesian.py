"""LatentBO: Bayesian optimisation over embeddings of circuits."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from qas_agents.latent.pool import LatentSearcher
from qas_simulators.errors import must, needs_extra

_MOST_OBSERVATIONS: Final = 600  # of the Gaussian process: the best and the latest ones
_REFITS: Final = 32  # observations between two fits of the kernel


class LatentBO(LatentSearcher):
    """A Gaussian process predicts the cost of circuits from their embeddings; expected improvement chooses the next.

    The cost is that of :class:`~qas_agents.searchers.whole_circuits.Prices`: a tenth per CNOT, and 3 plus the decades
    of the error over the threshold for a circuit that is no solution. Several circuits are chosen before the next
    energies are known; the cost of each is replaced by its prediction until then (the Kriging believer).

    Args:
        env: An environment with a ``player`` of whole circuits, possibly under wrappers.
        seed: Seeds everything.
        pool: Number of distinct random skeletons; when all have been played, others are drawn.
        most_blocks: Largest number of blocks of a skeleton; 0 for three times the number of qubits.
        file: A file of :meth:`~qas_agents.latent.vgae.CircuitVGAE.save`; without one, an autoencoder is trained on the
            first pool, which needs no energies.
        epochs: How often it is trained on every skeleton.
        together: Circuits that are chosen together.
        starts: Sets of random angles per circuit, of which the best one counts.
        first: Random circuits before the first prediction.
        max_iterations: L-BFGS iterations of a circuit, which starts from random angles.
        entangler: See :class:`~qas_agents.searchers.blocks.Skeletons`.
        dressing: See :class:`~qas_agents.searchers.blocks.Skeletons`.

    Raises:
        TypeError: The environment does not play whole circuits.
        ValueError: A number out of range, a file that does not fit, or gates that do not make blocks.
        ImportError: scikit-learn is not installed.

    References:
        Sun et al., arXiv:2401.11576, with a Gaussian process of scikit-learn instead of their regression on features of
        a network. Ginsbourger et al., "Kriging is well-suited to parallelize optimization" (2010).
    """

    def __init__(
        self,
        env: Any,
        seed: int | None = None,
        pool: int = 2000,
        most_blocks: int = 0,
        file: str | None = None,
        epochs: int = 20,
        together: int = 8,
        first: int = 16,
        starts: int = 1,
        max_iterations: int = 200,
        entangler: str | None = None,
        dressing: Sequence[str] | None = None,
    ) -> None:
        if first < 2:
            raise ValueError(must("first", "be at least 2", first))
        with needs_extra("latent"):
            import sklearn.gaussian_process  # noqa: F401
        super().__init__(
            env, seed, pool, most_blocks, file, epochs, together, starts, max_iterations, entangler, dressing
        )
        self._first = first
        self._rows: list[int] = []
        self._costs: list[float] = []
        self._kernel: Any = None
        self._fitted = 0

    def _choose(self) -> list[int]:
        free = np.flatnonzero(~self._is_played)
        if len(self._rows) < self._first:
            size = min(self._first - len(self._rows), len(free))
            chosen: list[int] = self._rng.choice(free, size=size, replace=False).tolist()
            return chosen
        rows, costs = self._observations()
        found: list[int] = []
        for _ in range(min(self._together, len(free))):
            process = self._process(rows, costs, is_fitted=bool(found) or len(self._rows) - self._fitted < _REFITS)
            mean, deviation = process.predict(self.embeddings[free], return_std=True)
            best = int(np.argmax(_expected_improvement(mean, deviation, min(costs))))
            found.append(int(free[best]))
            rows, costs = [*rows, found[-1]], [*costs, float(mean[best])]
            free = np.delete(free, best)
        return found

    def _learn(self, rows: list[int], costs: NDArray[np.float64]) -> None:
        self._rows += rows
        self._costs += costs.tolist()

    def _observations(self) -> tuple[list[int], list[float]]:
        """Return all observations, or half of the limit each of the best and of the latest ones."""
        size, half = len(self._rows), _MOST_OBSERVATIONS // 2
        if size <= _MOST_OBSERVATIONS:
            return list(self._rows), list(self._costs)
        kept = sorted({*np.argsort(self._costs, kind="stable")[:half].tolist(), *range(size - half, size)})
        return [self._rows[k] for k in kept], [self._costs[k] for k in kept]

    def _process(self, rows: list[int], costs: list[float], is_fitted: bool) -> Any:
        """Return a Gaussian process of the costs; its kernel is fitted again from time to time."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

        size = np.sqrt(self.embeddings.shape[1])
        fresh = ConstantKernel(1.0, (1e-2, 1e2)) * Matern(size, (0.1, 1e3), nu=2.5) + WhiteKernel(0.1, (1e-4, 10.0))
        refit = self._kernel is None or not is_fitted
        process = GaussianProcessRegressor(
            fresh if self._kernel is None else self._kernel,
            alpha=1e-8,
            optimizer="fmin_l_bfgs_b" if refit else None,
            normalize_y=True,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # a parameter of the kernel at its bound
            process.fit(self.embeddings[rows], np.asarray(costs))
        if refit:
            self._kernel, self._fitted = process.kernel_, len(self._rows)
        return process


def _expected_improvement(mean: Any, deviation: Any, best: float) -> Any:
    """Return how far below ``best`` normal random numbers are on average, those above counted as 0."""
    deviation = np.maximum(deviation, 1e-12)
    scores = (best - mean) / deviation
    return deviation * (scores * ndtr(scores) + np.exp(-0.5 * scores**2) / np.sqrt(2 * np.pi))
