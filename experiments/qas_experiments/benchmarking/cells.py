"""Cells: an agent on the instances of a suite with several seeds, played and recorded."""

from __future__ import annotations

import dataclasses
import json
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

from qas_envs.energy_errors import error_text
from qas_experiments.agents import entry_of, with_policy_actions
from qas_experiments.benchmarking.answers import Answers
from qas_experiments.benchmarking.judge import Judge
from qas_experiments.benchmarking.recording import record_of
from qas_experiments.benchmarking.records import Record, Records, settings_hash
from qas_experiments.benchmarking.shorter import counts_of_records
from qas_experiments.benchmarking.tables import SHORTER_NOTE, suite_tables
from qas_experiments.benchmarking.true_records import true_records
from qas_experiments.benchmarking.verification import faults_of
from qas_experiments.building import Plan
from qas_experiments.counting import number_of
from qas_experiments.runs.files import is_finished, overridden
from qas_experiments.settings import BenchmarkSettings, TrainingSettings, TrainSettings
from qas_experiments.training.contents import with_contents
from qas_experiments.training.continuing import played
from qas_experiments.training.run import train
from qas_simulators.errors import must, unknown_name

_NOT_OF_CELLS = (
    "instances",
    "seeds",
    "workers",
    "merge",
    "folder",
    "records",
    "dry_run",
)  # choose cells and files


@dataclass(frozen=True)
class Cell:
    """One training of a benchmark.

    Attributes:
        suite: Name of the suite.
        instance: Name of the instance.
        agent: Name of the agent in tables.
        seed: Seed of the training.
        settings: The settings of ``qas-train``.
        command: Command that plays it again.
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
        agent: The chosen option of the agent; empty without a command line.
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


def benchmark(
    settings: BenchmarkSettings, console: Console | None = None, call: Call | None = None, shows_tables: bool = True
) -> dict[str, bool]:
    """Play the cells that have no record, record them, and print the suite's tables.

    Args:
        settings: The settings of ``qas-benchmark``.
        console: Console for messages, by default the one of standard output.
        call: Command line of the settings, by default that of this process.
        shows_tables: Whether to print tables.

    Returns:
        Whether it was ``interrupted``.

    Raises:
        ValueError: Invalid settings, or records that cannot be read or are invalid.
    """
    console = console or wide_console()
    records = Records(Path(settings.records))
    if settings.merge is not None:
        number, left_out = merge(records, Path(settings.merge))
        for line in left_out:
            console.print(f"left out: {line}", highlight=False, markup=False, soft_wrap=True)
        console.print(f"{number_of(number, 'record')} added from {settings.merge}", highlight=False)
    cells = cells_of(settings, call)
    missing_cells = [cell for cell in cells if not is_known(cell, records)]
    console.print(f"{number_of(len(cells), 'cell')}, {len(cells) - len(missing_cells)} recorded", highlight=False)
    if settings.dry_run:
        list_missing(missing_cells, console)
        return {"interrupted": False}
    is_interrupted = play_missing(missing_cells, records, settings.workers, console)
    suite = settings.suite.name
    of_suite = [record for record in records if record.suite == suite] if shows_tables else []
    counts = counts_of_records(of_suite, Answers()) if of_suite else {}
    for table in suite_tables(suite, of_suite, counts):
        console.print(table, highlight=False)
    if of_suite:
        console.print(SHORTER_NOTE, highlight=False)
    console.print(f"records are in {records.path}", highlight=False, soft_wrap=True)
    missing = 0 if is_interrupted else sum(not is_known(cell, records) for cell in cells)
    if missing:
        raise ValueError(f"{missing} of {len(cells)} cells have no record; the lines above say why.")
    if settings.merge is not None and left_out:
        raise ValueError(f"{len(left_out)} records of {settings.merge} were left out; the lines above say why.")
    return {"interrupted": is_interrupted}


def wide_console() -> Console:
    """Return a console that does not wrap tables when its output goes to a file."""
    console = Console()
    return console if console.is_terminal else Console(width=120)


def list_missing(missing: Sequence[Cell], console: Console) -> None:
    """Print the number of missing cells of each agent on each suite."""
    for (suite, agent), number in Counter((cell.suite, cell.agent) for cell in missing).items():
        console.print(f"to play: {number_of(number, 'cell')} of {agent} on {suite}", highlight=False, soft_wrap=True)


def play_missing(missing: list[Cell], records: Records, workers: int, console: Console) -> bool:
    """Play and record cells; return whether they were interrupted.

    Cells that another process is playing are skipped at first; after the others, this process waits for them.
    """
    is_interrupted = False
    for waits in (False, True):
        busy = []
        for number, (cell, outcome) in enumerate(play_all(missing, workers, waits), 1):
            is_interrupted |= outcome.is_interrupted
            if outcome.is_busy:
                busy.append(cell)
            result = outcome.problem or _added(records, outcome)
            console.print(f"{number}/{len(missing)} {cell}: {result}", highlight=False, soft_wrap=True)
        missing = [cell for cell in busy if not is_known(cell, records)]
        if is_interrupted or not missing:
            break
    return is_interrupted


def merge(records: Records, other: Path, judge: Judge | None = None) -> tuple[int, list[str]]:
    """Add the valid records of another file; return how many were new, and a line for each that is left out.

    A record that agrees with an existing one of its cell, apart from machine and folder, is neither of the two.

    Raises:
        ValueError: The file does not exist.
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
    """Record a cell; return its result in one line, or why it cannot be recorded."""
    record = outcome.record
    if record is None:
        return "trained"
    try:
        records.add(record, outcome.hamiltonian)
    except (ValueError, OSError) as error:  # for instance a full disk; the run stays, and the next call records it
        return f"not recorded: {error}"
    best = record.circuits["best"]
    found = f"error {error_text(best['energy_error'])}, {best['two_qubit_gates']} CNOT"
    return f"{found}, {record.figures['evaluations']:,} evaluations, {record.figures['seconds']:.0f} s"


