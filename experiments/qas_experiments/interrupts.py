"""Requests to end a command in an orderly way: signals, and conditions that are polled."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

INTERRUPTED = 130
"""Exit status of an interrupted command, the one of shells after Ctrl-C."""

_POLL_SECONDS = 0.5  # between two calls of the condition
_condition: Callable[[], bool] = lambda: False  # noqa: E731  set by also_end_if()


def also_end_if(is_asked: Callable[[], bool]) -> None:
    """End the trainings of this process as after Ctrl-C once ``is_asked()`` is true; it is called twice a second."""
    global _condition
    _condition = is_asked


class Interrupt:
    """A request to end, set by the first Ctrl-C or SIGTERM; a second signal raises KeyboardInterrupt."""

    def __init__(self) -> None:
        self.signal: str | None = None  # its name, or "sweep" if all jobs of a sweep are to end
        self._polled_at = -_POLL_SECONDS

    @property
    def requested(self) -> bool:
        """Whether to end at the next step."""
        now = time.monotonic()
        if self.signal is None and now > self._polled_at + _POLL_SECONDS:
            self._polled_at, self.signal = now, "sweep" if _condition() else None
        return self.signal is not None

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        """Handle the signal."""
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = signal.Signals(number).name


@contextmanager
def interrupt_requests() -> Iterator[Interrupt]:
    """Turn Ctrl-C and SIGTERM into a request that training loops check; no effect outside the main thread."""
    interrupt = Interrupt()
    with handled(interrupt):
        yield interrupt


@contextmanager
def handled(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Call ``handler`` for Ctrl-C and SIGTERM; no effect outside the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, before)
