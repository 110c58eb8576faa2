"""Every record is verified inside one boundary: a process with limits of time and memory, started anew if it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.progress import track

from qas_experiments.benchmark.comparison import differences
from qas_experiments.benchmark.records import Entry, Record, Records
from qas_simulators.errors import must

SECONDS = 60.0
"""For one record; those of the suites need a tenth of one."""
_MOST_SECONDS = 86_400.0  # a day
_OF_REFERENCES = 10  # times as long for what an instance's results stand beside
_LONGEST_LINE = 400  # characters
_MOST_FAULTS = 5  # of a record that are told


class Judge:
    """Verifies records in another process, so that a hostile record ends that process and not this one.

    Args:
        seconds: For one record; compiling kernels is not counted.

    Raises:
        ValueError: The time is not positive.

    Examples:
        >>> with Judge() as judge:
        ...     [judge.faults(record) for record in ()]
        []
    """

    def __init__(self, seconds: float = SECONDS) -> None:
        if not 0 < seconds < _MOST_SECONDS:
            raise ValueError(must("seconds", f"lie between 0 and {_MOST_SECONDS:g}", seconds))
        self.seconds = seconds
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Judge:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> int:
        """End the process, if there is one; return its status."""
        process, self._process = self._process, None
        if process is None:
            return 0
        assert process.stdin is not None and process.stdout is not None
        process.kill()
        for pipe in (process.stdout, process.stdin):
            with suppress(BrokenPipeError):  # what it was asked last was never read
                pipe.close()
        return process.wait()

    def faults(self, record: Record, hamiltonian: Mapping[str, float] | None = None) -> list[str]:
        """Return what is wrong with a record, as :func:`faults_of` does, or how it ended the process."""
        found: list[str] = self._ask({"record": asdict(record), "hamiltonian": hamiltonian}, self.seconds)["faults"]
        return found

    def reference(self, record: Record, floors: int) -> tuple[dict[str, Any] | None, str]:
        """Return what results of an instance stand beside (None with noise), and why there is nothing, if so."""
        answer = self._ask({"settings": record.settings, "floors": floors}, _OF_REFERENCES * self.seconds)
        return answer.get("reference"), "; ".join(answer.get("faults", ()))

    def _ask(self, task: dict[str, Any], seconds: float) -> dict[str, Any]:
        process = self._started()
        assert process.stdin is not None and process.stdout is not None
        begun = time.monotonic()
        try:
            process.stdin.write(json.dumps({**task, "seconds": seconds}).encode() + b"\n")
            process.stdin.flush()
            reply = process.stdout.readline()
        except BrokenPipeError:
            reply = b""
        if reply.endswith(b"\n"):
            answer: dict[str, Any] = json.loads(reply)
            return answer
        took = time.monotonic() - begun
        status = self._ended(process)
        if took >= seconds:
            return {"faults": [f"takes longer than {seconds:g} s"]}
        return {"faults": [f"ended the process that verified it (status {status})"]}

    def _ended(self, process: subprocess.Popen[bytes]) -> int:
        """Return the status of a process that closed its output."""
        with suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5.0)
        return self.close()

    def _started(self) -> subprocess.Popen[bytes]:
        """Return the process, which is ready.

        Raises:
            RuntimeError: It does not start; the message is the last line that it printed.
        """
        if self._process is not None:
            return self._process
        path = os.pathsep.join(part for part in sys.path if part)
        with tempfile.TemporaryFile() as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "qas_experiments.benchmark.judge_process"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, "PYTHONPATH": path},
            )
            assert self._process.stdout is not None
            if not self._process.stdout.readline():
                self.close()
                errors.seek(0)
                told = errors.read().decode(errors="replace").strip().splitlines() or ["it printed nothing"]
                raise RuntimeError(f"The process that verifies records does not start: {told[-1]}")
        return self._process


@dataclass
class TrueRecords:
    """The true records of some files, each cell once.

    Attributes:
        records: In the order of the files.
        hamiltonians: Terms of their instances by hash, as far as the files have them.
        left_out: File, place, cell and reason of everything else, a line each.
    """

    records: list[Record] = field(default_factory=list)
    hamiltonians: dict[str, dict[str, float]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def true_records(
    paths: Iterable[Path], judge: Judge, known: Iterable[Record] = (), shows_progress: bool = False
) -> TrueRecords:
    """Return the true records of files.

    Of records of one cell the first true one is kept. Another one that says the same, times and folders left aside, is
    dropped; one that does not is left out, and what differs is named.

    Args:
        paths: The files.
        judge: Verifies the records.
        known: True records that come before; they are not returned.
        shows_progress: Whether to draw a bar.
    """
    found = TrueRecords()
    first = {record.cell: record for record in known}
    places = [place for path in paths for place in _places_of(path, found.left_out)]
    for path, entry, hamiltonians in track(places, "verifying", disable=not shows_progress):
        record = entry.record
        if record is None:
            found.left_out.append(_line(path, entry.place, [entry.fault]))
            continue
        earlier = first.setdefault(record.cell, record)
        if earlier is not record and earlier.hash == record.hash:
            continue
        hamiltonian = hamiltonians.get(record.instance_hash)
        faults = judge.faults(record, hamiltonian)
        if faults:
            if earlier is record:
                del first[record.cell]
        elif earlier is not record:
            faults = [f"another record of this cell differs: {each}" for each in differences(earlier, record)]
        else:
            found.records.append(record)
            if hamiltonian is not None:
                found.hamiltonians[record.instance_hash] = hamiltonian
        if faults:
            found.left_out.append(_line(path, f"{entry.place}, {record.label}", faults))
    return found


def _places_of(path: Path, left_out: list[str]) -> list[tuple[Path, Entry, dict[str, dict[str, float]]]]:
    """Return what a file has in every place, or add a line that says why it cannot be read."""
    try:
        entries, hamiltonians = Records(path).read()
    except ValueError as error:
        left_out.append(_line(path, "", [str(error)]))
        return []
    return [(path, entry, hamiltonians) for entry in entries]


def _line(path: Path, place: str, faults: Sequence[str]) -> str:
    """Return one line that can be printed, whatever names and texts the file has."""
    told = "; ".join(faults[:_MOST_FAULTS]) + ("; ..." if len(faults) > _MOST_FAULTS else "")
    text = f"{path}{', ' if place else ''}{place}: {told}"
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    return text if len(text) <= _LONGEST_LINE else f"{text[: _LONGEST_LINE - 3]}..."
