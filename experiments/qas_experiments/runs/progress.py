"""Progress: all runs under some folders, how far each is, and what it has found."""

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

from qas_experiments.runs.checkpoints import Checkpoints
from qas_experiments.runs.files import is_finished
from qas_experiments.runs.folders import ABORTED, CHECKPOINT, PROGRESS, SUMMARY
from qas_experiments.runs.metrics import metrics_of
from qas_experiments.yaml_files import read_yaml
from qas_simulators.errors import must

_STATES = ("finished", "running", "interrupted", "aborted", "stopped", "unreadable")
_RARE = ("aborted", "unreadable")  # states that are counted where there are any
_QUIET_SECONDS = 120.0  # a run whose files have not changed for so long is taken for stopped


@dataclass(frozen=True)
class Progress:
    """How far a run is.

    Attributes:
        path: Its folder.
        what: Environment, agent and seed.
        state: ``finished``, ``interrupted``, ``aborted``, ``running``, or ``stopped``: not finished, and silent for two
            minutes. A run that is alive is heard of every ten seconds, whatever it is at.
        share: Of its steps, evaluations or seconds, whichever is nearest to its end; 1 when finished.
        left: Seconds until the training ends, if it goes on as before; ``None`` where nothing tells.
        evaluations: Energy evaluations so far.
        energy_error: The smallest one at the end of an episode, or of the best circuit when finished.
        successes: Episodes that ended in success.
        seconds: Since the last change.
        note: What it is at, or why it was aborted.
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
    """Return a table of all runs under some folders.

    Raises:
        ValueError: A folder that does not exist.
    """
    runs = [_progress_or_not(path) for folder in folders for path in run_folders(folder)]
    numbers = {state: sum(run.state == state for run in runs) for state in _STATES}
    counts = [f"{number} {state}" for state, number in numbers.items() if number or state not in _RARE]
    title = f"{len(runs)} runs: {', '.join(counts)}"
    table = Table(title=title, title_justify="left", box=box.SIMPLE, padding=(0, 1))
    for name in ("run", "what", "state"):
        table.add_column(name, overflow="fold")
    for name in ("done", "left", "evaluations", "best error", "successes", "changed"):
        table.add_column(name, justify="right")
    for run in sorted(runs, key=lambda run: run.seconds):
        if run.state != "finished" or with_finished:
            error = "-" if run.energy_error is None else f"{run.energy_error:.2e}"
            left = "-" if run.left is None else _length(run.left)
            figures = (f"{run.share:.0%}", left, f"{run.evaluations:,}", error, str(run.successes))
            state = f"{run.state}: {run.note}" if run.note else run.state
            table.add_row(
                escape(str(run.path)), escape(run.what), escape(state), *figures, f"{_length(run.seconds)} ago"
            )
    return table


def drop_checkpoints(folders: list[Path]) -> int:
    """Delete the checkpoints of all finished runs under some folders; return of how many.

    Raises:
        ValueError: A folder that does not exist, or a checkpoint that cannot be read; those before are deleted.
    """
    runs = [path for folder in folders for path in run_folders(folder) if (path / CHECKPOINT).is_dir()]
    finished = [path for path in runs if is_finished(path)]
    for path in finished:
        Checkpoints(path / CHECKPOINT).drop()
    return len(finished)


def _progress_or_not(path: Path) -> Progress:
    try:
        return progress_of(path)
    except (OSError, ValueError, KeyError, TypeError):  # files under way, cut off, or of another kind
        return Progress(path, "", "unreadable", 0.0, None, 0, None, 0, 0.0)


def run_folders(folder: Path) -> Iterator[Path]:
    """Yield the folders of all single runs, rounds of others among them.

    Raises:
        ValueError: There is no such folder.
    """
    if not folder.is_dir():
        raise ValueError(must("folder", "exist", str(folder)))
    for path in sorted(folder.rglob("metrics.jsonl")):
        if (path.parent / "config.yaml").exists() and not (path.parent / "round-0").exists():
            yield path.parent


def progress_of(folder: Path) -> Progress:
    """Return how far a run is."""
    config = _config(folder)
    training = config.get("training", {})
    what = f"{config.get('env', {}).get('id')}, {config.get('agent', {}).get('name')}, seed {training.get('seed')}"
    heard = [folder / name for name in ("metrics.jsonl", PROGRESS)]
    silent = time.time() - max(path.stat().st_mtime for path in heard if path.exists())
    if (folder / SUMMARY).exists():
        summary = _json(folder / SUMMARY)
        best, done = summary["rows"]["found in training"], summary["training"]
        state, error = ("interrupted" if summary["interrupted"] else "finished"), best and best["energy_error"]
        share = (
            share_of(training, done["steps"], done["evaluations"], done["seconds"]) if summary["interrupted"] else 1.0
        )
        return Progress(folder, what, state, share, None, done["evaluations"], error, done["successes"], silent)
    rows = list(metrics_of(folder))
    told = _json(folder / PROGRESS)
    steps, evaluations, seconds = (
        max(rows[-1].get(name, 0) if rows else 0, told.get(name, 0)) for name in ("steps", "evaluations", "seconds")
    )
    error = min((row["energy_error"] for row in rows if row["energy_error"] is not None), default=None)
    state, note = "running" if silent < _QUIET_SECONDS else "stopped", str(told.get("part", ""))
    if aborted := _json(folder / ABORTED):
        state, note = "aborted", str(aborted["reason"])
    share = share_of(training, steps, evaluations, seconds)
    left = seconds * (1.0 - share) / share if state == "running" and seconds and share else None
    successes = sum(row["success"] for row in rows)
    return Progress(folder, what, state, share, left, evaluations, error, successes, silent, note)


def _json(path: Path) -> dict[str, Any]:
    """Return what a file of the run tells, nothing where there is none."""
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return content


def _config(folder: Path) -> dict[str, Any]:
    try:
        content = OmegaConf.to_container(read_yaml(folder / "config.yaml"))
    except (ValueError, OmegaConfBaseException):
        return {}
    return {str(key): value for key, value in content.items()} if isinstance(content, dict) else {}


def share_of(training: dict[str, Any], steps: int, evaluations: int, seconds: float) -> float:
    """Return how much of a training's steps, evaluations or seconds is spent, whichever ends it first."""
    limits = [(steps, "total_timesteps"), (evaluations, "max_evaluations"), (seconds, "max_seconds")]
    return min(1.0, max((spent / training[name] for spent, name in limits if training.get(name)), default=0.0))


def _length(seconds: float) -> str:
    for length, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"
