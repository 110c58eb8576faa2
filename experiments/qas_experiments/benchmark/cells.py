"""Cells: an agent on a suite of instances, several seeds each, recorded and set beside all others."""

from __future__ import annotations

import dataclasses
import json
import math
import shlex
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import redirect_stderr, redirect_stdout, suppress
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from hydra.core.hydra_config import HydraConfig
from rich.console import Console

from qas_experiments.agents import entry_of
from qas_experiments.benchmark.judge import Judge, true_records
from qas_experiments.benchmark.records import Record, Records, machine_name, settings_hash
from qas_experiments.benchmark.tables import suite_tables
from qas_experiments.benchmark.verification import faults_of
from qas_experiments.building import is_one_sample, make_environment
from qas_experiments.runs.files import is_finished, overridden, read_circuits
from qas_experiments.settings import BenchmarkSettings, TrainingSettings, TrainSettings
from qas_experiments.training.contents import with_contents
from qas_experiments.training.continuing import played
from qas_experiments.training.run import train
from qas_simulators import Circuit
from qas_simulators.errors import must, unknown_name

_OF_RUNS = {
    "best": "found in training",
    "frozen": "frozen policy, best",
    "without noise": "best without noise",
}
_NOT_OF_CELLS = ("instances", "seeds", "workers", "merge", "folder", "records", "dry_run")  # which cells, and where
_EXACT = 1e-10  # below, nothing is better
_FIGURES = ("steps", "episodes", "successes", "evaluations", "gradients", "seconds")


@dataclass(frozen=True)
class Cell:
    """One training of a benchmark.

    Attributes:
        suite: Name of the suite.
        instance: Name of the instance.
        agent: What tables call the agent.
        seed: Of the training.
        settings: All of ``qas-train``.
        command: What plays it again.
        is_recorded: Whether it becomes a record; training a policy for other cells does not.
    """

    suite: str
    instance: str
    agent: str
    seed: int
    settings: TrainSettings
    command: str = ""
    is_recorded: bool = True

    def __str__(self) -> str:
        return f"{self.instance}, {self.agent}, seed {self.seed}"

    @property
    def key(self) -> tuple[Any, ...]:
        """``Record.cell`` of its record."""
        return self.suite, self.instance, self.agent, self.seed, settings_hash(dataclasses.asdict(self.settings))


@dataclass(frozen=True)
class Call:
    """The command line that settings were composed from.

    Attributes:
        overrides: Its overrides.
        agent: The chosen option of the agent; empty where there is no command line.
    """

    overrides: tuple[str, ...] = ()
    agent: str = ""

    @classmethod
    def of_process(cls) -> Call:
        """Return the command line of this process."""
        if not HydraConfig.initialized():
            return cls()
        config = HydraConfig.get()
        return cls(tuple(config.overrides.task), str(config.runtime.choices["agent"]))


def benchmark(settings: BenchmarkSettings) -> dict[str, bool]:
    """Play the cells that no record tells of, record them, print the suite's table.

    Returns:
        Whether it was ``interrupted``.

    Raises:
        ValueError: Settings that do not fit, or records that cannot be used or trusted.
    """
    console = wide_console()
    records = Records(Path(settings.records))
    if settings.merge is not None:
        number, left_out = merge(records, Path(settings.merge))
        for line in left_out:
            console.print(f"left out: {line}", highlight=False, markup=False, soft_wrap=True)
        console.print(f"{number} records added from {settings.merge}", highlight=False)
    cells = cells_of(settings)
    missing_cells = [cell for cell in cells if not is_known(cell, records)]
    console.print(f"{len(cells)} cells, {len(cells) - len(missing_cells)} of them recorded", highlight=False)
    if settings.dry_run:
        list_missing(missing_cells, console)
        return {"interrupted": False}
    is_interrupted = play_missing(missing_cells, records, settings.workers, console)
    suite = settings.suite.name
    for table in suite_tables(suite, [record for record in records if record.suite == suite]):
        console.print(table, highlight=False)
    console.print(f"records are in {records.path}", highlight=False, soft_wrap=True)
    missing = 0 if is_interrupted else sum(not is_known(cell, records) for cell in cells)
    if missing:
        raise ValueError(f"{missing} of {len(cells)} cells have no record; why is said above.")
    if settings.merge is not None and left_out:
        raise ValueError(f"{len(left_out)} records of {settings.merge} were left out; why is said above.")
    return {"interrupted": is_interrupted}


def wide_console() -> Console:
    """Return a console that does not wrap tables where its output goes to a file."""
    console = Console()
    return console if console.is_terminal else Console(width=120)


def list_missing(missing: Sequence[Cell], console: Console) -> None:
    """Print the number of missing cells of each agent on each suite."""
    for (suite, agent), number in Counter((cell.suite, cell.agent) for cell in missing).items():
        console.print(f"to play: {number} cells of {agent} on {suite}", highlight=False, soft_wrap=True)


