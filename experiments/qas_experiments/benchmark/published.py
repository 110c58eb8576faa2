"""Published figures, as data, and what they say of our circuits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import as_file, files
from typing import Any

from omegaconf import OmegaConf


@dataclass(frozen=True)
class Published:
    """A row of ``published.yaml``.

    Attributes:
        instance: As in the suites.
        method: What was published.
        source: Where, with the table.
        error: Against the exact ground energy.
        cnot: Two-qubit gates as the source counts them; None where it does not say.
        rotations: The same of one-qubit rotations.
        depth: The same of depth.
        caveat: What the figures leave out.
    """

    instance: str
    method: str
    source: str
    error: float
    cnot: int | None = None
    rotations: int | None = None
    depth: int | None = None
    caveat: str = ""


def published() -> list[Published]:
    """Return all rows."""
    with as_file(files("qas_experiments.benchmark") / "published.yaml") as path:
        rows: Any = OmegaConf.to_container(OmegaConf.load(path))
    return [Published(**row) for row in rows]


def dominating(cnot: int, error: float, points: Iterable[tuple[int, float]]) -> list[tuple[int, float]]:
    """Return the points that are as good as ours in gates and error, and better in one.

    Errors that differ by a thousandth of themselves, or by 1e-9, are the same: published ones have two digits.
    """
    found = []
    for gates, other in points:
        same = abs(error - other) <= max(1e-9, 1e-3 * error)
        if gates <= cnot and (other < error or same) and (gates < cnot or (other < error and not same)):
            found.append((gates, other))
    return found
