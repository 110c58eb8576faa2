"""How few two-qubit gates there can be: what exhaustive skeleton search found, as data."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

from qas_envs.problems.problem import Problem


@dataclass(frozen=True)
class KnownFloor:
    """The lowest error that so many two-qubit gates reach, angles between them free.

    Attributes:
        two_qubit_gates: How many.
        error: Against the exact ground energy; an upper bound, since angles are searched from random starts.
        qasm: A circuit that has it, as OpenQASM 3.
    """

    two_qubit_gates: int
    error: float
    qasm: str


@lru_cache
def _rows() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(files(__package__).joinpath("floors.json").read_text(encoding="utf-8"))
    return rows


def known_floors(problem: Problem) -> list[KnownFloor]:
    """Return what is known of an instance, fewest gates first; made by ``experiments/benchmarks/floors.py``.

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
