"""Several judges at the same time, and a memory of their answers."""

from __future__ import annotations

import os
import queue
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from itertools import groupby
from types import TracebackType
from typing import Any, TypeVar

from qas_experiments.benchmarking.answers import Answers, key_of_counts, key_of_record, key_of_reference
from qas_experiments.benchmarking.judge import SECONDS, Judge
from qas_experiments.benchmarking.records import Record
from qas_experiments.benchmarking.shorter import Counts
from qas_experiments.counting import Advance, unseen

_Task = TypeVar("_Task")
_LARGEST_BATCH = 50  # records that one judge verifies before it takes others

Terms = Mapping[str, float] | None


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Judges:
    """Verify records in several processes, and each only once for one version of the library.

    Args:
        seconds: Time limit for one record, as of :class:`Judge`.
        workers: Number of processes; they start with the first record that is not known.
        answers: Answers of earlier calls; ``None`` verifies every record.

    Examples:
        >>> with Judges(workers=2) as judges:
        ...     judges.faults([])
        []
    """

    def __init__(self, seconds: float = SECONDS, workers: int = 1, answers: Answers | None = None) -> None:
        said: set[str] = set()

        def says(line: str) -> None:
            if line not in said:  # each process compiles kernels
                said.add(line)
                sys.stderr.write(f"{line}\n")
                sys.stderr.flush()

        # The second process compiles kernels in the reverse order, and then finds those of the first in the cache.
        self._judges = [Judge(seconds, says, noisy_first=number == 1) for number in range(max(1, workers))]
        self._answers = answers

    @classmethod
    def of(cls, judge: Judge | Judges) -> Judges:
        """Return judges that use a given one, without a memory."""
        if isinstance(judge, Judges):
            return judge
        found = cls()
        found._judges = [judge]
        return found

    def __enter__(self) -> Judges:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End all processes."""
        for judge in self._judges:
            judge.close()

    def faults(self, tasks: Sequence[tuple[Record, Terms]], advance: Advance = unseen) -> list[list[str]]:
        """Return the faults of every record as :meth:`Judge.faults` does; an empty list means it is valid.

        Args:
            tasks: Records, each with the Hamiltonian in its file.
            advance: Function that is called as the work proceeds.
        """
        keys = [key_of_record(*task) for task in tasks]
        return self._answered(
            tasks,
            keys,
            lambda judge, task: judge.faults(*task),
            lambda task: task[0],
            lambda told: not told,
            advance,
        )

    def counts(self, records: Sequence[Record], advance: Advance = unseen) -> list[tuple[Counts, str]]:
        """Return what :meth:`Judge.counts` returns, for every record; records must be valid."""
        keys = [key_of_counts(record) for record in records]
        found = self._answered(
            records, keys, lambda judge, record: judge.counts(record), _same, lambda told: not told[1], advance
        )
        return [(counts, problem) for counts, problem in found]

    def references(
        self, records: Sequence[Record], floors: int, advance: Advance = unseen
    ) -> list[tuple[dict[str, Any] | None, str]]:
        """Return what :meth:`Judge.reference` returns, for every record."""
        keys = [key_of_reference(record.settings, floors) for record in records]
        found = self._answered(
            records,
            keys,
            lambda judge, record: judge.reference(record, floors),
            _same,
            lambda told: not told[1],
            advance,
        )
        return [(reference, problem) for reference, problem in found]

    def _answered(
        self,
        tasks: Sequence[_Task],
        keys: Sequence[str | None],
        ask: Callable[[Judge, _Task], Any],
        record_of: Callable[[_Task], Record],
        is_kept: Callable[[Any], bool],
        advance: Advance,
    ) -> list[Any]:
        """Return the answer to every task; a judge keeps to an instance, whose Hamiltonian it then builds once."""
        memory = self._answers
        answers: list[Any] = [None] * len(tasks)
        missing = []
        for place, key in enumerate(keys):
            if memory is not None and key is not None and key in memory:
                answers[place] = memory[key]
            else:
                missing.append(place)
        advance(len(tasks) - len(missing))
        batches = list(_batches(missing, lambda place: record_of(tasks[place]).instance_hash))
        free: queue.SimpleQueue[Judge] = queue.SimpleQueue()
        for judge in self._judges:
            free.put(judge)

        def play(batch: list[int]) -> list[tuple[int, Any]]:
            judge = free.get()
            try:
                found = []
                for place in batch:
                    advance(0, _name(record_of(tasks[place])))
                    found.append((place, ask(judge, tasks[place])))
                return found
            finally:
                free.put(judge)

        with ThreadPoolExecutor(len(self._judges)) as pool:
            pending = [pool.submit(play, batch) for batch in batches]
            try:
                for done in as_completed(pending):
                    found = done.result()
                    for place, answer in found:
                        answers[place] = answer
                    if memory is not None:
                        kept = {keys[place]: answer for place, answer in found if is_kept(answer)}
                        memory.add({key: answer for key, answer in kept.items() if key is not None})
                    advance(len(found))
            except BaseException:  # Ctrl-C, or a process that does not start
                for one in pending:
                    one.cancel()
                self.close()
                raise
        return answers


def _name(record: Record) -> str:
    return f"{record.suite}, {record.instance}, {record.agent}"


def _same(record: Record) -> Record:
    return record


def _batches(places: Sequence[int], instance: Callable[[int], str]) -> Iterable[list[int]]:
    """Yield lists of places of the same instance."""
    for _, some in groupby(sorted(places, key=instance), instance):
        listed = list(some)
        for first in range(0, len(listed), _LARGEST_BATCH):
            yield listed[first : first + _LARGEST_BATCH]
