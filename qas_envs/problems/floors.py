"""Floors: the lowest error for each number of two-qubit gates, found by exhaustive search over skeletons."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any, Final

from qas_envs.problems.problem import Problem
from qas_simulators.errors import unknown_name

UNITS: Final = ("gates", "blocks")
"""What a skeleton consists of: two-qubit gates with any one-qubit gates between them, or blocks."""


_FIGURES = ("skeletons", "starts", "evaluations")


@dataclass(frozen=True)
class KnownFloor:
    """The lowest error found over all skeletons with a number of two-qubit gates.

    Every skeleton is tried, one of each class of equivalent ones, from a few random angles. So the error is an upper
    bound of the true floor: a skeleton whose best minimum all starts miss may have a lower error.

    Attributes:
        two_qubit_gates: Number of two-qubit gates, which is the number of blocks.
        error: Error from the exact ground energy.
        qasm: A circuit with this error, as OpenQASM 3.
        skeletons: Number of skeletons tried.
        starts: Random starts of each.
        evaluations: Energy evaluations spent on them.
    """

    two_qubit_gates: int
    error: float
    qasm: str
    skeletons: int
    starts: int
    evaluations: int


@lru_cache
def _rows() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(files(__package__).joinpath("floors.json").read_text(encoding="utf-8"))
    return rows


def known_floors(problem: Problem, unit: str = "gates") -> list[KnownFloor]:
    """Return the known floors of an instance, fewest gates first; written by ``experiments/benchmarks/floors.py``.

    Args:
        problem: The instance.
        unit: ``"gates"`` for any one-qubit gates between the two-qubit gates, ``"blocks"`` for those of the blocks that
            environments with ``actions="blocks"`` have by default.

    Raises:
        ValueError: Another unit.

    Examples:
        >>> from qas_envs.problems import lih
        >>> for unit in ("gates", "blocks"):
        ...     print([floor.two_qubit_gates for floor in known_floors(lih(), unit) if floor.error < 1.6e-3][0])
        3
        3
    """
    if unit not in UNITS:
        raise ValueError(unknown_name("unit of floors", unit, UNITS))
    return [
        KnownFloor(**{name: row[name] for name in ("two_qubit_gates", "error", "qasm", *_FIGURES)})
        for row in _rows()
        if row["instance_hash"] == problem.digest and row["unit"] == unit
    ]
