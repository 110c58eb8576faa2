"""Results as objects: runs and benchmarks with their tables, which notebooks show."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from rich.table import Table as RichTable

from qas_envs.energy_errors import error_text
from qas_experiments.runs.files import settings_of
from qas_experiments.runs.folders import SUMMARY
from qas_experiments.runs.metrics import metrics_of
from qas_experiments.settings import TrainSettings
from qas_simulators import Circuit
from qas_simulators.errors import must

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from qas_experiments.benchmarking.records import Record

_COUNTS: Final = {"two_qubit_gates": "CNOT", "depth": "depth", "rotations": "rotations"}


class EnergyError(float):
    """An energy error, which tables show as "exact" below 1e-9."""


@dataclass(frozen=True)
class Table:
    """A table of results: text in a terminal, HTML in a notebook.

    Attributes:
        title: Its title.
        columns: Names of the columns; the first has the names of the rows.
        rows: A tuple of values for each row.

    Examples:
        >>> table = Table("LiH", ("circuit", "CNOT"), [("found", 3), ("empty", 0)])
        >>> print(table)
        LiH
        circuit  CNOT
        found       3
        empty       0
        >>> table.column("CNOT")
        [3, 0]
    """

    title: str
    columns: tuple[str, ...]
    rows: Sequence[tuple[Any, ...]]

    @classmethod
    def of_rich(cls, table: RichTable) -> Table:
        """Return a table of the library ``rich``, which the commands print."""
        columns = tuple(str(column.header) for column in table.columns)
        cells = [[str(cell) for cell in column.cells] for column in table.columns]
        return cls(str(table.title or ""), columns, list(zip(*cells, strict=True)))

    def column(self, name: str) -> list[Any]:
        """Return the values of a column, those of the first one of that name.

        Raises:
            ValueError: There is no such column.
        """
        if name not in self.columns:
            raise ValueError(must("name", f"be one of {list(self.columns)}", name))
        return [row[self.columns.index(name)] for row in self.rows]

    def to_pandas(self) -> Any:
        """Return a ``pandas.DataFrame`` with the first column as its index; pandas must be installed."""
        pandas: Any = import_module("pandas")
        frame = pandas.DataFrame([list(row) for row in self.rows], columns=list(self.columns))
        return frame.set_index(self.columns[0])

    def __str__(self) -> str:
        texts = [list(self.columns), *([_text(value) for value in row] for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*texts, strict=True)]
        lines = []
        for first, *others in texts:
            cells = [first.ljust(widths[0]), *(one.rjust(w) for one, w in zip(others, widths[1:], strict=True))]
            lines.append("  ".join(cells).rstrip())
        return "\n".join([*([self.title] if self.title else []), *lines])

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{escape(name)}</th>" for name in self.columns)
        body = "".join(
            "<tr>"
            + f"<th>{escape(_text(first))}</th>"
            + "".join(f"<td>{escape(_text(v))}</td>" for v in rest)
            + "</tr>"
            for first, *rest in self.rows
        )
        title = f"<caption>{escape(self.title)}</caption>" if self.title else ""
        return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _text(value: Any) -> str:
    """Return a value as it is shown in a table: small numbers as powers of ten, integers with separators."""
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, EnergyError):
        return error_text(value, 3)
    if isinstance(value, float):
        return f"{value:.3e}" if abs(value) < 1e-2 else f"{value:.6f}"
    return str(value)


@dataclass(frozen=True)
class Run:
    """A run of ``qas-train`` or :func:`train`, read from its folder.

    In a notebook it is shown as its table and the drawing of its best circuit.

    Attributes:
        path: The folder.

    Raises:
        ValueError: The folder holds no run that has ended.

    Examples:
        >>> run = Run("runs/lih")  # doctest: +SKIP
        >>> run.energy_error, run.best_circuit.num_two_qubit_gates  # doctest: +SKIP
        (0.00059, 3)
    """

    path: Path

    def __post_init__(self) -> None:
        object.__setattr__(self, "path", Path(self.path))
        if not (self.path / SUMMARY).exists():
            raise ValueError(must("path", "be the folder of a run that has ended, with summary.json", str(self.path)))

    @cached_property
    def summary(self) -> dict[str, Any]:
        """The content of ``summary.json``: all figures of the run."""
        content: dict[str, Any] = json.loads((self.path / SUMMARY).read_text(encoding="utf-8"))
        if "rows" not in content:
            raise ValueError(must("path", "be a single run, such as the folder round-0 in it", str(self.path)))
        return content

    @cached_property
    def settings(self) -> TrainSettings:
        """The settings that the run was made with."""
        return settings_of(self.path)

    @cached_property
    def metrics(self) -> list[dict[str, Any]]:
        """A row per episode: ``steps``, ``evaluations``, ``return``, ``energy_error``, ``two_qubit_gates``, ..."""
        return list(metrics_of(self.path))

    @property
    def best_circuit(self) -> Circuit | None:
        """The best circuit of the training without redundant gates; ``None`` if no circuit was built."""
        path = self.path / "simplified.qasm"
        return Circuit.from_qasm3(path.read_text(encoding="utf-8")) if path.exists() else None

    @property
    def energy(self) -> float | None:
        """Energy of the best circuit in the problem's unit, under the environment's noise."""
        return self._best.get("simplified_energy")

    @property
    def energy_error(self) -> float | None:
        """Error of the best circuit as it was built, in the problem's unit."""
        return self._best.get("energy_error")

    @property
    def is_solved(self) -> bool:
        """Whether that error is below the accuracy of the problem."""
        return self.energy_error is not None and bool(self.energy_error < self.summary["accuracy"])

    @property
    def is_interrupted(self) -> bool:
        """Whether the run was interrupted; ``train(resume=run)`` continues it."""
        return bool(self.summary["interrupted"])

    @property
    def _best(self) -> Mapping[str, Any]:
        return self.summary["rows"].get("found in training") or {}

    def table(self) -> Table:
        """Return a row per circuit: the best of the training, of the frozen policies, of baselines, trivial ones."""
        summary = self.summary
        unit = summary["unit"]
        columns = ("circuit", f"energy [{unit}]" if unit else "infidelity", "error", *_COUNTS.values(), "evaluations")
        title = f"{summary['problem']}: solved below {summary['accuracy']:g} {unit}".rstrip()
        return Table(title, columns, [_row(name, row, len(columns)) for name, row in summary["rows"].items()])

    def learning_curve(self, measure: str = "best_error", *, against: str = "evaluations") -> Figure:
        """Return a figure of a quantity over the training; see :func:`qas_experiments.plots.learning_curves`."""
        from qas_experiments.plots import learning_curves

        accuracy = self.summary["accuracy"] if "error" in measure else None
        return learning_curves({self.path.name: [self.path]}, measure, against=against, accuracy=accuracy)

    def evaluate(
        self, policy: str = "best", rollouts: int = 100, epsilon: float = 0.05, seed: int = 0
    ) -> dict[str, Any]:
        """Play the frozen policy and check every circuit with Qiskit, as ``qas-evaluate`` does.

        Args:
            policy: ``"best"`` or ``"last"``.
            rollouts: Episodes of the stochastic policy.
            epsilon: Share of random legal actions in them, for agents that support it.
            seed: Seed of the episodes.

        Returns:
            The content of ``evaluation.json``.

        Raises:
            ValueError: An agent without a policy, or a number out of range.
        """
        from qas_experiments.commands.evaluate import evaluate

        return evaluate(self.path, policy, rollouts, epsilon, seed)

    def __str__(self) -> str:
        circuit = self.best_circuit
        return f"{self.table()}\n\n{circuit.draw()}" if circuit is not None else str(self.table())

    def _repr_html_(self) -> str:
        circuit = self.best_circuit
        return self.table()._repr_html_() + (circuit.draw("svg") if circuit is not None else "")


