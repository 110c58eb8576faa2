"""Common parts of the searchers over whole circuits: cost of a circuit, mutations, and trials."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from qas_agents.callbacks import Callback, CallbackObject, as_callback
from qas_agents.searchers.pruning import Angles, Workbench, workbench
from qas_simulators.errors import must

_MOST_REFUSALS = 100_000  # illegal ansätze in a row before a search fails


@dataclass(frozen=True)
class Ansatz:
    """A circuit as actions and their angles.

    Attributes:
        actions: Numbers of the environment's catalogue.
        angles: A tuple for every action.
        initial: Angles of the environment's initial circuit; ``None`` for its own.
    """

    actions: tuple[int, ...] = ()
    angles: tuple[Angles, ...] = ()
    initial: Angles | None = None


@dataclass(frozen=True)
class Prices:
    """Prices that make up the cost of a circuit.

    The cost is the sum over its gates. A circuit that does not solve the problem also costs ``unsolved`` and the
    decimal logarithm of its error over the threshold.

    Attributes:
        two_qubit: Price of a two-qubit gate.
        one_qubit: Price of any other gate.
        unsolved: Price of a circuit that does not solve the problem.

    Raises:
        ValueError: A negative price.
    """

    two_qubit: float = 0.1
    one_qubit: float = 0.01
    unsolved: float = 3.0

    def __post_init__(self) -> None:
        for name in ("two_qubit", "one_qubit", "unsolved"):
            if not getattr(self, name) >= 0:
                raise ValueError(must(name, "not be negative", getattr(self, name)))

    def cost(self, info: dict[str, Any]) -> float:
        """Return the cost of the circuit that an environment's info describes."""
        pairs, gates = int(info["num_two_qubit_gates"]), int(info["num_gates"])
        cost = self.two_qubit * pairs + self.one_qubit * (gates - pairs)
        if not info["success"]:
            cost += self.unsolved + math.log10(max(1.0, abs(info["energy_error"]) / info["threshold"]))
        return float(cost)


class Mutations:
    """Random ansätze and random mutations of them.

    Args:
        bench: Defines the actions and which of them are legal.
        rng: Source of randomness.
        start_gates: Actions drawn for a random ansatz; illegal ones are left out.
    """

    def __init__(self, bench: Workbench, rng: np.random.Generator, start_gates: int) -> None:
        if start_gates < 1:
            raise ValueError(must("start_gates", "be at least 1", start_gates))
        self._bench, self._rng, self._start_gates = bench, rng, start_gates

    def random(self) -> Ansatz:
        """Return a legal random ansatz."""
        actions: list[int] = []
        for _ in range(self._start_gates):
            actions.append(self._action())
            if self._bench.checked(actions) is None:
                actions.pop()
        return Ansatz(tuple(actions), tuple(self._angles(action) for action in actions))

    def mutated(self, ansatz: Ansatz) -> Ansatz:
        """Insert, delete or replace a random action, or exchange two; the result may be illegal."""
        actions, angles = list(ansatz.actions), list(ansatz.angles)
        kind = self._rng.integers(4)
        k = int(self._rng.integers(len(actions) + (kind == 0))) if actions or kind == 0 else 0
        if kind == 0 or not actions:
            action = self._action()
            actions.insert(k, action)
            angles.insert(k, self._angles(action))
        elif kind == 1:
            del actions[k], angles[k]
        elif kind == 2:
            actions[k] = self._action()
            angles[k] = self._angles(actions[k])
        elif k > 0:
            actions[k - 1], actions[k] = actions[k], actions[k - 1]
            angles[k - 1], angles[k] = angles[k], angles[k - 1]
        return Ansatz(tuple(actions), tuple(angles), ansatz.initial)

    def crossed(self, first: Ansatz, second: Ansatz) -> Ansatz:
        """Join the beginning of one ansatz and the end of another; the result may be illegal."""
        head = int(self._rng.integers(len(first.actions) + 1))
        tail = int(self._rng.integers(len(second.actions) + 1))
        actions, angles = first.actions[:head] + second.actions[tail:], first.angles[:head] + second.angles[tail:]
        return Ansatz(actions, angles, first.initial)

    def _action(self) -> int:
        return int(self._rng.integers(len(self._bench.catalogue.actions)))

    def _angles(self, action: int) -> Angles:
        return tuple(self._rng.uniform(-np.pi, np.pi, self._bench.catalogue.num_angles[action]).tolist())


