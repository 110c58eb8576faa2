"""Records: one row per finished cell of a benchmark, in an SQLite file to which rows are only added.

A record holds everything that determines its figures: settings, versions, machine, and circuits as OpenQASM 3 with
their energies. Its hash covers all of this, so changes are detected. A file also holds the Hamiltonian of every
instance once, so that a machine that computes other last digits can compare them.
"""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from qas_experiments.agents import is_random
from qas_experiments.benchmarking.comparison import differences
from qas_experiments.benchmarking.reading import Row, has_table, opened, rows_of
from qas_experiments.benchmarking.schema import check_record
from qas_simulators import PauliSum
from qas_simulators.errors import must

FORMAT = 1
MOST_TERMS = 20_000
"""Largest number of terms of a Hamiltonian that is stored with records."""
_TABLE = """
CREATE TABLE IF NOT EXISTS records (
    hash TEXT PRIMARY KEY, format INTEGER NOT NULL, suite TEXT NOT NULL, instance TEXT NOT NULL, agent TEXT NOT NULL,
    seed INTEGER NOT NULL, settings_hash TEXT NOT NULL, content TEXT NOT NULL
)"""
_INDEX = "CREATE UNIQUE INDEX IF NOT EXISTS cell ON records (suite, instance, agent, seed, settings_hash)"
_HAMILTONIANS = "CREATE TABLE IF NOT EXISTS hamiltonians (instance_hash TEXT PRIMARY KEY, terms TEXT NOT NULL)"
_CELL = "suite = ? AND instance = ? AND agent = ? AND seed = ? AND settings_hash = ?"
_ADDED: Final[dict[str, dict[str, Any]]] = {
    "training": {"tf32": False, "collectors": 0, "num_envs": 0},
    "agent": {
        **{"blind": False, "expert_rounds": 0, "expert": 100, "expert_steps": 200, "expert_groups": 20},
        **{"scout_iterations": [], "scout_rounds": 1, "scout_repeats": 1, "scout_pairs": False},
        **{"scout_temperature": 0.0, "spread": 1.0, "climb": False, "brevity": 2.0},
    },
}
"""Settings by section that the first records do not have, with the values that their absence stands for."""
_NOT_SETTINGS = ("run", "resume", "checkpoint", "loggers")  # they do not change the results of a run


@dataclass(frozen=True)
class Record:
    """One cell.

    Attributes:
        suite: Name of the suite.
        instance: Name of the instance in it.
        agent: Name of the agent in tables.
        seed: Seed of the run.
        instance_hash: ``Problem.digest``.
        settings: The settings of ``qas-train``.
        versions: Versions of packages.
        machine: Operating system and processor type.
        command: Command that reproduces the record.
        figures: Steps, evaluations, seconds and other counts.
        circuits: OpenQASM 3, energy, error and counts, by name.
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
        """Return the record in a JSON object.

        Raises:
            ValueError: A field is missing or has another type; the message names it.
        """
        check_record(content)
        return cls(**content)

    @cached_property
    def hash(self) -> str:
        """SHA-256 of the content."""
        return _digest(self.content())

    def content(self) -> dict[str, Any]:
        """Return the fields by name; their values are not copied."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @property
    def cell(self) -> tuple[Any, ...]:
        """The key that is unique in a file: suite, instance, agent, seed, and hash of the settings."""
        return self.suite, self.instance, self.agent, self.seed, self.settings_hash

    @property
    def label(self) -> str:
        """The cell as text."""
        return f"{self.suite}, {self.instance}, {self.agent}, seed {self.seed}"

    @cached_property
    def settings_hash(self) -> str:
        """SHA-256 of the settings, without the folder of the run."""
        return settings_hash(self.settings)


def settings_hash(settings: dict[str, Any], with_seed: bool = True) -> str:
    """Return the SHA-256 of settings, without the paths of files whose hashes they hold.

    Args:
        settings: The settings of ``qas-train``.
        with_seed: Whether to include the seed, the hash of a policy (besides that of its training), and the limit of
            wall time, which depends on the machine (tables mark the runs that it ended).
    """
    kept = {name: value for name, value in settings.items() if name not in _NOT_SETTINGS}
    # Without None, a rule that is added to the settings later does not change the hashes of earlier records.
    kept["env"] = {name: value for name, value in kept["env"].items() if value is not None}
    for section, added in _ADDED.items():
        kept[section] = {name: value for name, value in kept[section].items() if value != added.get(name, ())}
    kept["contents"] = dict(kept.get("contents") or {})
    for name in kept["contents"]:
        _remove(kept, name.split("."))
    if not with_seed:
        _remove(kept, ["agent", "run"])
        _remove(kept, ["training", "seed"])
        _remove(kept, ["training", "max_seconds"])
        kept["contents"].pop("agent.run", None)
    if not kept["contents"]:  # as in records that were made before this field existed
        kept.pop("contents")
    return _digest(kept)


def _remove(settings: dict[str, Any], path: list[str]) -> None:
    """Remove one nested setting, from copies of the mappings around it."""
    first, *rest = path
    if not rest:
        settings.pop(first, None)
    elif isinstance(settings.get(first), dict):
        settings[first] = dict(settings[first])
        _remove(settings[first], rest)


def by_agent(records: Iterable[Record]) -> dict[str, list[Record]]:
    """Return the records of one instance by agent; a hash is added to names that have several settings.

    Seeds of a deterministic run are one sample, which counts once.
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
    """Return the key of a sample: the record's hash, or for a deterministic run its policy and circuits."""
    agent = record.settings["agent"]
    if is_random(agent):
        return record.hash
    policy = record.settings.get("contents", {}).get("agent.run", agent.get("run"))
    built = {name: (circuit["qasm"], circuit["energy"]) for name, circuit in record.circuits.items()}
    return _digest([policy, built, record.figures["evaluations"]])


