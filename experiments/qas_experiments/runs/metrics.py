"""Reading what a run has written of its episodes, also while it goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def metrics_of(run: Path) -> Iterator[dict[str, Any]]:
    """Yield the lines of a run's ``metrics.jsonl``, one per episode; none where there is no such file."""
    path = run / "metrics.jsonl"
    if not path.exists():
        return
    with path.open(encoding="utf-8") as file:
        for line in file:
            if line.endswith("\n"):  # the last one may be under way
                yield json.loads(line)


def reproducible_metrics(run: Path) -> list[str]:
    """Return the lines of a run's ``metrics.jsonl`` without what no two runs share: wall time.

    All the rest of a run that is repeated with the same settings, or resumed, is the same to the last digit.
    """
    rows = metrics_of(run)
    return [json.dumps({name: value for name, value in row.items() if name != "seconds"}) for row in rows]
