"""Progress of a known number of things: a bar in a terminal, elsewhere a line on standard error now and then."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress

_FIRST_LINE_SECONDS = 2.0
_LINE_SECONDS = 10.0


@contextmanager
def counted(what: str, total: int, shown: bool = True) -> Iterator[Callable[[int], None]]:
    """Yield a function that is called with the number of things done since the last call.

    Args:
        what: What is counted, such as ``"verifying records"``.
        total: Number of things.
        shown: Whether to show anything.

    Examples:
        >>> with counted("circuits", 2, shown=False) as advance:
        ...     advance(2)
    """
    console = Console(stderr=True)
    if not shown or not total:
        yield lambda _: None
    elif console.is_terminal:
        with Progress(console=console) as progress:
            task = progress.add_task(what, total=total)
            yield lambda number: progress.update(task, advance=number)
    else:
        yield _lines(what, total)


def _lines(what: str, total: int) -> Callable[[int], None]:
    """Return the function for output that is no terminal."""
    done, began = 0, time.monotonic()
    next_line = began + _FIRST_LINE_SECONDS

    def advance(number: int) -> None:
        nonlocal done, next_line
        done, now = done + number, time.monotonic()
        if now >= next_line and done:
            next_line = now + _LINE_SECONDS
            left = (now - began) * (total - done) / done
            sys.stderr.write(f"{what}: {done:,} of {total:,}, {left:,.0f} s left\n")
            sys.stderr.flush()

    return advance
