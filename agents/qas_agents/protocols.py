"""Protocols for the parts of an agent that commands use, checked at run time by ``isinstance``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol, Self, runtime_checkable

from numpy.typing import NDArray


@runtime_checkable
class Agent(Protocol):
    """An agent that can be trained, or a search."""

    def learn(self, total_timesteps: int, callback: Any = None) -> Any:
        """Train for a number of steps, or until the callback returns False."""
        ...


@runtime_checkable
class Policy(Protocol):
    """A trained agent as a file: it can be saved, loaded and evaluated."""

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = False,
        action_masks: NDArray[Any] | None = None,
    ) -> tuple[Any, Any]:
        """Return the action for an observation, and the state."""
        ...

    def save(self, path: str) -> None:
        """Write the policy to a file."""
        ...

    @classmethod
    def load(cls, path: str, env: Any) -> Self:
        """Read a policy for an environment of the same spaces."""
        ...


@runtime_checkable
class Reseedable(Protocol):
    """A policy whose exploration can be seeded."""

    def reseed(self, seed: int, epsilon: float) -> None:
        """Replace the random generator and the share of random actions."""
        ...


class NoTransitions:
    """The attribute ``replay`` of an agent that keeps no transitions."""

    count: Final = 0
    capacity: Final = 0


@runtime_checkable
class Resumable(Protocol):
    """An agent whose training continues from a checkpoint.

    It also has an attribute ``replay``, a :class:`ReplayBuffer` or :class:`NoTransitions`, and ``learn`` has a
    parameter ``after_step``, a function that is called at the end of every step.
    """

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return arrays, and numbers for JSON."""
        ...

    def check(self, arrays: Mapping[str, NDArray[Any]], numbers: Mapping[str, Any], count: int) -> None:
        """Raise ``ValueError`` unless a state can be restored."""
        ...

    def restore(self, arrays: Mapping[str, NDArray[Any]], numbers: Mapping[str, Any]) -> None:
        """Restore what :meth:`state` returned."""
        ...


@runtime_checkable
class ForeignResumable(Protocol):
    """An agent of another library that writes its training to files of its own, which may run code when read."""

    def save_training(self, folder: Path) -> list[str]:
        """Write the state of the training to files in a folder; return their names."""
        ...

    def load_training(self, folder: Path) -> None:
        """Read what :meth:`save_training` wrote; ``learn`` then continues with a new episode."""
        ...
