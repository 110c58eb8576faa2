"""Records: one row per finished cell of a benchmark, only ever added, in one SQLite file.

A record holds everything that its figures follow from: settings, versions, machine, and circuits as OpenQASM 3 with the
energies they are said to have. Its hash is that of all of this, so that a record that was changed is found out.
"""

from __future__ import annotations

import hashlib
import json
import platform
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from qas_simulators.errors import must

FORMAT = 1
_TABLE = """
CREATE TABLE IF NOT EXISTS records (
    hash TEXT PRIMARY KEY, format INTEGER NOT NULL, suite TEXT NOT NULL, instance TEXT NOT NULL, agent TEXT NOT NULL,
    seed INTEGER NOT NULL, settings_hash TEXT NOT NULL, content TEXT NOT NULL
)"""
_INDEX = "CREATE UNIQUE INDEX IF NOT EXISTS cell ON records (suite, instance, agent, seed, settings_hash)"
_CELL = "suite = ? AND instance = ? AND agent = ? AND seed = ? AND settings_hash = ?"
_NOT_SETTINGS = ("run", "resume")  # where a run lies does not change what it finds


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

    @property
    def hash(self) -> str:
        """SHA-256 of the content."""
        return _digest(asdict(self))

    @property
    def cell(self) -> tuple[Any, ...]:
        """What no two records of a file share: suite, instance, agent, seed, settings."""
        return self.suite, self.instance, self.agent, self.seed, self.settings_hash

    @property
    def settings_hash(self) -> str:
        """SHA-256 of the settings, but for where the run lies."""
        return settings_hash(self.settings)


def settings_hash(settings: dict[str, Any], with_seed: bool = True) -> str:
    """Return the SHA-256 of settings, but for where files lie whose content they hold.

    Args:
        settings: All of ``qas-train``.
        with_seed: Also tell seeds, and policies that were trained in the same way, apart.
    """
    kept = {name: value for name, value in settings.items() if name not in _NOT_SETTINGS}
    kept["env"] = {name: value for name, value in kept["env"].items() if value is not None}  # rules added since
    kept["contents"] = dict(kept.get("contents") or {})
    for name in kept["contents"]:
        _forget(kept, name.split("."))
    if not with_seed:
        _forget(kept, ["agent", "run"])
        _forget(kept, ["training", "seed"])
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
    if not draws_nothing(agent):
        return record.hash
    policy = record.settings.get("contents", {}).get("agent.run", agent.get("run"))
    built = {name: (circuit["qasm"], circuit["energy"]) for name, circuit in record.circuits.items()}
    return _digest([policy, built, record.figures["evaluations"]])


def draws_nothing(agent: dict[str, Any]) -> bool:
    """Tell whether an agent takes the same actions with every seed, wherever the environment draws nothing either."""
    return agent.get("name") == "greedy" or (agent.get("name") == "frozen" and agent.get("rollouts", 1) == 1)


def machine_name() -> str:
    """Return what kind of machine this is; nothing that names it."""
    return f"{platform.system()} {platform.machine()}"


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def write_lines(records: Iterable[Record], path: Path) -> None:
    """Write records as lines of text, for version control; :class:`Records` reads such a file as well."""
    lines = [json.dumps({"hash": one.hash, "format": FORMAT, **asdict(one)}, ensure_ascii=False) for one in records]
    draft = path.with_name(f".{path.name}.part")
    draft.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    draft.replace(path)


class Records:
    """The records of one file.

    Args:
        path: The file, an SQLite database; it is made when the first record is added. Lines of text can be read only.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, record: Record) -> bool:
        """Add a record; return False if it is there already.

        Raises:
            ValueError: Another record of the same cell is there, or the file cannot be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self._open() as database:
            database.execute("BEGIN IMMEDIATE")  # nobody else adds between the question and the answer
            database.execute(_TABLE)
            database.execute(_INDEX)
            known = database.execute(f"SELECT hash FROM records WHERE {_CELL}", record.cell).fetchone()
            if known is not None:
                if known[0] == record.hash:
                    return False
                where = f"{record.suite}, {record.instance}, {record.agent}, seed {record.seed}"
                raise ValueError(must("record", f"be the only one of its cell in {self.path}", where))
            content = json.dumps(asdict(record), ensure_ascii=False)
            row = (record.hash, FORMAT, *record.cell, content)
            database.execute("INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        return True

    def has(self, suite: str, instance: str, agent: str, seed: int, settings: dict[str, Any]) -> bool:
        """Tell whether a cell with these settings is there."""
        key = (suite, instance, agent, seed, settings_hash(settings))
        if not self.path.exists():
            return False
        with self._open() as database:
            return database.execute(f"SELECT 1 FROM records WHERE {_CELL}", key).fetchone() is not None

    def __iter__(self) -> Iterator[Record]:
        """Return all records, in the order in which they were added.

        Raises:
            ValueError: A record of another format, or one that was changed; the message says which.
        """
        if not self.path.exists():
            return
        for digest, number, content in self._rows():
            if number != FORMAT:
                raise ValueError(must("format", f"be {FORMAT} in {self.path} (record {digest[:12]})", number))
            record = Record(**json.loads(content))
            if record.hash != digest:
                raise ValueError(
                    must("hash", f"fit the content of record {digest[:12]} in {self.path}", record.hash[:12])
                )
            yield record

    def _rows(self) -> list[tuple[str, int, str]]:
        """Return hash, format and content of each record, of a database or of lines of text."""
        with self.path.open("rb") as file:
            is_text = file.read(1) == b"{"
        if not is_text:
            with self._open() as database:
                return database.execute("SELECT hash, format, content FROM records ORDER BY rowid").fetchall()
        rows = []
        lines = self.path.read_text(encoding="utf-8").split("\n")
        for number, line in enumerate(lines if lines[-1] else lines[:-1], 1):
            try:
                content = json.loads(line)
                digest, form = content.pop("hash"), content.pop("format")
                if form == FORMAT:
                    Record(**content)
                rows.append((digest, form, json.dumps(content, ensure_ascii=False)))
            except (json.JSONDecodeError, KeyError, TypeError, AttributeError) as error:
                raise ValueError(must("records", f"hold one in line {number} ({error!r})", str(self.path))) from None
        return rows

    def merge(self, other: Path) -> int:
        """Add the records of another file; return how many were new.

        Raises:
            ValueError: Something is wrong with one of them; none is added then.
        """
        if not other.is_file():
            raise ValueError(must("records", "name a file of records", str(other)))
        theirs = list(Records(other))
        mine = {record.cell: record.hash for record in self}
        for record in theirs:
            if mine.get(record.cell, record.hash) != record.hash:
                where = f"{record.suite}, {record.instance}, {record.agent}, seed {record.seed}"
                raise ValueError(must("record", f"say the same of a cell in {self.path} and {other}", where))
        return sum(self.add(record) for record in theirs)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection whose changes are all made, or none."""
        try:
            with closing(sqlite3.connect(self.path, timeout=60.0)) as database, database:
                yield database
        except sqlite3.Error as error:
            raise ValueError(
                must("records", f"be a file of records that can be used ({error})", str(self.path))
            ) from None
