"""``qas-runs``: show the progress and the results of all runs in some folders."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from rich.console import Console
from rich.live import Live

from qas_experiments.commands.cli import fail
from qas_experiments.runs.progress import drop_checkpoints, table_of


def main() -> None:
    """Entry point of the console script."""
    parser = argparse.ArgumentParser(prog="qas-runs", description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path, default=[Path("runs")])
    parser.add_argument("--follow", action="store_true", help="update every three seconds, until Ctrl-C")
    parser.add_argument("--all", action="store_true", help="include finished runs")
    parser.add_argument("--drop-checkpoints", action="store_true", help="delete the checkpoints of finished runs")
    given = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 140)
    try:
        if given.drop_checkpoints:
            number = drop_checkpoints(given.folders)
            console.print(f"checkpoints of {number} finished runs deleted", highlight=False)
        table = table_of(given.folders, given.all)
    except ValueError as error:
        fail(error)
    if not given.follow:
        console.print(table, highlight=False)
        return
    with Live(table, console=console, auto_refresh=False) as live:
        try:
            while True:
                time.sleep(3)
                live.update(table_of(given.folders, given.all), refresh=True)
        except KeyboardInterrupt:
            return
        except ValueError as error:  # a folder that is gone
            fail(error)


if __name__ == "__main__":
    main()
