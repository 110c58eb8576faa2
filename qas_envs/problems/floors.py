"""Floors: the lowest error for each number of two-qubit gates, found by exhaustive search over skeletons."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from qas_envs.problems.problem import Problem


@dataclass(frozen=True)
class KnownFloor:
    """The lowest error that circuits with a number of two-qubit gates reach, with any one-qubit gates between them.

    Attributes:
        two_qubit_gates: Number of two-qubit gates.
        error: Error from the exact ground energy; an upper bound, since angles are searched from random starts.
        qasm: A circuit with this error, as OpenQASM 3.
    """

    two_qubit_gates: int
    error: float
    qasm: str


@lru_cache
def _rows() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(files(__package__).joinpath("floors.json").read_text(encoding="utf-8"))
    return rows


def known_floors(problem: Problem) -> list[KnownFloor]:
    """Return the known floors of an instance, fewest gates first; written by ``experiments/benchmarks/floors.py``.

    Examples:
        >>> from qas_envs.problems import lih
        >>> [floor.two_qubit_gates for floor in known_floors(lih()) if floor.error < 1.6e-3][0]
        3
    """
    return [
        KnownFloor(row["two_qubit_gates"], row["error"], row["qasm"])
        for row in _rows()
        if row["instance_hash"] == problem.digest
    ]
