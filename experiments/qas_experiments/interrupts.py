"""Signals that ask a command to end in good order, and other ways to ask."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130
"""Exit status of a command that was asked to end, as shells have it for Ctrl-C."""

_PAUSE = 0.5  # seconds between two questions
_asked_elsewhere: Callable[[], bool] = lambda: False  # noqa: E731  what also_end_if() was given


def also_end_if(is_asked: Callable[[], bool]) -> None:
    """Let the trainings of this process end as by Ctrl-C once ``is_asked`` is true; it is called twice a second."""
    global _asked_elsewhere
    _asked_elsewhere = is_asked


class Interrupt:
    """Set by the first Ctrl-C or SIGTERM; a second one stops at once."""

    def __init__(self) -> None:
        self.signal: str | None = None  # by its name, or "sweep" where all of its jobs were asked to end
        self._asked_at = -_PAUSE

    @property
    def requested(self) -> bool:
        """Whether to end at the next step."""
        now = time.monotonic()
        if self.signal is None and now > self._asked_at + _PAUSE:
            self._asked_at, self.signal = now, "sweep" if _asked_elsewhere() else None
        return self.signal is not None

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        """Handle the signal."""
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = signal.Signals(number).name


@contextmanager
def interrupt_requests() -> Iterator[Interrupt]:
    """Turn Ctrl-C into a request that training loops look at; outside the main thread nothing is caught."""
    interrupt = Interrupt()
    with handled(interrupt):
        yield interrupt


@contextmanager
def handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Call ``handler`` for Ctrl-C and SIGTERM; outside the main thread nothing is caught."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, before)