def play_missing(missing: list[Cell], records: Records, workers: int, console: Console) -> bool:
    """Play and record cells; return whether someone interrupted it.

    Cells that another process is playing are left to it. When the others are done, this process waits for them.
    """
    is_interrupted = False
    for waits in (False, True):
        busy = []
        for number, (cell, outcome) in enumerate(play_all(missing, workers, waits), 1):
            is_interrupted |= outcome.is_interrupted
            if outcome.is_busy:
                busy.append(cell)
            told = outcome.problem or _added(records, outcome)
            console.print(f"{number}/{len(missing)} {cell}: {told}", highlight=False, soft_wrap=True)
        missing = [cell for cell in busy if not is_known(cell, records)]
        if is_interrupted or not missing:
            break
    return is_interrupted


def merge(records: Records, other: Path, judge: Judge | None = None) -> tuple[int, list[str]]:
    """Add the true records of another file; return how many were new, and why others are left out, a line each.

    A record that finds the same as ours of its cell is none of both, whatever machine and folder it comes from.

    Raises:
        ValueError: There is no such file.
    """
    if judge is None:
        with Judge() as judge:
            return merge(records, other, judge)
    if not other.is_file():
        raise ValueError(must("merge", "name a file of records", str(other)))
    found = true_records([other], judge, known=records)
    added = sum(records.add(record, found.hamiltonians.get(record.instance_hash)) for record in found.records)
    return added, found.left_out


def _added(records: Records, outcome: Outcome) -> str:
    """Record a cell; return what it found in a line, or why it cannot be recorded."""
    record = outcome.record
    if record is None:
        return "trained"
    try:
        records.add(record, outcome.hamiltonian)
    except (ValueError, OSError) as error:  # such as a full disk; the run stays, and the next call records it
        return f"not recorded: {error}"
    best = record.circuits["best"]
    found = f"error {best['energy_error']:.2e}, {best['two_qubit_gates']} CNOT"
    return f"{found}, {record.figures['evaluations']:,} evaluations, {record.figures['seconds']:.0f} s"


def cells_of(settings: BenchmarkSettings, call: Call | None = None) -> list[Cell]:
    """Return all cells of a benchmark, seed by seed.

    Args:
        settings: All of ``qas-benchmark``.
        call: What they were composed from, by default the command line of this process.

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
    call = call or Call.of_process()
    label = settings.label or _label(settings, call)
    training = TrainingSettings(
        total_timesteps=suite.total_timesteps,
        max_evaluations=suite.max_evaluations,
        max_seconds=suite.max_seconds,
        baselines=False,
        progress=False,
    )
    base = TrainSettings(agent=settings.agent, optimizer=settings.optimizer, noise={"name": "none"}, training=training)
    of_names = {name: with_contents(overridden(base, suite.instances[name], f"instance {name!r}")) for name in names}
    singles = {name for name in names if _is_one_sample(of_names[name])}
    if settings.seeds is not None and len(seeds) > 1 and singles:
        told = f"be one for {settings.agent['name']!r} on {', '.join(sorted(singles))}, where no seed changes anything"
        raise ValueError(must("seeds", told, seeds))
    pairs = [(seed, name) for seed in seeds for name in names if name not in singles or seed == seeds[0]]
    return [_cell(settings, call, label, name, seed, of_names[name]) for seed, name in pairs]


def _is_one_sample(settings: TrainSettings) -> bool:
    try:
        return is_one_sample(settings)
    except ValueError:  # it is told when the cell is played
        return False


def _cell(
    settings: BenchmarkSettings, call: Call, label: str, name: str, seed: int, of_instance: TrainSettings
) -> Cell:
    of_cell = overridden(of_instance, {"training": {"seed": seed}}, "settings")
    digest = settings_hash(dataclasses.asdict(of_cell))[:8]  # other settings, other folder
    suite = settings.suite.name
    folder = Path(settings.folder) / _slug(suite) / _slug(label) / _slug(name) / f"seed-{seed}-{digest}"
    of_cell.run = str(folder)
    return Cell(suite, name, label, seed, of_cell, _command(call, name, seed))


def _command(call: Call, instance: str, seed: int) -> str:
    """Return the command that plays one cell again."""
    kept = [text for text in call.overrides if text.partition("=")[0] not in _NOT_OF_CELLS]
    chosen = [f"instances=[{json.dumps(instance, ensure_ascii=False)}]", f"seeds=[{seed}]"]
    return shlex.join(["qas-benchmark", *kept, *chosen])


def _label(settings: BenchmarkSettings, call: Call) -> str:
    """Return the name of the agent's option, or of its class from outside."""
    if (label := entry_of(settings.agent).label) is not None:
        return label
    return call.agent or str(settings.agent.get("name"))


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-._" else "_" for letter in name)


def is_known(cell: Cell, records: Records) -> bool:
    """Tell whether a cell is recorded, or finished if it is not to be recorded."""
    if not cell.is_recorded:
        return is_finished(Path(str(cell.settings.run)))
    suite, instance, agent, seed = cell.key[:4]
    return records.has(suite, instance, agent, seed, dataclasses.asdict(cell.settings))