def machine_name() -> str:
    """Return the operating system and processor type, without anything that identifies the machine."""
    return f"{platform.system()} {platform.machine()}"


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def write_lines(
    records: Iterable[Record], path: Path, hamiltonians: Mapping[str, Mapping[str, float]] | None = None
) -> None:
    """Write records as lines of text, for version control; :class:`Records` reads such files too.

    Args:
        records: The records.
        path: The file; one whose name ends in ``.xz`` is compressed. The same records give the same bytes.
        hamiltonians: Terms by hash of the instance, written before the records.
    """
    beside = [{"instance_hash": name, "hamiltonian": terms} for name, terms in (hamiltonians or {}).items()]
    contents = [*beside, *({"hash": one.hash, "format": FORMAT, **one.content()} for one in records)]
    draft = path.with_name(f".{path.name}.part")
    lines = "".join(f"{json.dumps(each, ensure_ascii=False)}\n" for each in contents).encode()
    if path.suffix == ".xz":
        import lzma  # imported here because Python can be built without it

        lines = lzma.compress(lines)
    draft.write_bytes(lines)
    draft.replace(path)


@dataclass(frozen=True)
class Entry:
    """A row of a file of records.

    Attributes:
        place: Such as ``line 3``.
        record: The record, or None if it cannot be read.
        fault: Why it cannot be read.
    """

    place: str
    record: Record | None
    fault: str = ""


class Records:
    """The records of one file.

    Args:
        path: The file, an SQLite database that is created with the first record. Lines of text, compressed or not, are
            read-only.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, record: Record, hamiltonian: Mapping[str, float] | None = None) -> bool:
        """Add a record; return False if its cell has an equal record already.

        Args:
            record: The record.
            hamiltonian: Terms of its instance, stored once for all of its records, up to ``MOST_TERMS``.

        Raises:
            ValueError: The record of the same cell differs, or the file cannot be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with opened(self.path) as database:
            database.execute("BEGIN IMMEDIATE")  # so that no other process adds a record between query and insertion
            for statement in (_TABLE, _INDEX, _HAMILTONIANS):
                database.execute(statement)
            found = database.execute(f"SELECT hash, content FROM records WHERE {_CELL}", record.cell).fetchone()
            if found is not None:
                other = [] if found[0] == record.hash else differences(Record.of(json.loads(found[1])), record)
                if other:
                    requirement = f"agree with the record of the same cell in {self.path} ({'; '.join(other[:3])})"
                    raise ValueError(must("record", requirement, record.label))
                return False
            content = json.dumps(record.content(), ensure_ascii=False)
            row = (record.hash, FORMAT, *record.cell, content)
            database.execute("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
            if hamiltonian is not None and len(hamiltonian) <= MOST_TERMS:
                terms = (record.instance_hash, json.dumps(dict(hamiltonian)))
                database.execute("INSERT OR IGNORE INTO hamiltonians VALUES (?, ?)", terms)
        return True

    def has(self, suite: str, instance: str, agent: str, seed: int, settings: dict[str, Any]) -> bool:
        """Return whether a cell with these settings is recorded."""
        key = (suite, instance, agent, seed, settings_hash(settings))
        if not self.path.exists():
            return False
        with opened(self.path) as database:
            if not has_table(database, "records"):  # another process has created the file, but not the table yet
                return False
            return database.execute(f"SELECT 1 FROM records WHERE {_CELL}", key).fetchone() is not None

    def __iter__(self) -> Iterator[Record]:
        """Yield all records, in the order in which they were added.

        Raises:
            ValueError: A record cannot be read, has another format, or was changed; the message names it.
        """
        for entry in self.read()[0]:
            if entry.record is None:
                raise ValueError(must("records", f"have a valid {entry.place} ({entry.fault})", str(self.path)))
            yield entry.record

    def read(self) -> tuple[list[Entry], dict[str, dict[str, float]]]:
        """Return the entries of the file, and the Hamiltonians by hash of the instance; empty without the file.

        Raises:
            ValueError: The file is not a file of records.
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
    """Return the entry of a row, with its record or its fault."""
    content = dict(row.content)
    try:
        if row.fault:
            raise ValueError(row.fault)
        digest, form = (content.pop(name, None) for name in ("hash", "format"))
        if form != FORMAT:
            raise ValueError(must("format", f"be {FORMAT}", form))
        record = Record.of(content)
        if record.hash != digest:
            raise ValueError(must("hash", f"match the content of record {str(digest)[:12]}", record.hash[:12]))
        return Entry(row.place, record)
    except ValueError as error:
        return Entry(row.place, None, str(error))


def _hamiltonian(content: Mapping[str, Any]) -> tuple[str, dict[str, float]]:
    """Return hash and terms of a Hamiltonian; terms are Pauli strings with real coefficients."""
    name, terms = content.get("instance_hash"), content["hamiltonian"]
    if not isinstance(name, str) or not isinstance(terms, dict) or not 1 <= len(terms) <= MOST_TERMS:
        raise ValueError(f"`hamiltonian` must hold 1 to {MOST_TERMS:,} Pauli strings and have an `instance_hash`.")
    if not all(isinstance(value, int | float) and not isinstance(value, bool) for value in terms.values()):
        raise ValueError("`hamiltonian` must have numbers as coefficients.")
    PauliSum(terms)
    return name, terms
