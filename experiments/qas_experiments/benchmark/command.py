"""``qas-benchmark``: an agent on a suite of instances, several seeds each, recorded and set beside all others."""

from __future__ import annotations

import dataclasses
import json
import os
import socket
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from rich.console import Console

from qas_experiments.benchmark.records import Record, Records, instance_hash, machine_name
from qas_experiments.benchmark.tables import suite_tables
from qas_experiments.benchmark.verification import faults_of
from qas_experiments.building import make_environment
from qas_experiments.cli import run_command
from qas_experiments.recorder import Found
from qas_experiments.runs import overridden, read_circuits, settings_of
from qas_experiments.settings import BenchmarkSettings, TrainingSettings, TrainSettings
from qas_experiments.train import train
from qas_simulators import Circuit
from qas_simulators.errors import must, unknown_name

_OF_RUNS = {"best": "found in training", "frozen": "frozen policy, best"}
_FIGURES = ("steps", "episodes", "successes", "evaluations", "gradients", "seconds")


def main() -> None:
    """Entry point of the console script."""
    run_command("benchmark", benchmark)


@dataclass(frozen=True)
class Cell:
    """One training of a benchmark.

    Attributes:
        suite: Name of the suite.
        instance: Name of the instance.
        agent: What tables call the agent.
        seed: Of the training.
        settings: All of ``qas-train``.
    """

    suite: str
    instance: str
    agent: str
    seed: int
    settings: TrainSettings

    def __str__(self) -> str:
        return f"{self.instance}, {self.agent}, seed {self.seed}"


def benchmark(settings: BenchmarkSettings) -> None:
    """Play the cells that no record tells of, record them, print the suite's table.

    Raises:
        ValueError: Settings that do not fit, or records that cannot be used or trusted.
    """
    console = Console()
    if not console.is_terminal:
        console = Console(width=120)
    records = Records(Path(settings.records))
    if settings.merge is not None:
        console.print(f"{records.merge(Path(settings.merge))} records added from {settings.merge}", highlight=False)
    cells = cells_of(settings)
    missing = [cell for cell in cells if not _is_known(cell, records)]
    console.print(f"{len(cells)} cells, {len(cells) - len(missing)} of them recorded", highlight=False)
    for number, (cell, outcome) in enumerate(play_all(missing, settings.workers), 1):
        if isinstance(outcome, str):
            console.print(f"{number}/{len(missing)} {cell}: {outcome}", highlight=False, soft_wrap=True)
            continue
        faults = faults_of(outcome)
        if faults:
            raise ValueError(must("record", f"be true of {cell}", "; ".join(faults)))
        records.add(outcome)
        best = outcome.circuits["best"]
        found = f"error {best['energy_error']:.2e}, {best['two_qubit_gates']} CNOT"
        spent = f"{outcome.figures['evaluations']:,} evaluations, {outcome.figures['seconds']:.0f} s"
        console.print(f"{number}/{len(missing)} {cell}: {found}, {spent}", highlight=False, soft_wrap=True)
    suite = settings.suite.name
    for table in suite_tables(suite, [record for record in records if record.suite == suite]):
        console.print(table, highlight=False)
    console.print(f"records are in {records.path}", highlight=False, soft_wrap=True)


def cells_of(settings: BenchmarkSettings) -> list[Cell]:
    """Return all cells of a benchmark, seed by seed.

    Raises:
        ValueError: An unknown instance, impossible numbers, or overrides that do not fit.
    """
    suite = settings.suite
    names = list(suite.instances) if settings.instances is None else settings.instances
    for name in names:
        if name not in suite.instances:
            raise ValueError(unknown_name(f"instance of suite {suite.name!r}", name, suite.instances))
    seeds = list(range(suite.seeds)) if settings.seeds is None else settings.seeds
    if not seeds or min(seeds) < 0:
        raise ValueError(must("seeds", "be numbers from 0 on", seeds))
    if settings.workers < 1:
        raise ValueError(must("workers", "be at least 1", settings.workers))
    label = settings.label or _label(settings)
    training = TrainingSettings(
        total_timesteps=suite.total_timesteps,
        max_evaluations=suite.max_evaluations,
        max_seconds=suite.max_seconds,
        baselines=False,
        progress=False,
    )
    base = TrainSettings(agent=settings.agent, optimizer=settings.optimizer, noise={"name": "none"}, training=training)
    cells = []
    for seed in seeds:
        for name in names:
            folder = Path(settings.folder) / _slug(suite.name) / _slug(label) / _slug(name) / f"seed-{seed}"
            of_instance = overridden(base, suite.instances[name], f"instance {name!r}")
            of_cell = overridden(of_instance, {"training": {"seed": seed}, "run": str(folder)}, "settings")
            cells.append(Cell(suite.name, name, label, seed, of_cell))
    return cells


def _label(settings: BenchmarkSettings) -> str:
    """Return the name of the agent's option, or of its class from outside."""
    if settings.agent.get("name") == "external":
        return str(settings.agent["target"]).rpartition(":")[2]
    if HydraConfig.initialized():
        return str(HydraConfig.get().runtime.choices["agent"])
    return str(settings.agent.get("name"))


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-._" else "_" for letter in name)


