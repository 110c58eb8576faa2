"""Writing and reading the files of a run: settings, circuits, versions and summary."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import platform
import shlex
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from qas_envs.imports import TARGET
from qas_experiments.runs.folders import SUMMARY, FolderTakenError, RunFolder
from qas_experiments.runs.paths import settings_file
from qas_experiments.settings import TrainSettings
from qas_experiments.training.recorder import Solution
from qas_experiments.yaml_files import read_yaml
from qas_simulators.errors import must

_NAMED = ("agent", "optimizer", "noise")
_PACKAGES = ("qas-envs", "gymnasium", "numpy", "numba", "scipy", "nlopt", "torch", "hydra-core", "qiskit")


def new_folder(settings: TrainSettings) -> RunFolder:
    """Create the folder of a run, with its settings and the versions of its dependencies.

    Without ``settings.run`` the name is ``runs/<environment>-<agent>-seed<seed>-<time>``, with a number if that exists.
    Creating the folder reserves the name, so two processes never share a folder.

    Raises:
        ValueError: The folder exists, or cannot be created.
    """
    folder = RunFolder(Path(settings.run)) if settings.run else _numbered(settings)
    about = {**versions(), "git_commit": git_commit(), "command": command_line()}
    folder.write_json("versions.json", about)
    write_settings(folder, settings)
    return folder


def write_settings(folder: RunFolder, settings: TrainSettings) -> None:
    """Write the settings of a run."""
    folder.write_text("config.yaml", OmegaConf.to_yaml(OmegaConf.structured(settings)))


def _numbered(settings: TrainSettings) -> RunFolder:
    when = datetime.now().strftime("%Y%m%d-%H%M%S")
    stem = f"{settings.env.id}-{settings.agent['name']}-seed{settings.training.seed}-{when}"
    for number in itertools.count(1):
        path = Path("runs") / (stem if number == 1 else f"{stem}-{number}")
        with suppress(FolderTakenError):
            return RunFolder(path)
    raise AssertionError("numbers do not end")


def write_circuits(folder: RunFolder, name: str, circuits: Sequence[Solution]) -> None:
    """Write circuits with their angles and figures, as in ``circuits.json``."""
    folder.write_json(name, [found.state() for found in circuits])


def read_circuits(path: Path) -> list[Solution]:
    """Return the best distinct circuits of a run, from its folder or its ``circuits.json``.

    Raises:
        ValueError: The file does not exist, or has another content.
    """
    file = path / "circuits.json" if path.is_dir() else path
    try:
        return [Solution.of_state(state) for state in json.loads(file.read_text(encoding="utf-8"))]
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(must("circuits", f"name a finished run ({error!r})", str(path))) from None


def versions() -> dict[str, str]:
    """Return the versions of Python, the platform and the packages that results depend on."""
    found = {"python": platform.python_version(), "platform": f"{sys.platform} {platform.machine()}"}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "not installed"
    return found


def command_line() -> str | None:
    """Return the command that this process was called with; ``None`` in Python and in tests."""
    name = Path(sys.argv[0]).name
    return shlex.join([name, *sys.argv[1:]]) if name.startswith("qas-") else None


@cache
def git_commit() -> str | None:
    """Return the commit of the checkout of this package, with ``-dirty`` if files differ; ``None`` without one."""
    here = Path(__file__).parent
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}

    def git(*arguments: str) -> str:
        command = ["git", "-C", str(here), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10, env=environment)
        return done.stdout.strip()

    try:
        # This fails for an installed package inside an unrelated checkout, whose commit would mean nothing.
        git("ls-files", "--error-unmatch", Path(__file__).name)
        return git("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    except (OSError, subprocess.SubprocessError):
        return None


def settings_of(path: Path) -> TrainSettings:
    """Return the settings of a run.

    Raises:
        ValueError: There is no such run, or its settings cannot be read.
    """
    return settings_from(read_yaml(settings_file(path)))


def settings_from(content: Any) -> TrainSettings:
    """Return the settings in a mapping.

    Raises:
        ValueError: Invalid settings.
    """
    return _merged(_defaults(*_replaced(content)), content, "settings")


def overridden(settings: TrainSettings, overrides: Any, what: str) -> TrainSettings:
    """Return settings with overrides; an agent, an optimiser or a noise with a name replaces the old one entirely.

    Raises:
        ValueError: Invalid overrides; the message calls them ``what``.
    """
    emptied: dict[str, Any] = {name: {} for name in _replaced(overrides)}
    return _merged(OmegaConf.structured(dataclasses.replace(settings, **emptied)), overrides, what)


def _replaced(overrides: Any) -> list[str]:
    """Return the mappings that overrides replace entirely."""
    return [name for name in _NAMED if {"name", TARGET} & {*(overrides.get(name) or {})}]


@cache
def _defaults(*emptied: str) -> DictConfig:
    """Return the default settings, some of them empty; making them takes as long as merging others into them."""
    empty: dict[str, Any] = {name: {} for name in emptied}
    return cast(DictConfig, OmegaConf.structured(dataclasses.replace(TrainSettings(), **empty)))


def _merged(settings: DictConfig, overrides: Any, what: str) -> TrainSettings:
    try:
        return cast(TrainSettings, OmegaConf.to_object(OmegaConf.merge(settings, overrides)))
    except OmegaConfBaseException as error:
        raise ValueError(f"{must(what, 'hold valid overrides', overrides)} {error}".split("\n")[0]) from None


def finished_summary(path: Path) -> dict[str, Any] | None:
    """Return the summary of a finished run, None for any other.

    Raises:
        ValueError: The summary cannot be read.
    """
    file = path / SUMMARY
    if not file.exists():
        return None
    try:
        summary: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        return None if summary["interrupted"] else summary
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ValueError(must("run", f"have a readable summary.json ({error!r})"[:300], str(path))) from None


def is_finished(path: Path) -> bool:
    """Return whether a run is finished."""
    return finished_summary(path) is not None
