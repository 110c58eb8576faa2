"""Pruning: remove the gates that a successful circuit does not need."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np

from qas_simulators import Circuit

Angles = tuple[float, ...]


class Workbench(Protocol):
    """The part of an environment that plays whole circuits."""

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

    def is_legal(self, actions: Sequence[int]) -> bool:
        """Return whether an episode may begin with these actions."""
        ...

    @property
    def circuit(self) -> Circuit:
        """The episode's circuit."""
        ...

    def play(
        self, actions: Sequence[int], angles: Sequence[Angles] | None = None, num_scanned: int = 0
    ) -> tuple[Any, dict[str, Any]]:
        """Begin an episode with these actions, all angles optimised once; return observation and info.

        Angles of the last ``num_scanned`` actions are scanned first; without angles all are.
        """
        ...


def workbench(env: Any) -> Workbench:
    """Return the environment under the wrappers, which plays whole circuits.

    Raises:
        TypeError: It does not.
    """
    bench: Workbench = getattr(env, "unwrapped", env)
    for name in ("actions", "angles", "is_legal", "play"):
        if not hasattr(bench, name):
            raise TypeError(f"{type(bench).__name__} has no {name!r}, which is needed to play whole circuits.")
    return bench


def prune(
    bench: Workbench,
    actions: Sequence[int],
    angles: Sequence[Angles],
    rng: np.random.Generator,
    report: Callable[[dict[str, Any]], Any],
    cost: Callable[[int], float] = lambda action: 1.0,
) -> list[int]:
    """Remove actions one at a time while the circuit stays successful with re-optimised angles.

    Args:
        bench: Plays the circuits.
        actions: A successful circuit.
        angles: Its angles by action.
        rng: Breaks ties.
        report: Called with the info of every trial.
        cost: Cost of an action; the most expensive are removed first.

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
            if not shorter or not bench.is_legal(shorter):
                continue
            _, info = bench.play(shorter, warm)
            angles_now = bench.angles  # before the report, whose receiver may use the environment
            report(info)
            if info["success"]:
                kept, kept_angles, dropped = shorter, angles_now, True
                gone.append(place)
    return kept
