"""``qas-gadgets``: show, draw and extract gadgets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

from qas_agents.gadgets import Extraction, extract, standalone
from qas_envs.gadget_sets import gadgets_of
from qas_experiments.commands import arguments
from qas_experiments.commands.errors import fail
from qas_experiments.counting import number_of
from qas_experiments.plots import circuit_figure, save
from qas_experiments.training.corpus import Corpus
from qas_simulators import Gadget, save_gadgets
from qas_simulators.errors import must
from qas_simulators.gadgets import definitions

_SHOWN = 8  # parts of a gadget in the table


def main() -> None:
    """Entry point of the console script."""
    given = arguments.gadgets().parse_args()
    console = Console()
    if not console.is_terminal:
        console = Console(width=110)
    try:
        if given.command == "show":
            print_gadgets(gadgets_of(given.gadgets), given.qasm, console)
        elif given.command == "draw":
            for path in draw_gadgets(gadgets_of(given.gadgets), given.out):
                console.print(str(path), highlight=False, soft_wrap=True)
        else:
            limits = {"max_calls": given.max_calls, "max_qubits": given.max_qubits}
            found = learn_gadgets(given.runs, given.out, count=given.count, rank=given.rank, **limits)
            _print_extraction(found, len(found.programs), console)
    except ValueError as error:
        fail(error)


def print_gadgets(gadgets: list[Gadget], as_qasm: bool, console: Console) -> None:
    """Print the parts and circuits of gadgets, or their OpenQASM 3 definitions."""
    if as_qasm:
        console.print(definitions(gadgets), highlight=False, soft_wrap=True)
        return
    table = Table(box=box.SIMPLE, padding=(0, 1), collapse_padding=True)
    for column in ("gadget", "qubits", "angles", "gates", "CNOT", "depth", "parts"):
        table.add_column(column, justify="left" if column in ("gadget", "parts") else "right")
    for gadget in gadgets:
        counts = gadget.num_qubits, gadget.num_params, gadget.num_gates, gadget.num_two_qubit_gates
        parts = [part.what if isinstance(part.what, str) else part.what.name for part in gadget.parts]
        shown = " ".join(parts[:_SHOWN]) + (" ..." if len(parts) > _SHOWN else "")
        table.add_row(gadget.name, *map(str, counts), str(gadget.circuit().depth()), shown)
    console.print(table, highlight=False)
    for gadget in gadgets:
        console.print(gadget.name, highlight=False)
        console.print(f"{gadget.draw()}\n", highlight=False, soft_wrap=True)


def draw_gadgets(gadgets: list[Gadget], folder: Path) -> list[Path]:
    """Draw every gadget into a PNG file; return the paths."""
    paths = []
    for gadget in gadgets:
        folder.mkdir(parents=True, exist_ok=True)
        paths.append(folder / f"{gadget.name}.png")
        save(circuit_figure(gadget.circuit(), angles=gadget.angle_texts(), title=gadget.name), paths[-1])
    return paths


def learn_gadgets(runs: list[Path], out: Path, **settings: Any) -> Extraction:
    """Extract gadgets from the best circuits of runs and write them; the settings are those of :func:`extract`.

    Raises:
        ValueError: Runs without circuits, or a file that exists.
    """
    if out.exists():
        raise ValueError(must("out", "name a new file", str(out)))
    corpus = Corpus.of(runs)
    found = extract(corpus.circuits, blocks=corpus.blocks, **settings)
    save_gadgets(standalone(found.gadgets), out)
    return found


def _print_extraction(found: Extraction, num_circuits: int, console: Console) -> None:
    score = " -> ".join(f"{value:.1f}" for value in found.scores)
    console.print(f"{number_of(num_circuits, 'circuit')}, score {score}", highlight=False)
    if not found.gadgets:
        console.print("no gadget: no part recurs often enough", highlight=False)
    for gadget, uses in zip(found.gadgets, found.uses, strict=True):
        console.print(f"{gadget.name}: {uses} uses", highlight=False)


if __name__ == "__main__":
    main()
