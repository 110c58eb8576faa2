"""Pruning: remove the gates that a successful circuit does not need."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final, Protocol

import numpy as np

from qas_simulators import Circuit
from qas_simulators.arrays import NUMPY, ArrayLibrary

TOGETHER: Final = 16  # circuits in one call; more could exceed a limit of evaluations before the callback sees it
Angles = tuple[float, ...]


class Workbench(Protocol):
    """Plays whole circuits: the attribute ``player`` of an environment, such as ``CircuitBuildingEnv``."""

    catalogue: Any
    """The actions; ``num_gates``, ``num_two_qubit_gates`` and ``num_angles`` have an entry for each."""

    @property
    def actions(self) -> list[int]:
        """Actions of the episode so far."""
        ...

    @property
    def angles(self) -> list[Angles]:
        """Angles of each action of the episode so far."""
        ...

    def checked(self, actions: Sequence[int]) -> tuple[int, ...] | None:
        """Return the actions, which :meth:`play` need not check again, or ``None`` if they are not legal."""
        ...

    @property
    def circuit(self) -> Circuit:
        """The episode's circuit."""
        ...

    @property
    def initial_angles(self) -> Angles:
        """Angles of the initial circuit's gates."""
        ...

    def play(
        self,
        actions: Sequence[int],
        angles: Sequence[Angles] | None = None,
        num_scanned: int = 0,
        initial_angles: Angles | None = None,
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode with these actions, all angles optimised once; return observation and info.

        Angles of the last ``num_scanned`` actions are scanned first; without angles all are.
        """
        ...

    def play_many(
        self,
        circuits: Sequence[Sequence[int]],
        params: Sequence[Any] | None = None,
        *,
        starts: int | None = None,
        max_iterations: int | None = None,
        give_up_above: float | None = None,
        first_iterations: int = 10,
        num_threads: int = 1,
    ) -> Any:
        """Optimise many circuits together; see :class:`qas_envs.whole_circuits.CircuitPlayer`."""
        ...

    def drafts(self, size: int, length: int | None = None, library: ArrayLibrary = NUMPY) -> Any:
        """Return circuits to be drawn action by action; see :class:`qas_envs.drafts.Drafts`."""
        ...

    def state(self) -> dict[str, Any]:
        """Return the state of the environment, in numbers that JSON represents exactly."""
        ...

    def restore(self, state: Mapping[str, Any]) -> None:
        """Continue where :meth:`state` was called."""
        ...

    def infos(self, circuits: Sequence[Sequence[int]], played: Any) -> list[dict[str, Any]]:
        """Return the infos of circuits of :meth:`play_many`, without action masks; the episode is not touched."""
        ...

    def show(self, actions: Sequence[int], played: Any, number: int) -> dict[str, Any]:
        """Begin an episode that holds a circuit of :meth:`play_many`; return its info."""
        ...


def workbench(env: Any) -> Workbench:
    """Return what plays whole circuits in an environment, or under its wrappers.

    Raises:
        TypeError: The environment has no ``player``.
    """
    bare = getattr(env, "unwrapped", env)
    if not hasattr(bare, "player"):
        raise TypeError(f"{type(bare).__name__} has no 'player', which whole circuits need.")
    bench: Workbench = bare.player
    return bench


@dataclass(frozen=True)
class _Trial:
    """A shorter circuit to optimise from these angles; ``initial`` are those of the initial circuit."""

    actions: Any
    angles: list[Angles]
    initial: Angles | None


_Outcome = tuple[bool, list[Angles], Angles]  # whether a trial was successful, its angles, those of the initial circuit
_Trials = Generator[_Trial, _Outcome | None, list[int]]


def prune(
    bench: Workbench,
    actions: Sequence[int],
    angles: Sequence[Angles],
    rng: np.random.Generator,
    report: Callable[[dict[str, Any]], Any],
    cost: Callable[[int], float] = lambda action: 1.0,
    initial: Angles | None = None,
) -> list[int]:
    """Remove actions one at a time while the circuit stays successful with re-optimised angles.

    Args:
        bench: Plays the circuits.
        actions: A successful circuit.
        angles: Its angles by action.
        rng: Breaks ties.
        report: Called with the info of every trial.
        cost: Cost of an action; the most expensive are removed first.
        initial: Angles of the initial circuit's gates; by default its own.

    Returns:
        Actions of which no single one can be removed.
    """
    trials = _trials(bench, actions, angles, initial, rng, cost)
    outcome: _Outcome | None = None
    try:
        while True:
            trial = trials.send(outcome)
            _, info = bench.play(trial.actions, trial.angles, 0, trial.initial)
            # Read before the report, whose receiver may use the environment.
            outcome = bool(info["success"]), bench.angles, bench.initial_angles
            report(info)
    except StopIteration as end:
        return list(end.value)


def prune_many(
    bench: Workbench,
    circuits: Sequence[tuple[Sequence[int], Sequence[Angles], Angles]],
    rng: np.random.Generator,
    report: Callable[[dict[str, Any]], bool],
    cost: Callable[[int], float] = lambda action: 1.0,
) -> list[list[int]]:
    """Prune circuits side by side: the next trials of all of them are optimised together.

    Each circuit is pruned as by :func:`prune`, with a random generator of its own, with the same numbers bit for bit.

    Args:
        bench: Plays the circuits.
        circuits: Successful circuits: actions, their angles, and those of the initial circuit.
        rng: Seeds the generators.
        report: Called with the info of every trial; returns whether to continue.
        cost: Cost of an action; the most expensive are removed first.

    Returns:
        What is left of each circuit, in order; without those that were not finished when ``report`` returned false.
    """
    seeds = rng.integers(2**63, size=len(circuits)).tolist()
    waiting: list[tuple[int, _Trials, _Outcome | None]] = [
        (number, _trials(bench, actions, angles, initial, np.random.default_rng(seed), cost), None)
        for number, ((actions, angles, initial), seed) in enumerate(zip(circuits, seeds, strict=True))
    ]
    finished: dict[int, list[int]] = {}
    running = True
    while waiting and running:
        asked = []
        for number, trials, outcome in waiting[:TOGETHER]:
            try:
                asked.append((number, trials, trials.send(outcome)))
            except StopIteration as end:
                finished[number] = end.value
        del waiting[:TOGETHER]
        for (number, trials, _), (info, outcome) in zip(asked, _played(bench, [own[-1] for own in asked]), strict=True):
            waiting.append((number, trials, outcome))
            running = running and report(info)
            if not running:
                break
    return [finished[number] for number in sorted(finished)]


def _played(bench: Workbench, trials: Sequence[_Trial]) -> Iterator[tuple[dict[str, Any], _Outcome]]:
    """Optimise trials together; yield the info of each, while the environment holds it, and its outcome."""
    params = [[*(trial.initial or ()), *chain.from_iterable(trial.angles)] for trial in trials]
    played = bench.play_many([trial.actions for trial in trials], params)
    for number, trial in enumerate(trials):
        info = bench.show(trial.actions, played, number)
        yield info, (bool(info["success"]), bench.angles, bench.initial_angles)


def _trials(
    bench: Workbench,
    actions: Sequence[int],
    angles: Sequence[Angles],
    initial: Angles | None,
    rng: np.random.Generator,
    cost: Callable[[int], float],
) -> _Trials:
    """Yield one trial after the other, receive its outcome, and return the actions that are left."""
    kept, kept_angles = list(actions), list(angles)
    dropped = True
    while dropped:
        dropped = False
        order = sorted(range(len(kept)), key=lambda k: (-cost(kept[k]), rng.random()))
        gone: list[int] = []
        for place in order:
            k = place - sum(other < place for other in gone)
            shorter, warm = kept[:k] + kept[k + 1 :], kept_angles[:k] + kept_angles[k + 1 :]
            legal = bench.checked(shorter)
            if not legal:
                continue
            outcome = yield _Trial(legal, warm, initial)
            assert outcome is not None
            success, angles_now, initial_now = outcome
            if success:
                kept, kept_angles, initial, dropped = shorter, angles_now, initial_now, True
                gone.append(place)
    return kept