class Trials:
    """Plays ansätze, counts them as steps of the searcher, and calls the callback after each.

    Args:
        searcher: Has ``num_timesteps``; passed to the callback as ``self``.
        bench: Plays the ansätze.
        total: Largest number of ansätze.
        listener: The callback.
    """

    def __init__(self, searcher: Any, bench: Workbench, total: int, listener: CallbackObject) -> None:
        self._searcher, self._bench, self._listener = searcher, bench, listener
        self._end = searcher.num_timesteps + total
        self._continues, self._refused = True, 0

    @property
    def running(self) -> bool:
        """Whether another ansatz may be played."""
        return self._continues and self._searcher.num_timesteps < self._end

    def checked(self, ansatz: Ansatz) -> Ansatz | None:
        """Return an ansatz, ready to be played, or ``None`` if it is empty or illegal.

        Raises:
            RuntimeError: A large number of ansätze in a row were illegal.
        """
        actions = self._bench.checked(ansatz.actions)
        if actions:
            self._refused = 0
            return Ansatz(actions, ansatz.angles, ansatz.initial)
        self._refused += 1
        if self._refused > _MOST_REFUSALS:
            raise RuntimeError("No legal circuit was found: the gate budget or the mask leaves none.")
        return None

    def play(self, ansatz: Ansatz, is_last: bool = False, num_scanned: int = 0) -> tuple[Ansatz, dict[str, Any]]:
        """Play a legal ansatz; return it with optimised angles, and the environment's info.

        Args:
            ansatz: Actions and their initial angles.
            is_last: Whether the callback should count an episode as finished.
            num_scanned: Number of actions at the end whose angles are scanned before the optimisation.
        """
        _, info = self._bench.play(ansatz.actions, ansatz.angles, num_scanned, ansatz.initial)
        # Read before the callback, which may use the environment.
        optimised = Ansatz(ansatz.actions, tuple(self._bench.angles), self._bench.initial_angles)
        self.report(info, is_last)
        return optimised, info

    def report(self, info: dict[str, Any], is_last: bool = False) -> None:
        """Count a circuit that the environment holds, and call the callback."""
        self._searcher.num_timesteps += 1
        seen = {"self": self._searcher, "infos": [info], "rewards": [0.0], "dones": [is_last]}
        self._listener.update_locals(seen)
        self._continues = self._listener.on_step()


class WholeCircuitSearcher(ABC):
    """A searcher over whole circuits, with the interface of an agent.

    Args:
        env: An environment with a ``player`` of whole circuits, possibly under wrappers.
        seed: Seeds everything.

    Attributes:
        num_timesteps: Circuits tried.

    Raises:
        TypeError: The environment does not play whole circuits.
    """

    def __init__(self, env: Any, seed: int | None) -> None:
        self.env = env
        self.num_timesteps = 0
        self._bench = workbench(env)
        self._rng = np.random.default_rng(seed)

    def get_env(self) -> Any:
        """Return the environment."""
        return self.env

    def learn(
        self, total_timesteps: int, callback: Callback = None, log_interval: int = 0, progress_bar: bool = False
    ) -> Self:
        """Try ``total_timesteps`` circuits, or until the callback returns False."""
        listener = as_callback(callback)
        listener.init_callback(self)
        self.env.reset(seed=int(self._rng.integers(2**31)))
        listener.on_training_start({"self": self, "total_timesteps": total_timesteps}, {})
        self._search(Trials(self, self._bench, total_timesteps, listener))
        listener.on_training_end()
        return self

    @abstractmethod
    def _search(self, trials: Trials) -> None:
        """Play circuits while ``trials.running`` is true."""