def _is_known(cell: Cell, records: Records) -> bool:
    return records.has(cell.suite, cell.instance, cell.agent, cell.seed, dataclasses.asdict(cell.settings))


# -- playing -----------------------------------------------------------------------------------------------------------


def play_all(cells: list[Cell], workers: int) -> Iterator[tuple[Cell, Record | str]]:
    """Play cells, several at once; yield each with its record, or why it has none, as they end."""
    if workers == 1:
        for cell in cells:
            yield cell, play(cell)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(play, cell): cell for cell in cells}
        for future in as_completed(futures):
            yield futures[future], future.result()


def play(cell: Cell) -> Record | str:
    """Play a cell, or go on with it, or read what it found; what it prints goes to a file beside its folder."""
    folder = Path(str(cell.settings.run))
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with locked(folder.with_name(f"{folder.name}.lock")):
            summary = _finished(folder)
            if summary is None:
                log_path = folder.with_name(f"{folder.name}.log")
                with log_path.open("a", encoding="utf-8") as log, redirect_stdout(log), redirect_stderr(log):
                    summary = train(_to_play(cell, folder))
            if summary["interrupted"]:
                return "interrupted; it goes on when it is called again"
            return record_of(cell, folder, summary)
    except BlockingIOError as error:
        return str(error)


def _finished(folder: Path) -> dict[str, Any] | None:
    path = folder / "summary.json"
    if not path.exists():
        return None
    summary: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return None if summary["interrupted"] else summary


def _to_play(cell: Cell, folder: Path) -> TrainSettings:
    """Return the settings of a new run, or of one to go on with."""
    if not (folder / "config.yaml").exists():
        return cell.settings
    begun, wanted = dataclasses.asdict(settings_of(folder)), dataclasses.asdict(cell.settings)
    different = [name for name in wanted if name not in ("run", "resume") and begun[name] != wanted[name]]
    if different:
        raise ValueError(
            must("folder", f"hold runs with the same {different[0]}; that of {cell} has another", str(folder))
        )
    return dataclasses.replace(cell.settings, resume=str(folder))


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Keep others from a cell.

    Raises:
        BlockingIOError: Someone else is there: a process that lives, or one of another machine.
    """
    me = {"machine": socket.gethostname(), "process": os.getpid()}
    try:
        with path.open("x", encoding="utf-8") as file:
            json.dump(me, file)
    except FileExistsError:
        owner = json.loads(path.read_text(encoding="utf-8") or "{}")
        if owner.get("machine") != me["machine"] or _lives(owner["process"]):
            who = f"process {owner.get('process')} of machine {owner.get('machine')}"
            raise BlockingIOError(f"is being played by {who}; if that is long gone, delete {path}") from None
        path.write_text(json.dumps(me), encoding="utf-8")
    try:
        yield
    finally:
        path.unlink(missing_ok=True)


def _lives(process: int) -> bool:
    if process == os.getpid():
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass
    return True


# -- recording ---------------------------------------------------------------------------------------------------------


def record_of(cell: Cell, folder: Path, summary: dict[str, Any]) -> Record:
    """Return the record of a finished run."""
    training, rows = summary["training"], summary["rows"]
    problem = make_environment(cell.settings, evaluation=True, is_silent=True).problem
    circuits = {}
    for name, row in _OF_RUNS.items():
        path = folder / f"{name}.qasm"
        if rows.get(row) is not None and path.exists():
            circuits[name] = _circuit(path.read_text(encoding="utf-8"), rows[row])
    for number, found in enumerate(_front(read_circuits(folder))):
        circuits[f"front {number}"] = _circuit(found.circuit.to_qasm3(), found.numbers())
    figures = {name: training[name] for name in _FIGURES}
    first = training["first_solved"]
    figures["first_solved"] = None if first is None else [first["evaluations"], first["seconds"]]
    figures["firsts"] = [
        [row["two_qubit_gates"], row["evaluations"], row["seconds"]] for row in training["improvements"]
    ]
    figures |= {name: summary[name] for name in ("ground_energy", "accuracy", "unit")}
    command = (
        f"qas-benchmark suite={cell.suite} agent={cell.agent} 'instances=[\"{cell.instance}\"]' seeds=[{cell.seed}]"
    )
    return Record(
        cell.suite,
        cell.instance,
        cell.agent,
        cell.seed,
        instance_hash(problem),
        dataclasses.asdict(cell.settings),
        summary["versions"],
        machine_name(),
        command,
        figures,
        circuits,
    )


def _circuit(qasm: str, row: dict[str, Any]) -> dict[str, Any]:
    figures = ("energy", "energy_error", "two_qubit_gates", "gates", "depth", "evaluations", "seconds")
    Circuit.from_qasm3(qasm)
    return {"qasm": qasm, **{name: row[name] for name in figures}}


def _front(circuits: list[Found]) -> list[Found]:
    """Return the circuits that no other one beats in both error and two-qubit gates."""
    front: list[Found] = []
    for found in sorted(circuits, key=lambda one: (one.circuit.num_two_qubit_gates, one.energy_error)):
        if not front or found.energy_error < front[-1].energy_error:
            front.append(found)
    return front


if __name__ == "__main__":
    main()
