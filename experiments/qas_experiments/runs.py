"""What a run leaves on disk; every file is written whole or not at all."""

from __future__ import annotations

import dataclasses
import json
import platform
import sys
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, cast

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from qas_experiments.recorder import Found
from qas_experiments.settings import TrainSettings
from qas_experiments.yaml_files import read_yaml
from qas_simulators.errors import must

_NAMED = ("agent", "optimizer", "noise")
_PACKAGES = ("qas-envs", "gymnasium", "numpy", "numba", "scipy", "nlopt", "torch", "hydra-core", "qiskit")


class RunFolder:
    """A new folder for one run.

    Raises:
        ValueError: It exists; runs are never overwritten.
    """

    def __init__(self, path: Path) -> None:
        self._make(path)
        self.path = path
        self._metrics = (path / "metrics.jsonl").open("a", encoding="utf-8")

    @classmethod
    def reopen(cls, path: Path) -> RunFolder:
        """Return the folder of a run that is to go on.

        Raises:
            ValueError: There is none.
        """
        if not (path / "config.yaml").exists():
            raise ValueError(must("resume", "name the folder of a run", str(path)))
        (path / "summary.json").unlink(missing_ok=True)  # it told of an interruption, which is over
        folder = cls.__new__(cls)
        folder.path = path
        folder._metrics = (path / "metrics.jsonl").open("a", encoding="utf-8")
        return folder

    @staticmethod
    def _make(path: Path) -> None:
        try:
            path.mkdir(parents=True)
        except FileExistsError:
            raise ValueError(must("run", "name a new folder (runs are never overwritten)", str(path))) from None
        except OSError as error:
            raise ValueError(must("run", f"name a folder that can be made ({error.strerror})", str(path))) from None

    def write_text(self, name: str, text: str) -> Path:
        """Write a text file atomically and return its path."""
        temporary, target = self.path / f".{name}.part", self.path / name
        temporary.write_text(text, encoding="utf-8")
        return temporary.replace(target)

    def write_json(self, name: str, value: Any) -> Path:
        """Write JSON atomically and return its path."""
        return self.write_text(name, json.dumps(value, indent=1, ensure_ascii=False) + "\n")

    def tell_progress(self, steps: int, evaluations: int) -> None:
        """Let others see that the run is alive, and how far it is."""
        self._metrics.flush()
        self.write_json("progress.json", {"steps": steps, "evaluations": evaluations})

    def forget_progress(self) -> None:
        """The summary tells it from now on."""
        (self.path / "progress.json").unlink(missing_ok=True)

    def append_metrics(self, row: dict[str, Any]) -> None:
        """Add a line to ``metrics.jsonl``."""
        self._metrics.write(json.dumps(row) + "\n")

    def metrics_size(self) -> int:
        """Return how many bytes of metrics are on disk, all written so far."""
        self._metrics.flush()
        return self._metrics.tell()

    def cut_metrics(self, size: int) -> None:
        """Forget metrics beyond so many bytes: they belong to steps that will be made again."""
        self._metrics.truncate(size)
        self._metrics.seek(size)

    def close(self) -> None:
        """Flush the metrics."""
        self._metrics.close()


def default_path(environment: str, agent: str, seed: int, when: str) -> Path:
    """Return ``runs/<environment>-<agent>-seed<seed>-<when>``, numbered if it is taken."""
    stem = Path("runs") / f"{environment}-{agent}-seed{seed}-{when}"
    path, number = stem, 2
    while path.exists():
        path, number = stem.with_name(f"{stem.name}-{number}"), number + 1
    return path


def new_folder(settings: TrainSettings) -> RunFolder:
    """Make the folder of a run, with its settings and the versions of what it depends on.

    Raises:
        ValueError: It exists.
    """
    when = datetime.now().strftime("%Y%m%d-%H%M%S")
    default = default_path(settings.env.id, settings.agent["name"], settings.training.seed, when)
    folder = RunFolder(Path(settings.run) if settings.run else default)
    folder.write_json("versions.json", versions())
    folder.write_text("config.yaml", OmegaConf.to_yaml(OmegaConf.structured(settings)))
    return folder


def write_circuits(folder: RunFolder, name: str, circuits: Sequence[Found]) -> None:
    """Write circuits with their angles and figures; ``circuits.json`` has the best different ones of a run."""
    folder.write_json(name, [found.state() for found in circuits])


def read_circuits(path: Path) -> list[Found]:
    """Return the circuits of a run's folder, or of its ``circuits.json``.

    Raises:
        ValueError: There are none, or the file is of another kind.
    """
    file = path / "circuits.json" if path.is_dir() else path
    try:
        return [Found.of_state(state) for state in json.loads(file.read_text(encoding="utf-8"))]
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


def settings_of(path: Path) -> TrainSettings:
    """Return the settings of a run.

    Raises:
        ValueError: There is no such run.
    """
    if not (path / "config.yaml").exists():
        raise ValueError(must("run", "name the folder of a run", str(path)))
    return settings_from(read_yaml(path / "config.yaml"))


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
    """Return the summary of a run that came to its end, None of any other."""
    file = path / "summary.json"
    if not file.exists():
        return None
    summary: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return None if summary["interrupted"] else summary


def is_finished(path: Path) -> bool:
    """Tell whether a run came to its end."""
    return finished_summary(path) is not None


def require_unfinished(path: Path) -> None:
    """Raise ``ValueError`` if a run came to its end."""
    if is_finished(path):
        raise ValueError(must("resume", "name a run that was interrupted (this one is finished)", str(path)))
