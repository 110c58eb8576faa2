"""Signals that ask a command to end in good order."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Interrupt:
    """Set by the first Ctrl-C or SIGTERM; a second one stops at once."""

    def __init__(self) -> None:
        self.signal: str | None = None  # by its name

    @property
    def requested(self) -> bool:
        """Whether a signal has come."""
        return self.signal is not None

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        """Handle the signal."""
        if self.requested:
            raise KeyboardInterrupt
        self.signal = signal.Signals(number).name


@contextmanager
def interrupt_requests() -> Iterator[Interrupt]:
    """Turn Ctrl-C into a request that training loops look at; outside the main thread nothing is caught."""
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    previous = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield interrupt
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
