"""ThreadChoice: how many threads an optimisation gets, learnt from the ones before."""

from __future__ import annotations

from time import perf_counter, process_time
from typing import Final

WORTH_THREADS: Final = 3e-4
"""Processor seconds of an optimisation above which threads are tried; starting one takes some 50 us."""
PAUSE: Final = 64
"""Steps on one thread after threads took longer than one would have."""


class Stopwatch:
    """Measures wall time and the processor time of all threads since it was made."""

    def __init__(self) -> None:
        self._begun = perf_counter(), process_time()

    def read(self) -> tuple[float, float]:
        """Return both in seconds."""
        return perf_counter() - self._begun[0], process_time() - self._begun[1]


class ThreadChoice:
    """Uses threads while optimisations are long, and pauses where other programs make threads wait.

    A thread that other programs interrupt holds up all others. Threads that take at least as long as all their
    processor time together have saved nothing.

    Args:
        most: Largest number of threads.
    """

    def __init__(self, most: int) -> None:
        self._most, self._is_long, self._pause = most, False, 0

    def number(self) -> int:
        """Return the number of threads of the next optimisation."""
        return self._most if self._is_long and self._pause == 0 else 1

    def learn(self, num_threads: int, wall: float, processor: float) -> None:
        """Record how long an optimisation took, in seconds."""
        self._is_long = processor > WORTH_THREADS
        saves_nothing = num_threads > 1 and wall >= processor
        self._pause = PAUSE if saves_nothing else max(0, self._pause - 1)
