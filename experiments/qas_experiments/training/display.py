"""Output for people: the progress bar, the closing table, and TensorBoard."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import TracebackType

from rich import box
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from qas_envs.energy_errors import error_text
from qas_experiments.training.recorder import Recorder, Solution
from qas_simulators import Circuit

_REFRESH_SECONDS = 0.2
_LINE_SECONDS = 20.0
_FIRST_LINE_SECONDS = 3.0


class TrainingBar:
    """A live progress bar in a terminal; elsewhere a plain line every 20 seconds."""

    def __init__(self, console: Console, total_steps: int, unit: str, shown: bool) -> None:
        self._console = console
        self._total = total_steps
        self._unit = unit
        self._shown = shown
        self._next = time.perf_counter() + (0.0 if console.is_terminal else _FIRST_LINE_SECONDS)
        self._progress = Progress(
            TextColumn("{task.fields[status]}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f}%"),
            TimeRemainingColumn(),
            console=console,
            disable=not (shown and console.is_terminal),
        )
        self._task = self._progress.add_task("training", total=total_steps, status="starting")

    def __enter__(self) -> TrainingBar:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def update(self, recorder: Recorder, share_of: Callable[[Recorder], float]) -> None:
        """Show a recorder's state and the spent share of its limits, at most five times a second."""
        now = time.perf_counter()
        if not self._shown or now < self._next:
            return
        self._next = now + (_REFRESH_SECONDS if self._console.is_terminal else _LINE_SECONDS)
        share = share_of(recorder)
        status = status_of(recorder, self._unit)
        if self._console.is_terminal:
            self._progress.update(self._task, completed=share * self._total, status=status)
        else:
            left = recorder.seconds * (1.0 - share) / max(share, 1e-9)
            line = f"{recorder.steps:>9,} steps | {status} | {left:,.0f} s left"
            self._console.print(line, highlight=False, soft_wrap=True)

    def show(self, text: str) -> None:
        """Print lines above the bar."""
        self._console.print(text, highlight=False, markup=False, soft_wrap=True)


def status_of(recorder: Recorder, unit: str, with_rate: bool = True) -> str:
    """Return the state of a training in a few words."""
    status = f"episode {recorder.episodes}"
    if (best := recorder.best) is not None:
        status += f" | best error {error_text(best.energy_error, 2, unit)}"
        status += f" with {best.circuit.num_two_qubit_gates} CNOT"
    rate = recorder.steps / max(recorder.seconds, 1e-9)
    return f"{status} | {rate:,.0f} steps/s" if with_rate else status


def closing_table(
    title: str,
    unit: str,
    rows: dict[str, Solution | None],
    raw: dict[str, Solution | None] | None = None,
    transpiled: Mapping[str, Mapping[str, int]] | None = None,
) -> Table:
    """Return the table of circuits; a missing circuit gives a row of dashes.

    Args:
        title: Title of the table.
        unit: Unit of energies; empty for infidelities.
        rows: Circuits by name.
        raw: The same circuits before redundant gates were removed; counts that differ are shown in brackets.
        transpiled: Counts by name after Qiskit's transpiler.
    """
    table = Table(
        title=title, title_justify="left", caption_justify="left", box=box.SIMPLE, padding=(0, 1), collapse_padding=True
    )
    table.add_column("circuit", no_wrap=True)
    energy = f"energy [{unit}]" if unit else "infidelity"
    columns = [energy, "true error", "CNOT", "depth", "rotations", "evaluations", "seconds"]
    if transpiled is not None:
        columns.insert(3, "by Qiskit")
    for column in columns:
        table.add_column(column, justify="right", no_wrap=True)
    has_redundant = False
    for name, found in rows.items():
        if found is None:
            table.add_row(name, *["-"] * len(columns))
            continue
        before = (raw or rows)[name] or found
        figures = [
            f"{found.energy:.9f}",
            error_text(found.energy_error, 3),
            *map(_beside, _sizes(found.circuit), _sizes(before.circuit)),
            f"{found.evaluations:,}",
            f"{found.seconds:.2f}",
        ]
        if transpiled is not None:
            figures.insert(3, f"{transpiled[name]['two_qubit_gates']:,}")
        table.add_row(name, *figures)
        has_redundant = has_redundant or _sizes(found.circuit) != _sizes(before.circuit)
    notes = ["in brackets: the circuit as it was built, with redundant gates"] if has_redundant else []
    if transpiled is not None:
        notes.append("by Qiskit: CNOTs after its transpiler at level 3")
    table.caption = "\n".join(notes) or None
    return table


def _sizes(circuit: Circuit) -> tuple[int, int, int]:
    return circuit.num_two_qubit_gates, circuit.depth(), circuit.num_rotations


def _beside(count: int, before: int) -> str:
    return f"{count:,}" if count == before else f"{count:,} ({before:,})"
