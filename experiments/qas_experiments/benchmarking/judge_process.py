"""The process that verifies records for :class:`~qas_experiments.benchmarking.judge.Judge`.

Each line of standard input is a task, and each answer is a line of standard output. A task that takes too long or
crashes ends the process; the judge starts another one for the next task.
"""

from __future__ import annotations

import contextlib
import faulthandler
import io
import json
import os
import signal
import sys
from functools import partial
from typing import Any

from qas_envs.imports import no_imports
from qas_experiments.benchmarking.judge import NOISY_FIRST
from qas_experiments.benchmarking.records import Record
from qas_experiments.benchmarking.shorter import shorter_counts
from qas_experiments.benchmarking.verification import faults_of
from qas_simulators import Circuit, NoiseModel, PauliSum, PauliTransferSimulator, StatevectorSimulator

MEMORY = 16 * 2**30
"""Limit of the address space in bytes, on systems that support it."""


def main() -> None:
    """Answer tasks until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the judge too, which ends this process
    silence = open(os.devnull, "w")  # noqa: SIM115 (as long as the process)
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(silence.fileno(), sys.stdout.fileno())  # output of libraries must not mix with answers
    _limit_memory()
    with contextlib.redirect_stderr(_Said(answers)):
        warm_up(noisy_first=NOISY_FIRST in sys.argv)
    _write(answers, {"ready": True})
    for line in sys.stdin.buffer:
        task = json.loads(line)
        faulthandler.dump_traceback_later(task["seconds"], exit=True, file=silence)
        answer = answer_to(task)
        faulthandler.cancel_dump_traceback_later()
        _write(answers, answer)


def answer_to(task: dict[str, Any]) -> dict[str, Any]:
    """Return the faults of a record, the counts of its simplified circuits, or the references of an instance.

    Records come from other people, so the code that their settings name is not imported. Any exception is a fault of
    the record; this is the only place where all exceptions are caught.
    """
    try:
        with no_imports():
            if "floors" in task:
                from qas_experiments.benchmarking.references import reference_of

                return {"reference": reference_of(task["settings"], task["floors"])}
            if "counts" in task:
                return {"counts": shorter_counts(Record.of(task["counts"]))}
            terms = task["hamiltonian"]  # read where it is needed, because large ones take longer than the rest
            hamiltonian = None if terms is None else partial(PauliSum, terms)
            return {"faults": faults_of(Record.of(task["record"]), hamiltonian)}
    except Exception as error:
        return {"faults": [f"cannot be verified ({type(error).__name__}: {error})"]}


def _write(answers: Any, answer: dict[str, Any]) -> None:
    answers.write(f"{json.dumps(answer)}\n")
    answers.flush()


def _limit_memory() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.getrlimit(resource.RLIMIT_AS)[1]))


class _Said(io.TextIOBase):
    """A text file whose lines the judge shows."""

    def __init__(self, answers: Any) -> None:
        self._answers = answers

    def write(self, text: str) -> int:
        for line in text.splitlines():
            _write(self._answers, {"says": line})
        return len(text)


def warm_up(noisy_first: bool = False) -> None:
    """Compile or load the kernels, so that this time does not count for any record."""
    circuit, hamiltonian = Circuit(2).ry(0.1, 0).cx(0, 1), PauliSum({"ZZ": 1.0, "XI": 0.5})
    simulators = (StatevectorSimulator(), PauliTransferSimulator(NoiseModel.depolarizing(p1=1e-3, p2=1e-2)))
    for simulator in reversed(simulators) if noisy_first else simulators:
        simulator.expectation(circuit, hamiltonian)
    circuit.to_qiskit()


if __name__ == "__main__":
    main()
