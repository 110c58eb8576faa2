"""Repeated commands: read finished runs, resume interrupted ones, and play missing ones."""

from __future__ import annotations

import dataclasses
import gc
import math
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from qas_experiments.benchmarking.records import settings_hash
from qas_experiments.building import resolved
from qas_experiments.runs.files import finished_summary, settings_of
from qas_experiments.runs.folders import ABORTED, PROGRESS
from qas_experiments.settings import TrainSettings
from qas_experiments.training.contents import with_contents
from qas_simulators.errors import must

Train = Callable[[TrainSettings], dict[str, Any]]
_FIRST_FILES = ("versions.json", "config.yaml", "metrics.jsonl", ".lock", ABORTED, PROGRESS)
"""Files that a run writes before its first step."""


LIMITS = ("total_timesteps", "max_evaluations", "max_seconds")
"""Settings of a training that may change when a run is resumed."""


def continued_settings(run: Path, limits: Mapping[str, float]) -> TrainSettings:
    """Return the settings of a run that is resumed, with new limits.

    Raises:
        ValueError: There is no such run, or it is finished and no limit that ended it is extended.
    """
    settings = settings_of(run)
    if settings.rounds and limits:
        raise ValueError(must("resume", "keep all settings of a run with rounds", dict(limits)))
    changed: dict[str, Any] = dict(limits)
    settings = dataclasses.replace(settings, training=dataclasses.replace(settings.training, **changed))
    summary = finished_summary(run)
    if summary is None:
        return settings
    reached = {"total_timesteps": "steps", "max_evaluations": "evaluations", "max_seconds": "seconds"}
    spent = {} if settings.rounds else summary["training"]
    over = [name for name in LIMITS if 0 < getattr(settings.training, name) <= spent.get(reached[name], math.inf)]
    if over or summary.get("ended_by") == "agent" or not limits:
        limit = over[0] if over else "total_timesteps"
        more = f"an interrupted run, or come with a larger limit, such as training.{limit}=... (this one is finished)"
        raise ValueError(must("resume", f"name {more}", str(run)))
    return settings


def played(settings: TrainSettings, train: Train) -> dict[str, Any]:
    """Return the summary of the run in ``settings.run``: read it if finished, else resume or start the run."""
    folder = Path(str(settings.run))
    summary = finished_summary(folder)
    if summary is None:
        is_begun = (folder / "config.yaml").exists()
        with no_failed_start(folder):
            summary = train(dataclasses.replace(settings, resume=str(folder)) if is_begun else settings)
        gc.collect()  # an agent is part of cycles with gigabytes of arrays, which Python looks for too rarely
    return summary


def played_once(settings: TrainSettings, train: Train, patience: float = 0.0) -> tuple[str, dict[str, Any]]:
    """Play a run of a sweep as :func:`played` does, one process at a time.

    Without ``settings.run`` the folder is named after the settings: ``runs/<id>-<agent>-seed<seed>-<hash>``.

    Args:
        settings: The settings of ``qas-train``.
        train: Function that plays the run.
        patience: Seconds to wait for another process that plays the same run.

    Returns:
        ``"finished before"``, ``"resumed"`` or ``"played"``, and the summary.

    Raises:
        ValueError: The folder holds another run, or another process is playing this one.
    """
    settings = with_contents(resolved(settings))
    digest = settings_hash(dataclasses.asdict(settings))
    name = f"{settings.env.id}-{settings.agent['name']}-seed{settings.training.seed}-{digest[:8]}"
    folder = Path(settings.run) if settings.run else Path("runs") / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder.with_name(f"{folder.name}.lock"), timeout=patience):
            if _is_failed_start(folder) and not (folder / "config.yaml").exists():
                shutil.rmtree(folder)  # left by a process that was killed before its first step
            is_begun = (folder / "config.yaml").exists()
            if is_begun and settings_hash(dataclasses.asdict(settings_of(folder))) != digest:
                requirement = "name a new folder, or one of a run with the same settings (runs are never overwritten)"
                raise ValueError(must("run", requirement, str(folder)))
            state = "finished before" if finished_summary(folder) else "resumed" if is_begun else "played"
            return state, played(dataclasses.replace(settings, run=str(folder)), train)
    except Timeout:
        raise ValueError(must("run", "not be played by another process", str(folder))) from None


@contextmanager
def no_failed_start(folder: Path | None) -> Iterator[None]:
    """Remove a run's folder if the block created it and failed before the first step."""
    is_new = folder is not None and not folder.exists()
    try:
        yield
    except Exception:
        if is_new and folder is not None and _is_failed_start(folder):
            shutil.rmtree(folder)
        raise


def _is_failed_start(folder: Path) -> bool:
    """Return whether a folder holds only the files that a run writes before its first step."""
    if folder.is_symlink() or not folder.is_dir():
        return False
    drafts = tuple(f".{name}.part" for name in _FIRST_FILES)
    metrics = folder / "metrics.jsonl"
    is_empty = not metrics.exists() or metrics.stat().st_size == 0
    return is_empty and all(path.name in (*_FIRST_FILES, *drafts, "tensorboard") for path in folder.iterdir())
