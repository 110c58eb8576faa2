"""Published results as data, and their comparison with circuits."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files
from typing import Any

from omegaconf import OmegaConf


@dataclass(frozen=True)
class Published:
    """A row of ``published.yaml``.

    Attributes:
        instance: Name of the instance in the suites.
        method: Name of the published method.
        source: Publication and table.
        error: Difference from the exact ground energy.
        cnot: Two-qubit gates as the source counts them; None if not stated.
        rotations: One-qubit rotations; None if not stated.
        depth: Depth; None if not stated.
        caveat: Limits of the comparison.
        is_partial: Whether the source leaves out CNOTs of the circuit, such as those of a prefix.
        suite: The suite that is meant, if suites have different instances of that name; empty for all suites.
    """

    instance: str
    method: str
    source: str
    error: float
    cnot: int | None = None
    rotations: int | None = None
    depth: int | None = None
    caveat: str = ""
    suite: str = ""
    is_partial: bool = False

    def is_of(self, instance: str, suites: Collection[str]) -> bool:
        """Return whether the result is of an instance of one of some suites."""
        return self.instance == instance and (not self.suite or self.suite in suites)


def published() -> list[Published]:
    """Return all rows."""
    return list(_rows())


@cache
def _rows() -> tuple[Published, ...]:
    with as_file(files("qas_experiments.benchmarking") / "published.yaml") as path:
        rows: Any = OmegaConf.to_container(OmegaConf.load(path))
    return tuple(Published(**row) for row in rows)


def dominating(cnot: int, error: float, points: Iterable[tuple[int, float]]) -> list[tuple[int, float]]:
    """Return the points that are at least as good in gates and error, and better in one of them.

    Errors that differ by at most a thousandth, or by 1e-9, count as equal, because published ones have few digits.
    """
    found = []
    for gates, other in points:
        same = abs(error - other) <= max(1e-9, 1e-3 * error)
        if gates <= cnot and (other < error or same) and (gates < cnot or (other < error and not same)):
            found.append((gates, other))
    return found