# -- playing -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """What became of a cell.

    Attributes:
        record: Its record, if it is finished, true and to be recorded.
        problem: What is wrong; empty where nothing is.
        is_interrupted: Whether someone wants everything to end.
        is_busy: Whether another process is playing it.
        hamiltonian: Terms of its instance.
    """

    record: Record | None
    problem: str = ""
    is_interrupted: bool = False
    is_busy: bool = False
    hamiltonian: dict[str, float] | None = None


def play_all(cells: list[Cell], workers: int, waits: bool = False) -> Iterator[tuple[Cell, Outcome]]:
    """Play cells, several at once; yield what became of each as they end, until one is interrupted."""
    if workers == 1:
        for cell in cells:
            outcome = play(cell, waits)
            yield cell, outcome
            if outcome.is_interrupted:
                return
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        futures = {pool.submit(play, cell, waits): cell for cell in cells}
        try:
            for future in as_completed(list(futures)):
                yield futures.pop(future), future.result()
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)  # those under way were interrupted too, and end
            for future, cell in futures.items():
                if future.done() and not future.cancelled():
                    yield cell, future.result()


def play(cell: Cell, waits: bool = False) -> Outcome:
    """Play a cell, or go on with it, or read what it found; what it prints goes to a file beside its folder.

    Args:
        cell: The cell.
        waits: Whether to wait for another process that is playing it.
    """
    folder = Path(str(cell.settings.run))
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(folder.with_name(f"{folder.name}.lock"), timeout=-1 if waits else 0):
            log_path = folder.with_name(f"{folder.name}.log")
            with log_path.open("a", encoding="utf-8") as log, redirect_stdout(log), redirect_stderr(log):
                summary = played(cell.settings, train)
            if summary["interrupted"]:
                return Outcome(None, "interrupted; it goes on when it is called again", is_interrupted=True)
            if not cell.is_recorded:
                return Outcome(None)
            record, hamiltonian = record_of(cell, folder, summary)
        faults = faults_of(record)
        if faults:
            return Outcome(None, f"not recorded: {'; '.join(faults)}")
        return Outcome(record, hamiltonian=hamiltonian)
    except Timeout:
        return Outcome(None, f"is being played by another process ({folder}.lock)", is_busy=True)
    except KeyboardInterrupt:  # while waiting; training ends by itself
        return Outcome(None, "interrupted; it goes on when it is called again", is_interrupted=True)
    except Exception as error:  # whatever ends a cell must not end the others; the log has the traceback
        with suppress(OSError), folder.with_name(f"{folder.name}.log").open("a", encoding="utf-8") as log:
            traceback.print_exception(error, file=log)
        return Outcome(None, f"failed in {folder}: {' '.join(str(error).split()) or type(error).__name__}")


# -- recording ---------------------------------------------------------------------------------------------------------


def record_of(cell: Cell, folder: Path, summary: dict[str, Any]) -> tuple[Record, dict[str, float]]:
    """Return the record of a finished run, and the terms of its instance."""
    training, rows = summary["training"], summary["rows"]
    problem = make_environment(cell.settings, evaluation=True, is_silent=True).problem
    circuits = {}
    for name, row in _OF_RUNS.items():
        path = folder / f"{name.replace(' ', '_')}.qasm"
        if rows.get(row) is not None and path.exists():
            circuits[name] = _circuit(path.read_text(encoding="utf-8"), rows[row])
    front = read_circuits(folder / "front.json")
    for number, place in enumerate(worth_keeping([found.energy_error for found in front], summary["accuracy"])):
        found = front[place]
        circuits[f"front {number}"] = _circuit(found.circuit.to_qasm3(), found.numbers())
    figures = {name: training[name] for name in _FIGURES}
    first = training["first_solved"]
    figures["first_solved"] = None if first is None else [first["evaluations"], first["seconds"]]
    figures["firsts"] = [
        [row["two_qubit_gates"], row["evaluations"], row["seconds"]] for row in training["improvements"]
    ]
    figures |= {name: summary[name] for name in ("ground_energy", "accuracy", "unit")}
    record = Record(
        cell.suite,
        cell.instance,
        cell.agent,
        cell.seed,
        problem.digest,
        dataclasses.asdict(cell.settings),
        summary["versions"] | dict(problem.provenance.get("tool_versions", {})),
        machine_name(),
        cell.command,
        figures,
        circuits,
    )
    return record, problem.hamiltonian.terms()


def worth_keeping(errors: list[float], accuracy: float) -> list[int]:
    """Return the places of falling errors that are lower by a tenth than the last one kept, or solve as the first."""
    kept: list[int] = []
    last = math.inf
    for place, error in enumerate(errors):
        error = max(error, _EXACT)
        if error < 0.9 * last or error < accuracy <= last:
            kept.append(place)
            last = error
    return kept


def _circuit(qasm: str, row: dict[str, Any]) -> dict[str, Any]:
    figures = ("energy", "energy_error", "two_qubit_gates", "gates", "depth", "evaluations", "seconds")
    Circuit.from_qasm3(qasm)
    return {"qasm": qasm, **{name: row[name] for name in figures}}
