"""Pruning: remove the gates that a successful circuit does not need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from qas_simulators import Circuit

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

    def drafts(self, size: int, length: int | None = None) -> Any:
        """Return circuits to be drawn action by action; see :class:`qas_envs.drafts.Drafts`."""
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
            _, info = bench.play(legal, warm, 0, initial)
            # Read before the report, whose receiver may use the environment.
            angles_now, initial_now = bench.angles, bench.initial_angles
            report(info)
            if info["success"]:
                kept, kept_angles, initial, dropped = shorter, angles_now, initial_now, True
                gone.append(place)
    return kept
