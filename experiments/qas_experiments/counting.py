"""Progress of a known number of things: a bar in a terminal, elsewhere a line on standard error now and then."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

_FIRST_LINE_SECONDS = 2.0
_LINE_SECONDS = 10.0


def number_of(number: int, noun: str) -> str:
    """Return a number with its noun in the singular or the plural.

    Examples:
        >>> number_of(1, "agent"), number_of(1200, "record")
        ('1 agent', '1,200 records')
    """
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


class Advance(Protocol):
    """Function that is called as work proceeds, from any thread."""

    def __call__(self, number: int, now: str = "") -> None:
        """Take the number of things done since the last call, and the name of what is worked on now."""


def unseen(number: int, now: str = "") -> None:
    """Show no progress."""


@contextmanager
def counted(what: str, total: int, shown: bool = True) -> Iterator[Advance]:
    """Yield a function that is called with the number of things done since the last call.

    Args:
        what: What is counted, such as ``"verifying records"``.
        total: Number of things.
        shown: Whether to show anything.

    Examples:
        >>> with counted("circuits", 2, shown=False) as advance:
        ...     advance(2)
    """
    if not shown or not total:
        yield unseen
        return
    from rich.console import Console  # imported late, because commands that only refuse a word need none of it
    from rich.markup import escape
    from rich.progress import Progress, TextColumn

    console = Console(stderr=True)
    if console.is_terminal:
        with Progress(*Progress.get_default_columns(), TextColumn("{task.fields[now]}"), console=console) as progress:
            task = progress.add_task(what, total=total, now="")

            def advance(number: int, now: str = "") -> None:
                if now:
                    progress.update(task, now=escape(now))
                progress.advance(task, number)

            yield advance
    else:
        yield _lines(what, total)


def _lines(what: str, total: int) -> Advance:
    """Return the function for output that is no terminal."""
    done, latest = 0, ""
    first: tuple[float, int] | None = None  # moment and number when the first things were done; before, kernels compile
    next_line = time.monotonic() + _FIRST_LINE_SECONDS
    lock = threading.Lock()

    def advance(number: int, now: str = "") -> None:
        nonlocal done, next_line, latest, first
        with lock:
            done, moment, latest = done + number, time.monotonic(), now or latest
            if number and first is None:
                first = moment, done
            if moment < next_line:
                return
            next_line = moment + _LINE_SECONDS
            begun, before = first or (moment, done)
            left = f", {(moment - begun) * (total - done) / (done - before):,.0f} s left" if done > before else ""
            named = f" ({latest})" if latest else ""
            sys.stderr.write(f"{what}: {done:,} of {total:,}{left}{named}\n")
            sys.stderr.flush()

    return advance
