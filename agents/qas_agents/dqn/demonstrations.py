"""Demonstrations: successes of a search and of the agent itself, pruned, shown to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qas_agents.searchers.annealing import SimulatedAnnealing
from qas_agents.searchers.pruning import Angles, prune, workbench
from qas_simulators.errors import must

Hear = Callable[[dict[str, Any]], bool]

_PAUSE = 100  # circuits of the search between two that are pruned after it; what is better than all before is at once


class Demonstrations:
    """Prunes successful circuits, keeps the shortest, and leads new episodes along them.

    A pruned circuit leads one whole episode: gate by gate its angles are optimised on another way, so it need not be a
    success there; if it is, it is kept. Of those kept, each episode follows one for a random number of its gates, with
    probability ``share``, and goes on freely.

    Args:
        env: With a ``player`` of whole circuits, under its wrappers.
        capacity: How many are kept: those with the fewest two-qubit gates, then gates.
        share: See above.

    Raises:
        TypeError: The environment does not serve whole circuits.
    """

    def __init__(self, env: Any, capacity: int, share: float) -> None:
        self._env, self._bench = env, workbench(env)
        self._capacity, self._share = capacity, share
        self.kept: list[list[int]] = []
        self._waiting: list[list[int]] = []  # pruned, to be played gate by gate, the best last
        self._lead: list[int] = []  # what is left for this episode to follow
        self._ended: tuple[list[int], list[Angles]] = [], []  # the last episode

    def search(
        self, steps: int, rng: np.random.Generator, hear: Hear, settings: Mapping[str, Any] | None = None
    ) -> None:
        """Collect successes of simulated annealing.

        Args:
            steps: Circuits to try, those of the pruning not counted.
            rng: Of the agent.
            hear: Told the info of every circuit tried; on False the search ends.
            settings: Of the annealing.
        """
        best, tried, last, goes_on = (np.inf, np.inf), 0, -_PAUSE, True
        seen: list[tuple[list[int], list[Angles]]] = []
        found: dict[tuple[int, ...], None] = {}

        def note(info: dict[str, Any]) -> bool:
            nonlocal goes_on
            goes_on = hear(info) and goes_on
            return goes_on

        def consider(locals_: dict[str, Any], _globals: dict[str, Any]) -> bool:
            nonlocal best, tried, last
            info, circuit = locals_["infos"][0], (self._bench.actions, self._bench.angles)
            tried += 1
            if not note(info) or not info["success"]:
                return goes_on
            if self._cost(circuit[0]) < best:
                pruned = self._pruned(*circuit, rng, note)
                found[tuple(pruned)] = None
                best = self._cost(pruned)
            elif tried - last >= _PAUSE:
                seen.append(circuit)
                last = tried
            return goes_on

        SimulatedAnnealing(self._env, int(rng.integers(2**31)), **(settings or {})).learn(steps, consider)
        for circuit in seen:
            if not goes_on:
                break
            found[tuple(self._pruned(*circuit, rng, note))] = None
        self._waiting = sorted((list(actions) for actions in found), key=self._cost, reverse=True)
        self._choose(rng)

    def next_action(self, mask: NDArray[Any]) -> int | None:
        """Return the action to follow, if there is a legal one."""
        if not self._lead:
            return None
        action = self._lead.pop(0)
        if not mask[action]:
            self._lead.clear()
            return None
        return action

    def take_episode(self) -> None:
        """Look at the episode that has just ended, while the environment still shows it."""
        self._ended = self._bench.actions, self._bench.angles

    def end_episode(self, success: bool, rng: np.random.Generator, hear: Hear) -> None:
        """Keep or prune the episode that was taken, choose what the next one follows.

        Args:
            success: Whether it was one.
            rng: Of the agent.
            hear: Told the info of every circuit tried.
        """
        actions, angles = self._ended
        is_shown = bool(self._waiting) and actions == self._waiting[-1][: len(actions)]
        if self._waiting:
            self._waiting.pop()
        if is_shown or actions in self.kept:
            self._judge(actions, success)
        elif success:
            pruned = self._pruned(actions, angles, rng, hear)
            if pruned not in self.kept:
                self._waiting.append(pruned)
        self._choose(rng)

    def _choose(self, rng: np.random.Generator) -> None:
        """Choose what the next episode follows."""
        if self._waiting:
            self._lead = list(self._waiting[-1])
        elif self.kept and rng.random() < self._share:
            chosen = self.kept[rng.integers(len(self.kept))]
            self._lead = chosen[: rng.integers(len(chosen) + 1)]
        else:
            self._lead = []

    def _pruned(self, actions: list[int], angles: list[Angles], rng: np.random.Generator, hear: Hear) -> list[int]:
        return prune(self._bench, actions, angles, rng, hear, self._bench.catalogue.num_two_qubit_gates.__getitem__)

    def _judge(self, actions: list[int], success: bool) -> None:
        if actions in self.kept:
            self.kept.remove(actions)
        if success:
            self.kept.append(actions)
            self.kept.sort(key=self._cost)
            del self.kept[self._capacity :]

    def _cost(self, actions: list[int]) -> tuple[int, int]:
        catalogue = self._bench.catalogue
        pairs = sum(catalogue.num_two_qubit_gates[action] for action in actions)
        return pairs, sum(catalogue.num_gates[action] for action in actions)

    def state(self) -> dict[str, Any]:
        """Return everything, for JSON."""
        return {"kept": self.kept, "waiting": self._waiting, "lead": self._lead}

    def check(self, state: Mapping[str, Any], num_actions: int) -> None:
        """Raise ``ValueError`` unless ``state`` is one that :meth:`state` returns for this number of actions."""
        if set(state) != {"kept", "waiting", "lead"}:
            raise ValueError(must("demonstrations", "hold kept, waiting and lead", sorted(state)))
        for actions in (*state["kept"], *state["waiting"], state["lead"]):
            if not all(type(action) is int and 0 <= action < num_actions for action in actions):
                raise ValueError(must("demonstrations", f"be lists of actions in 0..{num_actions - 1}", actions))

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where :meth:`state` was taken."""
        self.kept, self._waiting = ([list(actions) for actions in state[name]] for name in ("kept", "waiting"))
        self._lead = list(state["lead"])
