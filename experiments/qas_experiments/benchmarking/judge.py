"""Verification of records in a separate process with limits of time and memory, restarted when it ends."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import TracebackType
from typing import Any

from qas_experiments.benchmarking.records import Record
from qas_experiments.benchmarking.shorter import Counts
from qas_simulators.errors import must

SECONDS = 60.0
"""Default limit for one record; those of the suites need 0.1 s."""
NOISY_FIRST = "--noisy-first"
"""Word for the process that verifies."""
_MOST_SECONDS = 86_400.0  # a day
_OF_REFERENCES = 10  # factor of the time limit for the references of an instance


class Judge:
    """Verify records in another process, so that a hostile record ends that process and not this one.

    Args:
        seconds: Time limit for one record, without compiling kernels.
        says: Function that is called with each line that the process writes while it compiles kernels.
        noisy_first: Whether the process compiles the kernels for noise first, while another one compiles the others.

    Raises:
        ValueError: The time is not positive, or longer than a day.

    Examples:
        >>> with Judge() as judge:
        ...     [judge.faults(record) for record in ()]
        []
    """

    def __init__(
        self, seconds: float = SECONDS, says: Callable[[str], None] = lambda _: None, noisy_first: bool = False
    ) -> None:
        if not 0 < seconds < _MOST_SECONDS:
            raise ValueError(must("seconds", f"lie between 0 and {_MOST_SECONDS:g}", seconds))
        self.seconds, self._says, self._noisy_first = seconds, says, noisy_first
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Judge:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> int:
        """End the process, if it is running; return its status."""
        process, self._process = self._process, None
        if process is None:
            return 0
        assert process.stdin is not None and process.stdout is not None
        process.kill()
        for pipe in (process.stdout, process.stdin):
            with suppress(BrokenPipeError):  # the last task may not have been read
                pipe.close()
        return process.wait()

    def faults(self, record: Record, hamiltonian: Mapping[str, float] | None = None) -> list[str]:
        """Return the record's faults as :func:`faults_of` does; a timeout or a crash of the process is one too."""
        found: list[str] = self._ask({"record": record.content(), "hamiltonian": hamiltonian}, self.seconds)["faults"]
        return found

    def counts(self, record: Record) -> tuple[Counts, str]:
        """Return what :func:`shorter_counts` does for a valid record, and the reason if it could not be computed."""
        answer = self._ask({"counts": record.content()}, self.seconds)
        return answer.get("counts", {}), "; ".join(answer.get("faults", ()))

    def reference(self, record: Record, floors: int) -> tuple[dict[str, Any] | None, str]:
        """Return the references of an instance (None with noise), and the reason if they could not be computed."""
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
        """Return the process, started and ready for tasks.

        Raises:
            RuntimeError: It does not start; the message has the last line that it printed.
        """
        if self._process is not None:
            return self._process
        path = os.pathsep.join(part for part in sys.path if part)
        words = [NOISY_FIRST] if self._noisy_first else []
        with tempfile.TemporaryFile() as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "qas_experiments.benchmarking.judge_process", *words],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, "PYTHONPATH": path},
            )
            assert self._process.stdout is not None
            while line := self._process.stdout.readline():
                told = json.loads(line)
                if "says" not in told:
                    break
                self._says(told["says"])
            else:
                self.close()
                errors.seek(0)
                lines = errors.read().decode(errors="replace").strip().splitlines() or ["it printed nothing"]
                raise RuntimeError(f"The process that verifies records does not start: {lines[-1]}")
        return self._process
