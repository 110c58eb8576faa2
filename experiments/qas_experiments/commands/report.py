"""``qas-report``: write a site of records that works from disk, after verifying every circuit again."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from rich.console import Console

from qas_experiments.benchmark.judge import SECONDS, Judge
from qas_experiments.benchmark.site.pages import report
from qas_experiments.commands.cli import fail

_MOST_LINES = 50  # of records that are left out


def main() -> None:
    """Entry point of the console script."""
    parser = argparse.ArgumentParser(prog="qas-report", description=__doc__)
    parser.add_argument("records", nargs="*", type=Path, default=[Path("runs/benchmark/records.sqlite")])
    parser.add_argument("--out", type=Path, default=Path("site"), help="folder of the site")
    parser.add_argument("--title", default="Quantum architecture search: who finds what")
    parser.add_argument(
        "--lines",
        type=Path,
        help="also write the true records to this file, as lines of text; .xz compresses them",
    )
    parser.add_argument(
        "--floors",
        type=int,
        default=3,
        help="longest skeletons of exhaustive search where no floors are known, up to 4 qubits",
    )
    parser.add_argument("--seconds", type=float, default=SECONDS, help="the longest time for one record")
    given = parser.parse_args()
    try:
        with Judge(given.seconds) as judge:
            number, left_out = report(given.records, given.out, given.title, given.floors, given.lines, judge)
    except (ValueError, RuntimeError, OSError) as error:
        fail(error)
    console = Console(width=None if sys.stdout.isatty() else 120)
    for line in left_out[:_MOST_LINES]:
        console.print(f"left out: {line}", highlight=False, markup=False, soft_wrap=True)
    if len(left_out) > _MOST_LINES:
        console.print(f"left out: {len(left_out) - _MOST_LINES} more", highlight=False)
    console.print(f"{number} records in {given.out / 'index.html'}", highlight=False, soft_wrap=True)
    if left_out:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