def cells_of(settings: BenchmarkSettings, call: Call | None = None) -> list[Cell]:
    """Return all cells of a benchmark, seed by seed.

    Args:
        settings: The settings of ``qas-benchmark``.
        call: Command line of the settings, by default that of this process.

    Raises:
        ValueError: Unknown instance, numbers out of range, or invalid overrides.
    """
    suite = settings.suite
    names = list(suite.instances) if settings.instances is None else settings.instances
    for name in names:
        if name not in suite.instances:
            raise ValueError(unknown_name(f"instance of suite {suite.name!r}", name, suite.instances))
    seeds = list(range(suite.seeds)) if settings.seeds is None else settings.seeds
    if not seeds or min(seeds) < 0:
        raise ValueError(must("seeds", "be nonnegative numbers", seeds))
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
    of_suite = {name: overridden(base, suite.instances[name], f"instance {name!r}") for name in names}
    of_names = {name: with_contents(with_policy_actions(settings)) for name, settings in of_suite.items()}
    singles = {name for name in names if _is_one_sample(of_names[name])}
    if settings.seeds is not None and len(seeds) > 1 and singles:
        requirement = (
            f"be one for {settings.agent['name']!r} on {', '.join(sorted(singles))}, where seeds change nothing"
        )
        raise ValueError(must("seeds", requirement, seeds))
    pairs = [(seed, name) for seed in seeds for name in names if name not in singles or seed == seeds[0]]
    return [_cell(settings, call, label, name, seed, of_names[name]) for seed, name in pairs]


def _is_one_sample(settings: TrainSettings) -> bool:
    try:
        return Plan.of(settings).is_one_sample()
    except ValueError:  # the error is reported when the cell is played
        return False


def _cell(
    settings: BenchmarkSettings, call: Call, label: str, name: str, seed: int, of_instance: TrainSettings
) -> Cell:
    of_cell = overridden(of_instance, {"training": {"seed": seed}}, "settings")
    digest = settings_hash(dataclasses.asdict(of_cell))[:8]  # so that other settings have another folder
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
    """Return the name of the agent's option, or of its class if it is from another package."""
    if (label := entry_of(settings.agent).label) is not None:
        return label
    return call.agent or str(settings.agent.get("name"))


def _slug(name: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-._" else "_" for letter in name)


def is_known(cell: Cell, records: Records) -> bool:
    """Return whether a cell is recorded, or finished if it is not to be recorded."""
    if not cell.is_recorded:
        return is_finished(Path(str(cell.settings.run)))
    suite, instance, agent, seed = cell.key[:4]
    return records.has(suite, instance, agent, seed, dataclasses.asdict(cell.settings))


# -- playing -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Outcome:
    """The outcome of a cell.

    Attributes:
        record: Its record, if it is finished, valid and to be recorded.
        problem: Why there is no result; empty if there is one.
        is_interrupted: Whether all cells are to end.
        is_busy: Whether another process is playing it.
        hamiltonian: Terms of its instance.
    """

    record: Record | None
    problem: str = ""
    is_interrupted: bool = False
    is_busy: bool = False
    hamiltonian: dict[str, float] | None = None


def play_all(cells: list[Cell], workers: int, waits: bool = False) -> Iterator[tuple[Cell, Outcome]]:
    """Play cells, several at a time; yield their outcomes as they end, until one is interrupted."""
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
            pool.shutdown(cancel_futures=True)  # the running cells were interrupted too, and end
            for future, cell in futures.items():
                if future.done() and not future.cancelled():
                    yield cell, future.result()


def play(cell: Cell, waits: bool = False) -> Outcome:
    """Play or resume a cell, or read its result; write its output to a log file beside its folder.

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
                return Outcome(None, "interrupted; call it again to resume", is_interrupted=True)
            if not cell.is_recorded:
                return Outcome(None)
            record, hamiltonian = record_of(cell, folder, summary)
        faults = faults_of(record)
        if faults:
            return Outcome(None, f"not recorded: {'; '.join(faults)}")
        return Outcome(record, hamiltonian=hamiltonian)
    except Timeout:
        return Outcome(None, f"another process is playing it ({folder}.lock)", is_busy=True)
    except KeyboardInterrupt:  # while waiting; a training handles signals itself
        return Outcome(None, "interrupted; call it again to resume", is_interrupted=True)
    except Exception as error:  # no error of a cell may end the others; the log has the traceback
        with suppress(OSError), folder.with_name(f"{folder.name}.log").open("a", encoding="utf-8") as log:
            traceback.print_exception(error, file=log)
        return Outcome(None, f"failed in {folder}: {' '.join(str(error).split()) or type(error).__name__}")
