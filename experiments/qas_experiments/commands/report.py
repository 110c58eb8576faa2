"""``qas-report``: write a site of records that works from disk, after verifying every circuit."""

from __future__ import annotations

from qas_experiments.commands import arguments

_MOST_LINES = 50  # of records that are left out


def main() -> None:
    """Entry point of the console script."""
    given = arguments.report().parse_args()
    import sys  # imports after the arguments are read, so that --help is immediate

    from rich.console import Console

    from qas_experiments.benchmarking.answers import Answers
    from qas_experiments.benchmarking.judges import Judges, usable_cores
    from qas_experiments.benchmarking.site.pages import report
    from qas_experiments.commands.errors import check_out, fail
    from qas_experiments.counting import number_of

    workers = usable_cores() if given.workers is None else given.workers
    try:
        check_out(given.out)
        with Judges(given.seconds, workers, None if given.again else Answers()) as judges:
            number, left_out = report(
                given.records, given.out, given.title, given.floors, given.lines, judges, given.docs
            )
    except (ValueError, RuntimeError, OSError) as error:
        fail(error)
    console = Console(width=None if sys.stdout.isatty() else 120)
    for line in left_out[:_MOST_LINES]:
        console.print(f"left out: {line}", highlight=False, markup=False, soft_wrap=True)
    if len(left_out) > _MOST_LINES:
        console.print(f"left out: {len(left_out) - _MOST_LINES} more", highlight=False)
    console.print(f"{number_of(number, 'record')} in {given.out / 'index.html'}", highlight=False, soft_wrap=True)
    if left_out:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
