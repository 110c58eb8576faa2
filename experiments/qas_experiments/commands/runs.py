"""``qas-runs``: show the progress and the results of all runs in some folders."""

from __future__ import annotations

import sys
import time

from rich.console import Console
from rich.live import Live

from qas_experiments.commands import arguments
from qas_experiments.commands.errors import fail
from qas_experiments.runs.progress import drop_checkpoints, table_of


def main() -> None:
    """Entry point of the console script."""
    given = arguments.runs().parse_args()
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
