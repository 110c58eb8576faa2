"""The valid records of files, and a line with the reason for every other one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from qas_experiments.benchmarking.comparison import differences
from qas_experiments.benchmarking.judge import Judge
from qas_experiments.benchmarking.judges import Judges, Terms
from qas_experiments.benchmarking.records import Entry, Record, Records
from qas_experiments.counting import counted

_LONGEST_LINE = 400  # characters
_MOST_FAULTS = 5  # reported per record


@dataclass
class TrueRecords:
    """The valid records of some files, each cell once.

    Attributes:
        records: In the order of the files.
        hamiltonians: Terms of their instances by hash, if the files contain them.
        left_out: A line with file, place, cell and reason for every row that is left out.
    """

    records: list[Record] = field(default_factory=list)
    hamiltonians: dict[str, dict[str, float]] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


_Place = tuple[Path, Entry, dict[str, dict[str, float]]]


def true_records(
    paths: Iterable[Path], judge: Judge | Judges, known: Iterable[Record] = (), shows_progress: bool = False
) -> TrueRecords:
    """Return the valid records of files.

    The first valid record of each cell is kept. A later one that agrees with it, apart from times and folders, is
    dropped silently; one that differs is left out with a line that names the differences.

    Args:
        paths: The files.
        judge: The judge, or several, that verify the records.
        known: Valid records that count as earlier; they are not returned.
        shows_progress: Whether to show the progress.
    """
    found = TrueRecords()
    first = {record.cell: record for record in known}
    places = [place for path in paths for place in _places_of(path, found.left_out)]
    faults_of = _verified(places, {record.hash for record in first.values()}, Judges.of(judge), shows_progress)
    for path, entry, hamiltonians in places:
        record = entry.record
        if record is None:
            found.left_out.append(_line(path, entry.place, [entry.fault]))
            continue
        earlier = first.setdefault(record.cell, record)
        # Equal hashes mean equal content, so the second copy needs no verification.
        if earlier is not record and earlier.hash == record.hash:
            continue
        hamiltonian = hamiltonians.get(record.instance_hash)
        faults = faults_of[record.hash, id(hamiltonian)]
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


def _verified(
    places: Sequence[_Place], known: set[str], judges: Judges, shows_progress: bool
) -> dict[tuple[str, int], list[str]]:
    """Return the faults of all records by hash and identity of the Hamiltonian beside them, each verified once."""
    tasks: dict[tuple[str, int], tuple[Record, Terms]] = {}
    for _, entry, hamiltonians in places:
        if entry.record is not None and entry.record.hash not in known:
            hamiltonian = hamiltonians.get(entry.record.instance_hash)
            tasks.setdefault((entry.record.hash, id(hamiltonian)), (entry.record, hamiltonian))
    with counted("verifying records", len(tasks), shows_progress) as advance:
        return dict(zip(tasks, judges.faults([*tasks.values()], advance), strict=True))


def _places_of(path: Path, left_out: list[str]) -> list[_Place]:
    """Return the entries of a file; add a line to ``left_out`` if it cannot be read."""
    try:
        entries, hamiltonians = Records(path).read()
    except ValueError as error:
        left_out.append(_line(path, "", [str(error)]))
        return []
    return [(path, entry, hamiltonians) for entry in entries]


def _line(path: Path, place: str, faults: Sequence[str]) -> str:
    """Return one printable line; names and texts in the file may contain control characters."""
    listed = "; ".join(faults[:_MOST_FAULTS]) + ("; ..." if len(faults) > _MOST_FAULTS else "")
    text = f"{path}{', ' if place else ''}{place}: {listed}"
    text = "".join(letter if letter.isprintable() else " " for letter in text)
    return text if len(text) <= _LONGEST_LINE else f"{text[: _LONGEST_LINE - 3]}..."
