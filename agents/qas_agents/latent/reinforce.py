"""LatentREINFORCE: a recurrent policy that moves through embeddings of circuits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from qas_agents.latent.pool import LatentSearcher
from qas_simulators.errors import must

_BASELINE: Final = 0.9  # share of the moving mean that is kept with every update


class _Policy(nn.Module):
    """Mean of the next embedding from the last one, and the deviation of its normal distribution."""

    def __init__(self, latent: int, hidden: int) -> None:
        super().__init__()
        self.cell = nn.LSTMCell(latent, hidden)
        self.mean = nn.Linear(hidden, latent)
        self.log_deviation = nn.Parameter(torch.full((latent,), -0.5))


class LatentREINFORCE(LatentSearcher):
    """A recurrent policy draws an embedding; the nearest circuit that has not been played is played.

    The reward is minus the cost of :class:`~qas_agents.searchers.whole_circuits.Prices`: a tenth per CNOT, and 3 plus
    the decades of the error over the threshold for a circuit that is no solution. A moving mean is the baseline.

    Args:
        env: An environment with a ``player`` of whole circuits, possibly under wrappers.
        seed: Seeds everything.
        pool: Number of distinct random skeletons; when all have been played, others are drawn.
        most_blocks: Largest number of blocks of a skeleton; 0 for three times the number of qubits.
        file: A file of :meth:`~qas_agents.latent.vgae.CircuitVGAE.save`; without one, an autoencoder is trained on the
            first pool, which needs no energies.
        epochs: How often it is trained on every skeleton.
        together: Circuits of a gradient step.
        starts: Sets of random angles per circuit, of which the best one counts.
        hidden: Width of the policy.
        learning_rate: Of Adam.
        max_iterations: L-BFGS iterations of a circuit, which starts from random angles.
        entangler: See :class:`~qas_agents.searchers.blocks.Skeletons`.
        dressing: See :class:`~qas_agents.searchers.blocks.Skeletons`.

    Raises:
        TypeError: The environment does not play whole circuits.
        ValueError: A number out of range, a file that does not fit, or gates that do not make blocks.

    References:
        Sun et al., arXiv:2401.11576; Williams, "Simple statistical gradient-following algorithms" (1992).
    """

    def __init__(
        self,
        env: Any,
        seed: int | None = None,
        pool: int = 2000,
        most_blocks: int = 0,
        file: str | None = None,
        epochs: int = 20,
        together: int = 16,
        hidden: int = 64,
        learning_rate: float = 0.01,
        starts: int = 1,
        max_iterations: int = 200,
        entangler: str | None = None,
        dressing: Sequence[str] | None = None,
    ) -> None:
        if hidden < 1:
            raise ValueError(must("hidden", "be at least 1", hidden))
        if not learning_rate > 0:
            raise ValueError(must("learning_rate", "be positive", learning_rate))
        super().__init__(
            env, seed, pool, most_blocks, file, epochs, together, starts, max_iterations, entangler, dressing
        )
        self._hidden, self._learning_rate = hidden, learning_rate
        self._policy: _Policy | None = None
        self._baseline: float | None = None

    def _begin(self) -> _Policy:
        """Make the policy when the size of the embeddings is known."""
        latent = self.embeddings.shape[1]
        with torch.random.fork_rng(devices=[]):  # does not disturb the caller's generator
            torch.manual_seed(int(self._rng.integers(2**31)))
            self._policy = _Policy(latent, self._hidden)
        self._optimizer = torch.optim.Adam(self._policy.parameters(), lr=self._learning_rate)
        self._memory = torch.zeros(1, self._hidden), torch.zeros(1, self._hidden)
        self._last = torch.zeros(1, latent)
        return self._policy

    def _choose(self) -> list[int]:
        policy = self._begin() if self._policy is None else self._policy
        rows: list[int] = []
        free = ~self._is_played
        self._log_probabilities: dict[int, torch.Tensor] = {}
        memory, last = tuple(part.detach() for part in self._memory), self._last
        for _ in range(min(self._together, int(free.sum()))):
            memory = policy.cell(last, memory)
            around = torch.distributions.Normal(policy.mean(memory[0]), policy.log_deviation.exp())
            noise = torch.from_numpy(self._rng.normal(size=(1, last.shape[1]))).float()
            drawn = (around.mean + noise * around.stddev).detach()
            distances = np.where(free, ((self.embeddings - drawn.numpy()) ** 2).sum(axis=1), np.inf)
            row = int(distances.argmin())
            free[row] = False
            rows.append(row)
            self._log_probabilities[row] = around.log_prob(drawn).sum()  # type: ignore[no-untyped-call]
            last = torch.from_numpy(self.embeddings[row : row + 1]).float()
        self._memory, self._last = (memory[0].detach(), memory[1].detach()), last
        return rows

    def _learn(self, rows: list[int], costs: NDArray[np.float64]) -> None:
        rewards = -costs
        self._baseline = float(rewards.mean()) if self._baseline is None else self._baseline
        advantages = (rewards - self._baseline) / max(float(rewards.std()), 0.1)
        self._baseline = _BASELINE * self._baseline + (1 - _BASELINE) * float(rewards.mean())
        terms = [float(one) * self._log_probabilities[row] for row, one in zip(rows, advantages, strict=True)]
        loss = -torch.stack(terms).mean()
        self._optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimizer.step()
