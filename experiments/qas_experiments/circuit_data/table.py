"""CircuitTable: circuits as columns, in one compressed file of NumPy."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from qas_agents import block_circuits
from qas_simulators import Circuit
from qas_simulators.errors import must
from qas_simulators.files import write_whole

FORMAT: Final = 1
SAMPLE: Final = "sample.npz"
_ABOUT: Final = "about"  # member of the file: format and instances as JSON


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Attributes:
        dtype: Type of an entry.
        ragged: Whether a row has any number of entries; then ``<name>_ends`` holds the end of every row's entries.
        meaning: What an entry is, with its unit.
    """

    dtype: str
    meaning: str
    ragged: bool = False


COLUMNS: Final[dict[str, Column]] = {
    "instance": Column("uint16", "number of the instance in `instances`"),
    "skeleton": Column("uint8", "numbers of the blocks in order: the actions of the environment", ragged=True),
    "angles": Column("float32", "radians in [-pi, pi], those of the first row of rotations first", ragged=True),
    "energy": Column("float64", "energy at the stored angles, in the instance's unit"),
    "error": Column("float64", "energy minus the exact ground energy"),
    "search": Column("uint8", "the search that found the skeleton first: 0 `annealing_blocks`, 1 `random_blocks`"),
    "seed": Column("uint16", "its seed"),
    "trial": Column("uint32", "number of the circuit in this search, from 0"),
    "move": Column("uint8", "how the search made it: a number of `MOVES`"),
    "parent": Column("int32", "row of the circuit that this move changed; -1 for none, or for one that is not here"),
    "visits": Column("uint16", "how often searches optimised the skeleton"),
    "evaluations": Column("uint32", "energy evaluations spent on the skeleton, by searches and the last optimisation"),
}
"""The schema."""
SEARCHES: Final = ("annealing_blocks", "random_blocks")
MOVES: Final = ("start", "insert", "delete", "replace", "move", "redraw", "shorten")
"""Moves of annealing over blocks: a circuit at the start of a cycle; a block inserted, deleted, replaced or moved; the
angles of one or two blocks drawn again; a block deleted from a solution."""


@dataclass(frozen=True)
class Instance:
    """An instance of the table.

    Attributes:
        name: Short label.
        environment: Id of the environment.
        arguments: Its arguments.
        num_qubits: Size of the register.
        pairs: The qubits of each block, by its number.
        entangler: The two-qubit gate of a block, on the pair in order.
        dressing: One-qubit gates after it on both qubits, and on every qubit at the start.
        ground_energy: The exact one.
        accuracy: A circuit with a smaller error is a solution.
        unit: Of energies; empty for infidelities.
        digest: ``Problem.digest``, the SHA-256 of the Hamiltonian.
    """

    name: str
    environment: str
    arguments: dict[str, Any]
    num_qubits: int
    pairs: tuple[tuple[int, int], ...]
    entangler: str
    dressing: tuple[str, ...]
    ground_energy: float
    accuracy: float
    unit: str
    digest: str

    @classmethod
    def of(cls, content: Mapping[str, Any]) -> Instance:
        """Return the instance in a JSON object."""
        pairs = tuple((int(a), int(b)) for a, b in content["pairs"])
        return cls(**{**content, "pairs": pairs, "dressing": tuple(content["dressing"])})

    def circuit(self, skeleton: Sequence[int], angles: Any) -> Circuit:
        """Return the circuit of block numbers and angles in radians."""
        made = block_circuits(self.entangler, self.dressing)(self.num_qubits, tuple(self.pairs[k] for k in skeleton))
        made.params = np.asarray(angles, dtype=np.float64)
        return made


