"""Adam-SPSA: random directions, two noisy energies each, Adam's moments; in one stage or several with growing shots."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qas_simulators.circuit import Circuit
from qas_simulators.errors import must
from qas_simulators.optimizers.optimizer import OptimizationResult
from qas_simulators.pauli import PauliSum
from qas_simulators.simulator import Simulator


@dataclass(frozen=True)
class AdamSPSA:
    """CRLQAS's optimiser for noisy energies, seeing the shot noise of the simulator.

    Iteration k moves by ``a / (k + 1)**alpha`` along Adam's direction for the estimate
    ``[f(x + c_k d) - f(x - c_k d)] / (2 c_k d)`` with ``c_k = c / (k + 1)**gamma``, ``d`` uniform in {-1, +1}, and
    ``beta1_k = beta1 / (k + 1)**decay``; the very first step is plain. After each step the energy is measured once more
    and the lowest measured point is returned, so an iteration costs three evaluations. Counters and moments continue
    over the stages.

    Attributes:
        a: Step size.
        alpha: Its decay.
        c: Perturbation in radians.
        gamma: Its decay.
        beta1: Adam's first-moment factor.
        beta2: Adam's second-moment factor.
        decay: Decay of ``beta1``.
        iterations: Of each stage.
        stage_shots: Shots per stage; ``None`` uses the simulator's throughout.

    References:
        Patel et al., arXiv:2402.03500, section on Adam-SPSA; defaults are its released 2-qubit setting. Deviations from
        the release: directions are drawn again in every call, and every energy carries the shot noise.
    """

    a: float = 1.4934
    alpha: float = 0.9931
    c: float = 0.0612
    gamma: float = 0.0253
    beta1: float = 0.8804
    beta2: float = 0.9979
    decay: float = 0.6104
    iterations: tuple[int, ...] = (100,)
    stage_shots: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        for name in ("a", "c"):
            if not getattr(self, name) > 0:
                raise ValueError(must(name, "be positive", getattr(self, name)))
        for name in ("beta1", "beta2"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(must(name, "lie in [0, 1)", getattr(self, name)))
        if not self.iterations or min(self.iterations) < 1:
            raise ValueError(must("iterations", "hold at least 1 iteration per stage", self.iterations))
        if self.stage_shots is not None and (
            len(self.stage_shots) != len(self.iterations) or min(self.stage_shots) < 1
        ):
            raise ValueError(must("stage_shots", f"hold {len(self.iterations)} positive numbers", self.stage_shots))

    def minimize(
        self, simulator: Simulator, circuit: Circuit, observable: PauliSum, num_new: int = 0
    ) -> OptimizationResult:
        """See :class:`~qas_simulators.optimizers.optimizer.Optimizer`; new angles get no treatment of their own."""
        observable, unit = observable.in_unit()
        measured, params = simulator.objective(circuit, observable), circuit.params
        if len(params) == 0:
            energy = float(measured.energies(params[None, :])[0])
            return OptimizationResult(unit * energy, params, simulator.runs_per_energy, 0)
        first, second = np.zeros_like(params), np.zeros_like(params)
        best_energy, best, evaluations, k = np.inf, params, 0, 0
        for stage, count in enumerate(self.iterations):
            shots = None if self.stage_shots is None else self.stage_shots[stage]
            energy = float(measured.energies(params[None, :], shots)[0])
            evaluations += 1
            best_energy, best = energy, params.copy()  # energies of another stage have another noise
            for _ in range(count):
                reach = self.c / (k + 1) ** self.gamma
                direction = simulator.rng.choice((-1.0, 1.0), len(params))
                up, down = measured.energies(params + reach * np.outer((1.0, -1.0), direction), shots)
                estimate = (up - down) / (2 * reach * direction)
                params = params - self._move(estimate, first, second, k)
                energy = float(measured.energies(params[None, :], shots)[0])
                evaluations += 3
                k += 1
                if energy < best_energy:
                    best_energy, best = energy, params.copy()
            params = best
        return OptimizationResult(unit * best_energy, best, simulator.runs_per_energy * evaluations, 0)

    def _move(self, estimate: np.ndarray, first: np.ndarray, second: np.ndarray, k: int) -> np.ndarray:
        """Return the step of iteration ``k`` and update the moments in place."""
        rate = self.a / (k + 1) ** self.alpha
        if k == 0:
            return np.asarray(rate * estimate)
        beta1 = self.beta1 / (k + 1) ** self.decay
        first[:] = beta1 * first + (1 - beta1) * estimate
        second[:] = self.beta2 * second + (1 - self.beta2) * estimate**2
        unbiased = first / (1 - beta1 ** (k + 1)), second / (1 - self.beta2 ** (k + 1))
        return np.asarray(rate * unbiased[0] / (np.sqrt(unbiased[1]) + 1e-8))
