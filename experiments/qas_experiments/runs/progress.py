"""The progress and the results of all runs in some folders."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from rich import box
from rich.markup import escape
from rich.table import Table

from qas_envs.energy_errors import error_text
from qas_experiments.counting import number_of
from qas_experiments.runs.files import is_finished
from qas_experiments.runs.folders import ABORTED, CHECKPOINT, PROGRESS, SUMMARY
from qas_experiments.runs.foreign_checkpoints import checkpoints_in
from qas_experiments.runs.metrics import metrics_of
from qas_experiments.yaml_files import read_yaml
from qas_simulators.errors import must

_STATES = ("finished", "running", "interrupted", "aborted", "stopped", "unreadable")
_RARE = ("aborted", "unreadable")  # states that the title mentions only if they occur
_QUIET_SECONDS = 120.0  # a run whose files have not changed for longer counts as stopped


@dataclass(frozen=True)
class Progress:
    """The progress of a run.

    Attributes:
        path: Folder of the run.
        what: Environment, agent and seed.
        state: ``finished``, ``interrupted``, ``aborted``, ``running``, or ``stopped``: not finished, and without a
            change of its files for two minutes. A live run touches a file every ten seconds.
        share: Spent share of the limit of steps, evaluations or seconds that ends first; 1 when finished.
        left: Estimated seconds until the training ends; ``None`` if unknown.
        evaluations: Energy evaluations so far.
        energy_error: Smallest error at the end of an episode; when finished, the error of the best circuit.
        successes: Episodes that ended in success.
        seconds: Seconds since the last change of a file.
        note: The current part of the run, or why it was aborted.
    """

    path: Path
    what: str
    state: str
    share: float
    left: float | None
    evaluations: int
    energy_error: float | None
    successes: int
    seconds: float
    note: str = ""


def table_of(folders: list[Path], with_finished: bool) -> Table:
    """Return a table of all runs in some folders.

    Raises:
        ValueError: A folder does not exist.
    """
    runs = [_progress_or_not(path) for folder in folders for path in run_folders(folder)]
    numbers = {state: sum(run.state == state for run in runs) for state in _STATES}
    counts = [f"{number} {state}" for state, number in numbers.items() if number or state not in _RARE]
    title = f"{number_of(len(runs), 'run')}: {', '.join(counts)}"
    hidden = numbers["finished"] > 0 and not with_finished
    table = Table(title=title, title_justify="left", box=box.SIMPLE, padding=(0, 1), caption_justify="left")
    table.caption = "finished runs: qas-runs --all" if hidden else None
    for name in ("run", "what", "state"):
        table.add_column(name, overflow="fold")
    for name in ("done", "left", "evaluations", "best error", "successes", "changed"):
        table.add_column(name, justify="right")
    for run in sorted(runs, key=lambda run: run.seconds):
        if run.state != "finished" or with_finished:
            error = "-" if run.energy_error is None else error_text(run.energy_error)
            left = "-" if run.left is None else _length(run.left)
            figures = (f"{run.share:.0%}", left, f"{run.evaluations:,}", error, str(run.successes))
            state = f"{run.state}: {run.note}" if run.note else run.state
            table.add_row(
                escape(str(run.path)), escape(run.what), escape(state), *figures, f"{_length(run.seconds)} ago"
            )
    return table


def drop_checkpoints(folders: list[Path]) -> int:
    """Delete the checkpoints of all finished runs in some folders; return their number.

    Raises:
        ValueError: A folder does not exist, or a checkpoint cannot be read; earlier ones are deleted then.
    """
    runs = [path for folder in folders for path in run_folders(folder) if (path / CHECKPOINT).is_dir()]
    finished = [path for path in runs if is_finished(path)]
    for path in finished:
        checkpoints_in(path / CHECKPOINT).drop()
    return len(finished)


def _progress_or_not(path: Path) -> Progress:
    try:
        return progress_of(path)
    except (OSError, ValueError, KeyError, TypeError):  # files that are incomplete or have another content
        return Progress(path, "", "unreadable", 0.0, None, 0, None, 0, 0.0)


def run_folders(folder: Path) -> Iterator[Path]:
    """Yield the folders of all single runs, including the rounds of a sequence.

    Raises:
        ValueError: There is no such folder.
    """
    if not folder.is_dir():
        raise ValueError(must("folder", "exist", str(folder)))
    for path in sorted(folder.rglob("metrics.jsonl")):
        if (path.parent / "config.yaml").exists() and not (path.parent / "round-0").exists():
            yield path.parent


def progress_of(folder: Path) -> Progress:
    """Return the progress of a run."""
    config = _config(folder)
    training = config.get("training", {})
    what = f"{config.get('env', {}).get('id')}, {config.get('agent', {}).get('name')}, seed {training.get('seed')}"
    files = [folder / name for name in ("metrics.jsonl", PROGRESS)]
    silent = time.time() - max(path.stat().st_mtime for path in files if path.exists())
    if (folder / SUMMARY).exists():
        summary = _json(folder / SUMMARY)
        best, done = summary["rows"]["found in training"], summary["training"]
        state, error = ("interrupted" if summary["interrupted"] else "finished"), best and best["energy_error"]
        share = (
            share_of(training, done["steps"], done["evaluations"], done["seconds"]) if summary["interrupted"] else 1.0
        )
        return Progress(folder, what, state, share, None, done["evaluations"], error, done["successes"], silent)
    rows = list(metrics_of(folder))
    progress = _json(folder / PROGRESS)
    steps, evaluations, seconds = (
        max(rows[-1].get(name, 0) if rows else 0, progress.get(name, 0)) for name in ("steps", "evaluations", "seconds")
    )
    error = min((row["energy_error"] for row in rows if row["energy_error"] is not None), default=None)
    state, note = "running" if silent < _QUIET_SECONDS else "stopped", str(progress.get("part", ""))
    if aborted := _json(folder / ABORTED):
        state, note = "aborted", str(aborted["reason"])
    share = share_of(training, steps, evaluations, seconds)
    left = seconds * (1.0 - share) / share if state == "running" and seconds and share else None
    successes = sum(row["success"] for row in rows)
    return Progress(folder, what, state, share, left, evaluations, error, successes, silent, note)


def _json(path: Path) -> dict[str, Any]:
    """Return the content of a JSON file, empty without the file."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return content


def _config(folder: Path) -> dict[str, Any]:
    try:
        content = OmegaConf.to_container(read_yaml(folder / "config.yaml"))
    except (ValueError, OmegaConfBaseException):
        return {}
    return {str(key): value for key, value in content.items()} if isinstance(content, dict) else {}


def share_of(training: dict[str, Any], steps: int, evaluations: int, seconds: float) -> float:
    """Return the spent share of the limit of steps, evaluations or seconds that ends a training first."""
    limits = [(steps, "total_timesteps"), (evaluations, "max_evaluations"), (seconds, "max_seconds")]
    return min(1.0, max((spent / training[name] for spent, name in limits if training.get(name)), default=0.0))


def _length(seconds: float) -> str:
    for length, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
