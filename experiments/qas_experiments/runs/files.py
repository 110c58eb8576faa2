"""What a run leaves on disk: its settings, circuits, versions and summary, written and read."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, cast

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from qas_experiments.runs.folders import SUMMARY, FolderTakenError, RunFolder
from qas_experiments.settings import TrainSettings
from qas_experiments.training.recorder import Solution
from qas_experiments.yaml_files import read_yaml
from qas_simulators.errors import must

_NAMED = ("agent", "optimizer", "noise")
_PACKAGES = ("qas-envs", "gymnasium", "numpy", "numba", "scipy", "nlopt", "torch", "hydra-core", "qiskit")


def new_folder(settings: TrainSettings) -> RunFolder:
    """Make the folder of a run, with its settings and the versions of what it depends on.

    Without a name in the settings it is ``runs/<environment>-<agent>-seed<seed>-<time>``, numbered if that is taken.
    The name is taken by making the folder, so that of two processes each gets its own.

    Raises:
        ValueError: It exists, or cannot be made.
    """
    folder = RunFolder(Path(settings.run)) if settings.run else _numbered(settings)
    folder.write_json("versions.json", {**versions(), "git_commit": git_commit()})
    folder.write_text("config.yaml", OmegaConf.to_yaml(OmegaConf.structured(settings)))
    return folder


def _numbered(settings: TrainSettings) -> RunFolder:
    when = datetime.now().strftime("%Y%m%d-%H%M%S")
    stem = f"{settings.env.id}-{settings.agent['name']}-seed{settings.training.seed}-{when}"
    for number in itertools.count(1):
        path = Path("runs") / (stem if number == 1 else f"{stem}-{number}")
        with suppress(FolderTakenError):
            return RunFolder(path)
    raise AssertionError("numbers do not end")


def write_circuits(folder: RunFolder, name: str, circuits: Sequence[Solution]) -> None:
    """Write circuits with their angles and figures; ``circuits.json`` has the best different ones of a run."""
    folder.write_json(name, [found.state() for found in circuits])


def read_circuits(path: Path) -> list[Solution]:
    """Return the circuits of a run's folder, or of its ``circuits.json``.

    Raises:
        ValueError: There are none, or the file is of another kind.
    """
    file = path / "circuits.json" if path.is_dir() else path
    try:
        return [Solution.of_state(state) for state in json.loads(file.read_text(encoding="utf-8"))]
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(must("circuits", f"name a run that is finished ({error!r})", str(path))) from None


def versions() -> dict[str, str]:
    """Return the versions that a result depends on."""
    found = {"python": platform.python_version(), "platform": f"{sys.platform} {platform.machine()}"}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


@cache
def git_commit() -> str | None:
    """Return the commit of the checkout that this package is a file of, ``-dirty`` if files differ; else ``None``."""
    here = Path(__file__).parent
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(here), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10, env=environment)
        return done.stdout.strip()

    try:
        git("ls-files", "--error-unmatch", Path(__file__).name)  # a folder of installed packages may lie in a checkout
        return git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    except (OSError, subprocess.SubprocessError):
        return None


def settings_of(path: Path) -> TrainSettings:
    """Return the settings of a run.

    Raises:
        ValueError: There is no such run, or its settings cannot be read.
    """
    file = path / "config.yaml"
    if not file.exists():
        raise ValueError(must("run", "name the folder of a run", str(path)))
    return settings_from(read_yaml(file))


def settings_from(content: Any) -> TrainSettings:
    """Return the settings that a mapping holds.

    Raises:
        ValueError: Settings that do not fit.
    """
    return overridden(TrainSettings(), content, "settings")


def overridden(settings: TrainSettings, overrides: Any, what: str) -> TrainSettings:
    """Return settings with some of them changed; an agent, optimiser or noise with a name replaces the other whole.

    Raises:
        ValueError: Overrides that do not fit; ``what`` names them.
    """
    named: dict[str, Any] = {name: {} for name in _NAMED if "name" in (overrides.get(name) or {})}
    settings = dataclasses.replace(settings, **named)
    try:
        merged = OmegaConf.merge(OmegaConf.structured(settings), overrides)
        return cast(TrainSettings, OmegaConf.to_object(merged))
    except OmegaConfBaseException as error:
        raise ValueError(f"{must(what, 'hold overrides that fit', overrides)} {error}".split("\n")[0]) from None


def finished_summary(path: Path) -> dict[str, Any] | None:
    """Return the summary of a run that came to its end, None of any other.

    Raises:
        ValueError: There is one that cannot be read.
    """
    file = path / SUMMARY
    if not file.exists():
        return None
    try:
        summary: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return None if summary["interrupted"] else summary
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(must("run", f"have a summary.json that can be read ({error!r})"[:300], str(path))) from None


def is_finished(path: Path) -> bool:
    """Tell whether a run came to its end."""
    return finished_summary(path) is not None


def require_unfinished(path: Path) -> None:
    """Raise ``ValueError`` if a run came to its end."""
    if is_finished(path):
        raise ValueError(must("resume", "name a run that was interrupted (this one is finished)", str(path)))
