"""Demonstrations: a guide that leads episodes along pruned successful circuits."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from inspect import signature
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from qas_agents.dqn.guides import Report
from qas_agents.searchers.annealing import SimulatedAnnealing
from qas_agents.searchers.annealing_blocks import BlockAnnealing
from qas_agents.searchers.pruning import Angles, prune, prune_many, workbench
from qas_agents.settings import check_names
from qas_simulators.errors import must

_NOT_SETTINGS = ("env", "seed")  # arguments of searches
_PAUSE = 100  # circuits between two successes that are kept for pruning; improvements are pruned at once
_Circuit = tuple[list[int], list[Angles], Angles]  # actions, their angles, those of the initial circuit


@dataclass(frozen=True)
class DemonstrationsConfig:
    """Settings of :class:`Demonstrations`.

    Attributes:
        demonstrations: Number of pruned successful circuits that are kept to lead the agent; 0 for none.
        demonstration_share: Share of the episodes that follow a demonstration for a random number of gates.
        search_steps: Circuits of a search before the first episode, whose successes lead first: annealing
            over blocks where actions are blocks, otherwise over single gates.
        search: Arguments of the search that differ from its defaults.
    """

    demonstrations: int = 16
    demonstration_share: float = 0.25
    search_steps: int = 0
    search: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("demonstrations", "search_steps"):
            if getattr(self, name) < 0:
                raise ValueError(must(name, "not be negative", getattr(self, name)))
        if not 0 <= self.demonstration_share <= 1:
            raise ValueError(must("demonstration_share", "lie in [0, 1]", self.demonstration_share))
        if self.search_steps > 0 and self.demonstrations == 0:
            raise ValueError(must("demonstrations", "be positive where search_steps are", self.demonstrations))
        of_blocks = {name: value for name, value in self.search.items() if name in signature(BlockAnnealing).parameters}
        if len(of_blocks) < len(self.search) or not {*_NOT_SETTINGS}.isdisjoint(self.search):
            check_names("the search", SimulatedAnnealing, self.search, _NOT_SETTINGS)


class Demonstrations:
    """A :class:`Guide` that prunes successful circuits, keeps the shortest, and leads episodes along them.

    A pruned circuit leads one whole episode. Built gate by gate, with the angles optimised after every gate, it may end
    in another minimum and fail; if it succeeds, it is kept. Every later episode follows one of the kept circuits with
    probability ``demonstration_share``, for a random number of its gates, and is free after that.

    Args:
        env: An environment with a ``player`` of whole circuits, possibly under wrappers.
        config: Settings.
        circuits: Actions of circuits that lead the first episodes, such as solutions of a similar instance.

    Raises:
        TypeError: The environment does not play whole circuits.
        ValueError: A setting that the search of this environment does not have, or a circuit that is not legal.

    Attributes:
        kept: Actions of each circuit that leads episodes, shortest first.
        replayed: Number of pruned circuits that were built gate by gate, or block by block.
        survived: Number of them that solved the problem then.
    """

    def __init__(
        self, env: Any, config: DemonstrationsConfig | None = None, circuits: Sequence[Sequence[int]] = ()
    ) -> None:
        self._env, self._bench = env, workbench(env)
        self._config = config if config is not None else DemonstrationsConfig()
        self._search = BlockAnnealing if self._bench.catalogue.has_blocks else SimulatedAnnealing
        owner = "the search over blocks" if self._bench.catalogue.has_blocks else "the search over gates"
        check_names(owner, self._search, self._config.search, _NOT_SETTINGS)
        self.replayed = self.survived = 0
        self.kept: list[list[int]] = []
        for actions in circuits:
            if not self._bench.checked(actions):
                raise ValueError(must("circuits", "hold legal actions of the environment", list(actions)))
        # to be played gate by gate, the best last
        self._waiting: list[list[int]] = sorted(map(list, circuits), key=self._cost, reverse=True)
        self._lead: list[int] = list(self._waiting[-1]) if self._waiting else []  # what this episode has yet to follow
        self._ended: _Circuit = [], [], ()  # of the last episode

    def before_training(self, rng: np.random.Generator, report: Report) -> None:
        """Collect and prune successes of the search, if the settings ask for one."""
        if self._config.search_steps == 0:
            return
        best, tried, last, running = (np.inf, np.inf), 0, -_PAUSE, True
        seen: list[_Circuit] = []
        found: dict[tuple[int, ...], None] = {}

        def note(info: dict[str, Any]) -> bool:
            nonlocal running
            running = report(info) and running
            return running

        def consider(locals_: dict[str, Any], _globals: dict[str, Any]) -> bool:
            nonlocal best, tried, last
            info, circuit = locals_["infos"][0], self._held()
            tried += 1
            if not note(info) or not info["success"]:
                return running
            if self._cost(circuit[0]) < best:
                pruned = self._pruned(*circuit, rng, note)
                found[tuple(pruned)] = None
                best = self._cost(pruned)
            elif tried - last >= _PAUSE:
                seen.append(circuit)
                last = tried
            return running

        search = self._search(self._env, int(rng.integers(2**31)), **self._config.search)
        search.learn(self._config.search_steps, consider)
        # Pruning costs many trials, so that most successes wait for it until the search has ended.
        if running:
            pruned_circuits = prune_many(
                self._bench, seen, rng, note, self._bench.catalogue.num_two_qubit_gates.__getitem__
            )
            found |= dict.fromkeys(map(tuple, pruned_circuits))
        every = dict.fromkeys(map(tuple, self._waiting)) | found
        self._waiting = sorted(map(list, every), key=self._cost, reverse=True)
        self._choose(rng)

    def begin_episode(self, agent: Any) -> None:
        """Nothing to do: what the episode follows was chosen at the end of the last one."""

    def next_action(self, observation: NDArray[np.float32], mask: NDArray[Any], rng: np.random.Generator) -> int | None:
        """Return the next action of the demonstration that the episode follows, if it is legal."""
        if not self._lead:
            return None
        action = self._lead.pop(0)
        if not mask[action]:
            self._lead.clear()
            return None
        return action

    def further_loss(self, network: nn.Module, size: int, rng: np.random.Generator) -> Tensor | None:
        """Return nothing: the loss is that of double Q-learning."""
        return None

    def record_reward(self, reward: float) -> None:
        """Nothing to do: circuits are judged by their success."""

    def record_episode(self) -> None:
        """Record the episode that has just ended, while the environment still holds its circuit."""
        self._ended = self._held()

    def end_episode(self, success: bool, rng: np.random.Generator, report: Report) -> None:
        """Keep or prune the recorded circuit; choose what the next episode follows.

        Args:
            success: Whether the recorded circuit solves the problem.
            rng: The agent's random generator.
            report: Called with the info of every circuit tried.
        """
        actions = self._ended[0]
        is_shown = bool(self._waiting) and actions == self._waiting[-1][: len(actions)]
        if self._waiting:
            self._waiting.pop()
            self.replayed += 1
            self.survived += is_shown and success
        if is_shown or actions in self.kept:
            self._keep_if(success, actions)
        elif success:
            pruned = self._pruned(*self._ended, rng, report)
            if pruned not in self.kept:
                self._waiting.append(pruned)
        self._choose(rng)

    def _choose(self, rng: np.random.Generator) -> None:
        """Choose what the next episode follows."""
        if self._waiting:  # not known yet to succeed gate by gate: followed to its end
            self._lead = list(self._waiting[-1])
        elif self.kept and rng.random() < self._config.demonstration_share:
            chosen = self.kept[rng.integers(len(self.kept))]
            self._lead = chosen[: rng.integers(len(chosen) + 1)]
        else:
            self._lead = []

    def _held(self) -> _Circuit:
        """Return the circuit that the environment holds."""
        return self._bench.actions, self._bench.angles, self._bench.initial_angles

    def _pruned(
        self, actions: list[int], angles: list[Angles], initial: Angles, rng: np.random.Generator, report: Report
    ) -> list[int]:
        cost = self._bench.catalogue.num_two_qubit_gates.__getitem__
        return prune(self._bench, actions, angles, rng, report, cost, initial)

    def _keep_if(self, success: bool, actions: list[int]) -> None:
        """Keep a demonstration that succeeded gate by gate, among the shortest; drop one that failed."""
        if actions in self.kept:
            self.kept.remove(actions)
        if success:
            self.kept.append(actions)
            self.kept.sort(key=self._cost)
            del self.kept[self._config.demonstrations :]

    def _cost(self, actions: list[int]) -> tuple[int, int]:
        catalogue = self._bench.catalogue
        pairs = sum(catalogue.num_two_qubit_gates[action] for action in actions)
        return pairs, sum(catalogue.num_gates[action] for action in actions)

    def figures(self) -> dict[str, int]:
        """Return how many pruned circuits were replayed so far, and how many of them survived."""
        return {"replayed": self.replayed, "survived": self.survived}

    def settings(self) -> dict[str, Any]:
        """Return the settings by name."""
        return dataclasses.asdict(self._config)

    def state(self) -> dict[str, Any]:
        """Return all circuits, for JSON."""
        return {"kept": self.kept, "waiting": self._waiting, "lead": self._lead, **self.figures()}

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return nothing: circuits are lists of actions."""
        return {}

    def check(self, state: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]], num_actions: int) -> None:
        """Raise ``ValueError`` unless ``state`` was returned by :meth:`state` for this number of actions."""
        if arrays:
            raise ValueError(must("arrays", "be empty for demonstrations", sorted(arrays)))
        if set(state) - {*self.figures()} != {"kept", "waiting", "lead"}:  # older checkpoints have no figures
            raise ValueError(must("demonstrations", "hold kept, waiting and lead", sorted(state)))
        for name in self.figures():
            if type(state.get(name, 0)) is not int or state.get(name, 0) < 0:
                raise ValueError(must(name, "be a number of circuits", state[name]))
        for actions in (*state["kept"], *state["waiting"], state["lead"]):
            if not all(type(action) is int and 0 <= action < num_actions for action in actions):
                raise ValueError(must("demonstrations", f"be lists of actions in 0..{num_actions - 1}", actions))

    def restore(self, state: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> None:
        """Restore what :meth:`state` returned, after :meth:`check`."""
        self.kept, self._waiting = ([list(actions) for actions in state[name]] for name in ("kept", "waiting"))
        self._lead = list(state["lead"])
        self.replayed, self.survived = state.get("replayed", 0), state.get("survived", 0)
