"""Reading the metrics of a run, also while it is running."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def metrics_of(run: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a run's ``metrics.jsonl``, one per episode; none without the file."""
    path = run / "metrics.jsonl"
    if not path.exists():
        return
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):  # the last line may be incomplete
                yield json.loads(line)


def reproducible_metrics(run: Path) -> list[str]:
    """Return the lines of a run's ``metrics.jsonl`` without the wall time.

    Everything else is the same to the last digit when a run is repeated with the same settings or resumed.
    """
    rows = metrics_of(run)
    return [json.dumps({name: value for name, value in row.items() if name != "seconds"}) for row in rows]