def _row(name: str, row: Mapping[str, Any] | None, length: int) -> tuple[Any, ...]:
    """Return the row of a circuit; counts without its redundant gates, where the run has them."""
    if row is None:
        return (name, *[None] * (length - 1))
    counts = [row.get(f"simplified_{key}", row[key]) for key in _COUNTS]
    return name, row["energy"], EnergyError(row["energy_error"]), *counts, row["evaluations"]


@dataclass(frozen=True)
class Benchmark:
    """Results of an agent on the instances of a suite, with those of other agents in the same file of records.

    In a notebook it is shown as its tables.

    Attributes:
        suite: Name of the suite.
        records: A record per instance, agent and seed.
        is_interrupted: Whether cells are missing because the benchmark was interrupted.

    Examples:
        >>> from qas_experiments import benchmark
        >>> result = benchmark("quick", "annealing_blocks")  # doctest: +SKIP
        >>> sum(result.table().column("solved")), len(result)  # doctest: +SKIP
        (25, 25)
    """

    suite: str
    records: Sequence[Record] = field(repr=False)
    is_interrupted: bool = False

    def table(self) -> Table:
        """Return a row per instance, agent and seed."""
        columns = ("instance", "agent", "seed", "solved", "error", "CNOT", "depth", "evaluations")
        return Table(self.suite, columns, [*map(_record_row, self.records)])

    def tables(self) -> list[Table]:
        """Return a table per instance, with intervals over the seeds, and one over all instances."""
        from qas_experiments.benchmarking.tables import suite_tables

        return [Table.of_rich(table) for table in suite_tables(self.suite, self.records)]

    def __iter__(self) -> Iterator[Record]:
        return iter(self.records)

    def __len__(self) -> int:
        return len(self.records)

    def __str__(self) -> str:
        return "\n\n".join(map(str, self.tables()))

    def _repr_html_(self) -> str:
        return "".join(table._repr_html_() for table in self.tables())


def _record_row(record: Record) -> tuple[Any, ...]:
    best = record.circuits["best"]
    is_solved = best["energy_error"] < record.figures["accuracy"]
    figures = (
        EnergyError(best["energy_error"]),
        best["two_qubit_gates"],
        best["depth"],
        record.figures["evaluations"],
    )
    return record.instance, record.agent, str(record.seed), is_solved, *figures
