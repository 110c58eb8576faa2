"""A stopwatch: wall time of one part of a run, interruptions left out."""

from __future__ import annotations

import time


class Clock:
    """Runs from its making on, until it is stopped.

    Args:
        spent: Seconds that it shows at first.
        runs: Whether it runs already.

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
        """What it shows."""
        return self._spent if self._since is None else self._spent + time.perf_counter() - self._since

    def stop(self) -> None:
        """Stand still."""
        self._spent, self._since = self.seconds, None

    def start(self) -> None:
        """Go on."""
        self._spent, self._since = self.seconds, time.perf_counter()
