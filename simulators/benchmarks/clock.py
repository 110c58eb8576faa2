"""Clock: ends measurements that take longer than their share of the whole time."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, TypeVar

Result = TypeVar("Result")
LEAST: Final = 0.05
"""Seconds below which a measurement is not begun."""
AGAIN: Final = 0.5
"""Seconds after which a measurement that was not ended by an interruption is interrupted again."""


class OutOfTimeError(Exception):
    """A measurement has taken its time."""


class Clock:
    """Runs measurements one after the other until the whole time is over.

    Args:
        total: Seconds for all of them, from now on.
        now: Function that returns the time in seconds.

    Attributes:
        total: See there.
    """

    def __init__(self, total: float, now: Callable[[], float] = time.monotonic) -> None:
        self.total, self._now, self._end = total, now, now() + total

    @property
    def left(self) -> float:
        """Seconds that are left."""
        return self._end - self._now()

    def run(self, limit: float, measure: Callable[[], Result]) -> Result | None:
        """Return what a measurement returns, or ``None`` if it takes longer than its limit or than what is left.

        It is interrupted between two operations of Python; a kernel that runs is waited for. Only in the main thread.

        Args:
            limit: In seconds.
            measure: The measurement.
        """
        allowed = min(limit, self.left)
        if allowed < LEAST:
            return None
        try:
            with _interrupted_after(allowed):
                return measure()
        except OutOfTimeError:
            return None


@contextmanager
def _interrupted_after(seconds: float) -> Iterator[None]:
    """Raise :class:`OutOfTimeError` in a block after some seconds, again and again until the block ends.

    Once is not enough: an exception in a callback, of LLVM for instance, is printed and forgotten.
    """

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise OutOfTimeError

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, seconds, AGAIN)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
