"""A stopwatch for the wall time of one part of a run, without interruptions."""

from __future__ import annotations

import time


class Clock:
    """Measure wall time from construction until the clock is stopped.

    Args:
        spent: Seconds on the clock at the start.
        runs: Whether the clock starts at once.

    Examples:
        >>> clock = Clock(12.0)
        >>> clock.stop()
        >>> clock.seconds == clock.seconds >= 12.0
        True
    """

    def __init__(self, spent: float = 0.0, runs: bool = True) -> None:
        self._spent = spent
        self._since = time.perf_counter() if runs else None

    @property
    def seconds(self) -> float:
        """Seconds measured so far."""
        return self._spent if self._since is None else self._spent + time.perf_counter() - self._since

    def stop(self) -> None:
        """Stop the clock."""
        self._spent, self._since = self.seconds, None

    def start(self) -> None:
        """Start or restart the clock."""
        self._spent, self._since = self.seconds, time.perf_counter()
