"""Demonstrations: the agent's own successes, pruned, shown to it again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qas_agents.searchers.pruning import prune, workbench


class Demonstrations:
    """Prunes successful episodes, keeps the shortest results, and leads new episodes along them.

    A pruned circuit leads one whole episode: gate by gate its angles are optimised on another way, so it need not be a
    success there; if it is, it is kept. Of those kept, each episode follows one for a random number of its gates, with
    probability ``share``, and goes on freely.

    Args:
        env: With ``play``, ``is_legal`` and ``angles``, under its wrappers.
        capacity: How many are kept: those with the fewest two-qubit gates, then gates.
        share: See above.

    Raises:
        TypeError: The environment does not serve whole circuits.
    """

    def __init__(self, env: Any, capacity: int, share: float) -> None:
        self._bench = workbench(env)
        self._capacity, self._share = capacity, share
        self.kept: list[list[int]] = []
        self._waiting: list[int] | None = None  # pruned, not yet played gate by gate
        self._lead: list[int] = []  # what is left for this episode to follow

    def next_action(self, mask: NDArray[Any]) -> int | None:
        """Return the action to follow, if there is a legal one."""
        if not self._lead:
            return None
        action = self._lead.pop(0)
        if not mask[action]:
            self._lead.clear()
            return None
        return action

    def end_episode(self, success: bool, rng: np.random.Generator, hear: Callable[[dict[str, Any]], None]) -> None:
        """Keep or prune the episode that has just ended, choose what the next one follows.

        Args:
            success: Whether it was one.
            rng: Of the agent.
            hear: Told the info of every circuit tried.
        """
        actions = self._bench.actions
        if actions == self._waiting or actions in self.kept:
            self._judge(actions, success)
            self._waiting = None
        elif success:
            is_two_qubit = self._bench.catalogue.is_two_qubit
            self._waiting = prune(self._bench, actions, self._bench.angles, rng, hear, is_two_qubit.__getitem__)
            if self._waiting in self.kept:
                self._waiting = None
        if self._waiting is not None:
            self._lead = list(self._waiting)
        elif self.kept and rng.random() < self._share:
            chosen = self.kept[rng.integers(len(self.kept))]
            self._lead = chosen[: rng.integers(len(chosen) + 1)]
        else:
            self._lead = []

    def _judge(self, actions: list[int], success: bool) -> None:
        if actions in self.kept:
            self.kept.remove(actions)
        if success:
            self.kept.append(actions)
            self.kept.sort(key=self._cost)
            del self.kept[self._capacity :]

    def _cost(self, actions: list[int]) -> tuple[int, int]:
        return sum(self._bench.catalogue.is_two_qubit[action] for action in actions), len(actions)

    def state(self) -> dict[str, Any]:
        """Return everything, for JSON."""
        return {"kept": self.kept, "waiting": self._waiting, "lead": self._lead}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where :meth:`state` was taken."""
        self.kept = [list(actions) for actions in state["kept"]]
        self._waiting = None if state["waiting"] is None else list(state["waiting"])
        self._lead = list(state["lead"])