@dataclass(frozen=True, eq=False)
class CircuitTable:
    """Circuits of several instances, each skeleton once per instance.

    Attributes:
        instances: The instances.
        columns: Arrays by name, see :data:`COLUMNS`; ``<name>_ends`` belong to ragged columns.

    Raises:
        ValueError: A column is missing, has another type or another length, or a number is out of range.

    Examples:
        >>> table = load_circuits()
        >>> rows = table.where("LiH-4 2.2", solved=True)
        >>> best = table.circuit(min(rows, key=lambda row: len(table.skeleton(row))))
        >>> best.count_ops()["cx"]
        3
    """

    instances: tuple[Instance, ...]
    columns: Mapping[str, NDArray[Any]]

    def __post_init__(self) -> None:
        _check(self.instances, self.columns)

    def __len__(self) -> int:
        return len(self.columns["energy"])

    def skeleton(self, row: int) -> tuple[int, ...]:
        """Return the block numbers of a row: the actions that build it in the environment of its instance."""
        return tuple(self._part("skeleton", row).tolist())

    def angles(self, row: int) -> NDArray[np.float64]:
        """Return the angles of a row, in radians, ``(num_params,)``."""
        return self._part("angles", row).astype(np.float64)

    def instance(self, row: int) -> Instance:
        """Return the instance of a row."""
        return self.instances[int(self.columns["instance"][row])]

    def circuit(self, row: int) -> Circuit:
        """Return the circuit of a row, with its angles."""
        return self.instance(row).circuit(self.skeleton(row), self.angles(row))

    @cached_property
    def solved(self) -> NDArray[np.bool_]:
        """Whether the error of each row is below the accuracy of its instance."""
        accuracies = np.array([one.accuracy for one in self.instances])
        return np.asarray(self.columns["error"] < accuracies[self.columns["instance"]], dtype=np.bool_)

    def where(self, name: str, solved: bool | None = None) -> list[int]:
        """Return the rows of an instance, or only those that are solutions, or none.

        Raises:
            ValueError: No such instance.
        """
        names = [one.name for one in self.instances]
        if name not in names:
            raise ValueError(must("name", f"be one of {', '.join(names)}", name))
        chosen = self.columns["instance"] == names.index(name)
        if solved is not None:
            chosen &= self.solved == solved
        found: list[int] = np.flatnonzero(chosen).tolist()
        return found

    def moves(self, row: int) -> list[tuple[str, int]]:
        """Return the moves of the search that led to a row: each move and the row that it made, from a start on."""
        found: list[tuple[str, int]] = []
        while row >= 0:
            found.append((MOVES[self.columns["move"][row]], row))
            row = int(self.columns["parent"][row])
        return found[::-1]

    def take(self, rows: Sequence[int]) -> CircuitTable:
        """Return a table of these rows, in this order; a parent that is not among them becomes -1."""
        chosen = np.asarray(rows, dtype=np.int64)
        columns: dict[str, NDArray[Any]] = {}
        for name, column in COLUMNS.items():
            if column.ragged:
                parts = [self._part(name, row) for row in chosen.tolist()]
                columns |= ragged(name, parts)
            else:
                columns[name] = self.columns[name][chosen]
        new = np.full(len(self) + 1, -1, dtype=np.int32)  # the last entry is that of parent -1
        new[chosen] = np.arange(len(chosen))
        columns["parent"] = new[columns["parent"]]
        return CircuitTable(self.instances, columns)

    def save(self, path: str | Path) -> Path:
        """Write one compressed file; the same table gives the same bytes."""
        about = {"format": FORMAT, "instances": [asdict(one) for one in self.instances]}
        text = np.frombuffer(json.dumps(about, ensure_ascii=False).encode(), dtype=np.uint8)
        buffer = io.BytesIO()
        arrays: dict[str, Any] = {_ABOUT: text, **self.columns}
        np.savez_compressed(buffer, **arrays)
        return write_whole(Path(path), buffer.getvalue())

    def _part(self, name: str, row: int) -> NDArray[Any]:
        ends = self.columns[f"{name}_ends"]
        return self.columns[name][0 if row == 0 else ends[row - 1] : ends[row]]


def ragged(name: str, parts: Sequence[Any]) -> dict[str, NDArray[Any]]:
    """Return the two arrays of a ragged column."""
    dtype = COLUMNS[name].dtype
    joined = np.concatenate([np.asarray(part, dtype=dtype) for part in parts]) if parts else np.zeros(0, dtype=dtype)
    return {name: joined, f"{name}_ends": np.cumsum([len(part) for part in parts], dtype=np.int64)}


def load_circuits(path: str | Path | None = None) -> CircuitTable:
    """Return the table in a file; without a path, the sample that comes with the package.

    Args:
        path: A file of :meth:`CircuitTable.save`.

    Raises:
        ValueError: Not such a file, or one that is damaged.
    """
    source = files(__package__).joinpath(SAMPLE) if path is None else Path(path)
    try:
        with np.load(io.BytesIO(source.read_bytes()), allow_pickle=False) as content:
            columns = {name: content[name] for name in content.files}
        about = json.loads(columns.pop(_ABOUT).tobytes())
        if about["format"] != FORMAT:
            raise ValueError(must("format", f"be {FORMAT}", about["format"]))
        return CircuitTable(tuple(Instance.of(one) for one in about["instances"]), columns)
    except Exception as error:  # zipfile, zlib, JSON and NumPy errors have no common base class
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise ValueError(must("path", f"name a file of circuits ({reason})", str(source))) from None


def _check(instances: Sequence[Instance], columns: Mapping[str, NDArray[Any]]) -> None:
    """Raise ``ValueError`` unless the columns are those of the schema and fit each other."""
    wanted = {name: column.dtype for name, column in COLUMNS.items()}
    wanted |= {f"{name}_ends": "int64" for name, column in COLUMNS.items() if column.ragged}
    if columns.keys() != wanted.keys():
        raise ValueError(must("columns", "be those of the schema", sorted(columns.keys() ^ wanted.keys())))
    size = len(columns["energy"])
    for name, dtype in wanted.items():
        array, is_ragged = columns[name], name in COLUMNS and COLUMNS[name].ragged
        if array.dtype != dtype or array.ndim != 1 or (len(array) != size and not is_ragged):
            raise ValueError(must(name, f"be {size} numbers of type {dtype}", f"{array.shape}, {array.dtype}"))
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(must(name, "be finite", "not"))
    if size == 0:
        return
    lengths = {name: np.diff(columns[f"{name}_ends"], prepend=0) for name in ("skeleton", "angles")}
    for name, own in lengths.items():
        if (own < 0).any() or own.sum() != len(columns[name]):
            raise ValueError(must(f"{name}_ends", f"increase to {len(columns[name])}", "not"))
    if columns["instance"].max() >= len(instances) or columns["move"].max() >= len(MOVES):
        raise ValueError(must("columns", "number known instances and moves", "others"))
    parents = columns["parent"]
    if parents.max() >= size or parents.min() < -1:
        raise ValueError(must("parent", f"lie in -1..{size - 1}", (int(parents.min()), int(parents.max()))))
    of_row = np.array([len(one.dressing) for one in instances])[columns["instance"]]
    qubits = np.array([one.num_qubits for one in instances])[columns["instance"]]
    if (lengths["angles"] != of_row * (qubits + 2 * lengths["skeleton"])).any():
        raise ValueError(must("angles", "have one entry for every rotation of the skeleton", "others"))
    blocks = np.array([len(one.pairs) for one in instances])[columns["instance"]]
    if (columns["skeleton"] >= np.repeat(blocks, lengths["skeleton"])).any():
        raise ValueError(must("skeleton", "hold blocks of the instance", "others"))
