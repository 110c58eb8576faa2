"""Records: one row per finished cell of a benchmark, only ever added, in one SQLite file.

A record holds everything that its figures follow from: settings, versions, machine, and circuits as OpenQASM 3 with the
energies they are said to have. Its hash is that of all of this, so that a record that was changed is found out. Beside
its records a file has the Hamiltonian of every instance, once, so that a machine that computes other last digits can
compare them.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from qas_experiments.agents import is_random
from qas_experiments.benchmark.comparison import differences
from qas_experiments.benchmark.reading import Row, has_table, opened, rows_of
from qas_experiments.benchmark.schema import check_record
from qas_simulators import PauliSum
from qas_simulators.errors import must

FORMAT = 1
MOST_TERMS = 20_000
"""Of a Hamiltonian that is kept beside records."""
_TABLE = """
CREATE TABLE IF NOT EXISTS records (
    hash TEXT PRIMARY KEY, format INTEGER NOT NULL, suite TEXT NOT NULL, instance TEXT NOT NULL, agent TEXT NOT NULL,
    seed INTEGER NOT NULL, settings_hash TEXT NOT NULL, content TEXT NOT NULL
)"""
_INDEX = "CREATE UNIQUE INDEX IF NOT EXISTS cell ON records (suite, instance, agent, seed, settings_hash)"
_HAMILTONIANS = "CREATE TABLE IF NOT EXISTS hamiltonians (instance_hash TEXT PRIMARY KEY, terms TEXT NOT NULL)"
_CELL = "suite = ? AND instance = ? AND agent = ? AND seed = ? AND settings_hash = ?"
_NOT_SETTINGS = ("run", "resume", "checkpoint")  # where a run lies, and what it keeps, does not change what it finds


@dataclass(frozen=True)
class Record:
    """One cell.

    Attributes:
        suite: Name of the suite.
        instance: Name of the instance in it.
        agent: What the tables call the agent.
        seed: Of the run.
        instance_hash: ``Problem.digest``.
        settings: All of ``qas-train``.
        versions: Of packages.
        machine: Kind of processor and system.
        command: What makes the record again.
        figures: Steps, evaluations, seconds and so on.
        circuits: By name: OpenQASM 3, energy, error and counts.
    """

    suite: str
    instance: str
    agent: str
    seed: int
    instance_hash: str
    settings: dict[str, Any]
    versions: dict[str, str]
    machine: str
    command: str
    figures: dict[str, Any]
    circuits: dict[str, dict[str, Any]]

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Record:
        """Return the record of a JSON object.

        Raises:
            ValueError: A field that is missing or of another kind; the message names it.
        """
        check_record(content)
        return cls(**content)

    @property
    def hash(self) -> str:
        """SHA-256 of the content."""
        return _digest(asdict(self))

    @property
    def cell(self) -> tuple[Any, ...]:
        """What no two records of a file share: suite, instance, agent, seed, settings."""
        return self.suite, self.instance, self.agent, self.seed, self.settings_hash

    @property
    def label(self) -> str:
        """The cell in words."""
        return f"{self.suite}, {self.instance}, {self.agent}, seed {self.seed}"

    @property
    def settings_hash(self) -> str:
        """SHA-256 of the settings, but for where the run lies."""
        return settings_hash(self.settings)


def settings_hash(settings: dict[str, Any], with_seed: bool = True) -> str:
    """Return the SHA-256 of settings, but for where files lie whose content they hold.

    Args:
        settings: All of ``qas-train``.
        with_seed: Also tell apart seeds, policies that were trained in the same way, and limits of wall time, which
            belong to the machine (runs that they ended are marked in tables).
    """
    kept = {name: value for name, value in settings.items() if name not in _NOT_SETTINGS}
    kept["env"] = {name: value for name, value in kept["env"].items() if value is not None}  # rules added since
    kept["contents"] = dict(kept.get("contents") or {})
    for name in kept["contents"]:
        _forget(kept, name.split("."))
    if not with_seed:
        _forget(kept, ["agent", "run"])
        _forget(kept, ["training", "seed"])
        _forget(kept, ["training", "max_seconds"])
        kept["contents"].pop("agent.run", None)
    if not kept["contents"]:  # as in records that were made before there were any
        kept.pop("contents")
    return _digest(kept)


def _forget(settings: dict[str, Any], path: list[str]) -> None:
    """Leave out one of nested settings, in copies of what holds it."""
    first, *rest = path
    if not rest:
        settings.pop(first, None)
    elif isinstance(settings.get(first), dict):
        settings[first] = dict(settings[first])
        _forget(settings[first], rest)


def by_agent(records: Iterable[Record]) -> dict[str, list[Record]]:
    """Return the records of one instance by agent; where one name has several settings, a hash tells them apart.

    One sample counts once: records of several seeds of which none drew anything.
    """
    groups: dict[str, dict[str, dict[str, Record]]] = {}
    for record in records:
        same = groups.setdefault(record.agent, {}).setdefault(settings_hash(record.settings, with_seed=False), {})
        same.setdefault(_sample(record), record)
    named: dict[str, list[Record]] = {}
    for agent, variants in groups.items():
        for digest, some in variants.items():
            named[agent if len(variants) == 1 else f"{agent} ({digest[:6]})"] = [*some.values()]
    return named


def _sample(record: Record) -> str:
    """Return what tells samples apart: the record; of one rollout of a frozen policy, what it built."""
    agent = record.settings["agent"]
    if is_random(agent):
        return record.hash
    policy = record.settings.get("contents", {}).get("agent.run", agent.get("run"))
    built = {name: (circuit["qasm"], circuit["energy"]) for name, circuit in record.circuits.items()}
    return _digest([policy, built, record.figures["evaluations"]])


def machine_name() -> str:
    """Return what kind of machine this is; nothing that names it."""
    return f"{platform.system()} {platform.machine()}"


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def write_lines(
    records: Iterable[Record], path: Path, hamiltonians: Mapping[str, Mapping[str, float]] | None = None
) -> None:
    """Write records as lines of text, for version control; :class:`Records` reads such a file as well.

    Args:
        records: The records.
        path: The file; one whose name ends in ``.xz`` is compressed. The same records give the same bytes.
        hamiltonians: Terms by hash of the instance, written before the records.
    """
    beside = [{"instance_hash": name, "hamiltonian": terms} for name, terms in (hamiltonians or {}).items()]
    contents = [*beside, *({"hash": one.hash, "format": FORMAT, **asdict(one)} for one in records)]
    draft = path.with_name(f".{path.name}.part")
    lines = "".join(f"{json.dumps(each, ensure_ascii=False)}\n" for each in contents).encode()
    if path.suffix == ".xz":
        import lzma  # as in reading.py

        lines = lzma.compress(lines)
    draft.write_bytes(lines)
    draft.replace(path)


@dataclass(frozen=True)
class Entry:
    """What a file has in one place.

    Attributes:
        place: Such as ``line 3``.
        record: The record, or None if there is none that can be read.
        fault: Why there is none.
    """

    place: str
    record: Record | None
    fault: str = ""


class Records:
    """The records of one file.

    Args:
        path: The file, an SQLite database; it is made when the first record is added. Lines of text,
            compressed or not, can be read only.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, record: Record, hamiltonian: Mapping[str, float] | None = None) -> bool:
        """Add a record; return False if its cell is there already and says the same.

        Args:
            record: The record.
            hamiltonian: Terms of its instance, kept once for all records of it, up to ``MOST_TERMS``.

        Raises:
            ValueError: The record of the same cell found something else, or the file cannot be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with opened(self.path) as database:
            database.execute("BEGIN IMMEDIATE")  # nobody else adds between the question and the answer
            for statement in (_TABLE, _INDEX, _HAMILTONIANS):
                database.execute(statement)
            found = database.execute(f"SELECT hash, content FROM records WHERE {_CELL}", record.cell).fetchone()
            if found is not None:
                other = [] if found[0] == record.hash else differences(Record.of(json.loads(found[1])), record)
                if other:
                    only = f"say what the one of its cell in {self.path} says ({'; '.join(other[:3])})"
                    raise ValueError(must("record", only, record.label))
                return False
            content = json.dumps(asdict(record), ensure_ascii=False)
            row = (record.hash, FORMAT, *record.cell, content)
            database.execute("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            if hamiltonian is not None and len(hamiltonian) <= MOST_TERMS:
                terms = (record.instance_hash, json.dumps(dict(hamiltonian)))
                database.execute("INSERT OR IGNORE INTO hamiltonians VALUES (?, ?)", terms)
        return True

    def has(self, suite: str, instance: str, agent: str, seed: int, settings: dict[str, Any]) -> bool:
        """Tell whether a cell with these settings is there."""
        key = (suite, instance, agent, seed, settings_hash(settings))
        if not self.path.exists():
            return False
        with opened(self.path) as database:
            if not has_table(database, "records"):  # another process is about to make it
                return False
            return database.execute(f"SELECT 1 FROM records WHERE {_CELL}", key).fetchone() is not None

    def __iter__(self) -> Iterator[Record]:
        """Return all records, in the order in which they were added.

        Raises:
            ValueError: One that cannot be read, of another format, or that was changed; the message says which.
        """
        for entry in self.read()[0]:
            if entry.record is None:
                raise ValueError(must("records", f"hold one in {entry.place} ({entry.fault})", str(self.path)))
            yield entry.record

    def read(self) -> tuple[list[Entry], dict[str, dict[str, float]]]:
        """Return what is in every place of the file, and the Hamiltonians by hash of the instance; none without a file.

        Raises:
            ValueError: It is no file of records.
        """
        entries: list[Entry] = []
        hamiltonians: dict[str, dict[str, float]] = {}
        for row in rows_of(self.path) if self.path.exists() else ():
            if "hamiltonian" not in row.content:
                entries.append(_entry(row))
                continue
            try:
                name, terms = _hamiltonian(row.content)
                hamiltonians[name] = terms
            except ValueError as error:
                entries.append(Entry(row.place, None, str(error)))
        return entries, hamiltonians


def _entry(row: Row) -> Entry:
    """Return the record of a row, or why there is none."""
    content = dict(row.content)
    try:
        if row.fault:
            raise ValueError(row.fault)
        digest, form = (content.pop(name, None) for name in ("hash", "format"))
        if form != FORMAT:
            raise ValueError(must("format", f"be {FORMAT}", form))
        record = Record.of(content)
        if record.hash != digest:
            raise ValueError(must("hash", f"fit the content of record {str(digest)[:12]}", record.hash[:12]))
        return Entry(row.place, record)
    except ValueError as error:
        return Entry(row.place, None, str(error))


def _hamiltonian(content: Mapping[str, Any]) -> tuple[str, dict[str, float]]:
    """Return hash and terms of a Hamiltonian, which are Pauli strings with real coefficients."""
    name, terms = content.get("instance_hash"), content["hamiltonian"]
    if not isinstance(name, str) or not isinstance(terms, dict) or not 1 <= len(terms) <= MOST_TERMS:
        raise ValueError(f"`hamiltonian` must hold 1 to {MOST_TERMS:,} Pauli strings and have an `instance_hash`.")
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in terms.values()):
        raise ValueError("`hamiltonian` must have numbers as coefficients.")
    PauliSum(terms)
    return name, terms
