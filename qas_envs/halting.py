"""Random halting: episodes are cut at random lengths, so that agents learn short circuits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from qas_envs.components import is_number, is_whole
from qas_simulators.errors import must

_MOST: Final = 1_000_000  # of steps, successes, draws, and of one over the probability of a success


class Halting(Protocol):
    """Draws the step at which an episode is cut."""

    def sample(self, rng: np.random.Generator) -> int | None:
        """Return the 0-based index of the episode's last action, or ``None`` for no cut."""
        ...


@dataclass(frozen=True)
class NoHalting:
    """Episodes end by success or by the gate budget only."""

    def sample(self, rng: np.random.Generator) -> int | None:
        """See :class:`Halting`."""
        return None


@dataclass(frozen=True)
class NegativeBinomialHalting:
    """CRLQAS: the number of failures before ``n`` successes of probability ``p``, clipped to ``[low, high]``.

    Attributes:
        n: Number of successes.
        p: Probability of a success.
        low: Earliest step.
        high: Latest step.
        draws: The most frequent result of this number of draws is used (100 in the released noisy code); of equally
            frequent results, the first one drawn.
        terminates: Halted episodes are terminated, so that agents do not bootstrap there, as in the released code. By
            default they are truncated: halting does not depend on the state, so the target of the last step keeps its
            bootstrapped value.

    References:
        Patel et al., arXiv:2402.03500. Noiseless code: NegBin(70, 0.573) on [25, 70]; noisy: mode of 100 of
        NegBin(40, 0.6) on [0, 40].
    """

    n: int = 70
    p: float = 0.573
    low: int = 25
    high: int = 70
    draws: int = 1
    terminates: bool = False

    def __post_init__(self) -> None:
        for name in ("n", "draws"):
            if not is_whole(getattr(self, name), 1, _MOST):
                raise ValueError(must(name, f"be an integer from 1 to {_MOST}", getattr(self, name)))
        if not is_number(self.p) or not 1 / _MOST <= self.p <= 1:
            raise ValueError(must("p", f"lie in [{1 / _MOST:g}, 1]", self.p))
        if not is_whole(self.high, 0, _MOST):
            raise ValueError(must("high", f"be an integer from 0 to {_MOST}", self.high))
        if not is_whole(self.low, 0, self.high):
            raise ValueError(must("low", f"be an integer in 0..{self.high}", self.low))

    def sample(self, rng: np.random.Generator) -> int | None:
        """See :class:`Halting`."""
        steps = np.clip(rng.negative_binomial(self.n, self.p, self.draws), self.low, self.high)
        _, numbers, counts = np.unique(steps, return_inverse=True, return_counts=True)
        return int(steps[counts[numbers].argmax()])

    def sample_each(self, rng: np.random.Generator, size: int) -> NDArray[np.int64]:
        """Draw for ``size`` episodes from one generator, ``(size,)``."""
        if self.draws == 1:
            return np.clip(rng.negative_binomial(self.n, self.p, size), self.low, self.high)
        return np.array([self.sample(rng) for _ in range(size)], dtype=np.int64)


HALTINGS: Final = {"none": NoHalting, "negative_binomial": NegativeBinomialHalting}
