"""What remains of the circuits of a record after simplification: by this library, and by Qiskit's transpiler."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from qas_experiments.benchmarking.answers import Answers, key_of_counts
from qas_experiments.benchmarking.records import Record
from qas_experiments.training.recorder import counts_of, transpiled_counts
from qas_simulators import Circuit

Counts = dict[str, dict[str, dict[str, int]]]
"""For every circuit of a record by name: counts by name, of the circuit ``simplified`` and ``transpiled``."""


def shorter_counts(record: Record) -> Counts:
    """Return the gate counts of the circuits of a valid record after simplification.

    ``simplified`` are the counts after :meth:`Circuit.simplified`, which merges and cancels gates. ``transpiled`` are
    those of the recorded circuit after Qiskit's transpiler at optimisation level 3, in the gates CX, RZ, SX and X,
    without couplings. Both prepare the same state.
    """
    return {name: dict(_counts(circuit["qasm"])) for name, circuit in record.circuits.items()}


@lru_cache(maxsize=4096)
def _counts(qasm: str) -> dict[str, dict[str, int]]:
    """Return the counts of one circuit, which several records of an instance may have."""
    circuit = Circuit.from_qasm3(qasm)
    return {"simplified": counts_of(circuit.simplified()), "transpiled": transpiled_counts([circuit])[0]}


def counts_of_records(records: Sequence[Record], answers: Answers) -> dict[str, Counts]:
    """Return the counts of valid records by hash; those that ``answers`` does not have are computed and added to it."""
    keys = {record.hash: key_of_counts(record) for record in records}
    missing = [record for record in records if keys[record.hash] not in answers]
    answers.add({keys[record.hash]: [shorter_counts(record), ""] for record in missing})
    return {digest: answers[key][0] for digest, key in keys.items()}
