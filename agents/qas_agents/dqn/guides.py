"""Guides: objects that choose some of an agent's actions while it trains."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from qas_agents.callbacks import CallbackObject

if TYPE_CHECKING:
    from qas_agents.dqn.agent import MaskedDQN

Report = Callable[[dict[str, Any]], bool]
"""Takes the info of a circuit tried outside the episodes; returns whether training continues."""


class Guide(Protocol):
    """Suggests actions to the training loop, which calls its methods in the order below.

    A guide draws from the agent's generator, so that one seed decides everything, and reports the circuits that it
    tries outside the episodes, because they count as training steps.
    """

    def before_training(self, rng: np.random.Generator, report: Report) -> None:
        """Prepare, for example by a search, before the first episode of a training."""
        ...

    def begin_episode(self, agent: MaskedDQN) -> None:
        """Prepare an episode that has just begun; where it begins another task, the agent may have to start again."""
        ...

    def next_action(self, observation: NDArray[np.float32], mask: NDArray[Any], rng: np.random.Generator) -> int | None:
        """Return the action to take, legal under ``mask``, or ``None`` to leave the choice to the agent."""
        ...

    def further_loss(self, network: nn.Module, size: int, rng: np.random.Generator) -> Tensor | None:
        """Return a scalar to add to the loss of a gradient step on ``size`` transitions, or ``None``."""
        ...

    def record_reward(self, reward: float) -> None:
        """Record the reward of a step."""
        ...

    def record_episode(self) -> None:
        """Record the episode that has just ended, while the environment still holds its circuit."""
        ...

    def end_episode(self, success: bool, rng: np.random.Generator, report: Report) -> None:
        """Evaluate the recorded episode and prepare the next one; the environment may be used for it."""
        ...

    def figures(self) -> dict[str, int]:
        """Return counters by name, for the metrics of every episode."""
        ...

    def settings(self) -> dict[str, Any]:
        """Return the settings, which policy files record."""
        ...

    def state(self) -> dict[str, Any]:
        """Return everything that a checkpoint needs, for JSON."""
        ...

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays that a checkpoint needs besides the state, by name."""
        ...

    def check(self, state: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], num_actions: int) -> None:
        """Raise ``ValueError`` unless :meth:`state` and :meth:`arrays` returned these for this number of actions."""
        ...

    def restore(self, state: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Restore what :meth:`state` and :meth:`arrays` returned, after :meth:`check`."""
        ...


class TrialReporter:
    """Counts circuits that are tried outside episodes as steps of an agent, and calls its callback for each.

    Args:
        agent: Has ``num_timesteps``; passed to the callback as ``self``.
        listener: The callback.
        running: Whether training continues so far.
        end: Number of steps at which training ends.

    Attributes:
        running: Whether training continues.
    """

    def __init__(self, agent: Any, listener: CallbackObject, running: bool = True, end: float = float("inf")) -> None:
        self._agent, self._listener, self._end = agent, listener, end
        self.running = running

    def __call__(self, info: dict[str, Any]) -> bool:
        """Report one circuit; return whether training continues."""
        self._agent.num_timesteps += 1
        trial = {"infos": [info], "rewards": np.zeros(1), "dones": np.zeros(1, dtype=np.bool_)}
        self._listener.update_locals({"self": self._agent, **trial})
        self.running = self._listener.on_step() and self.running and self._agent.num_timesteps < self._end
        return self.running
