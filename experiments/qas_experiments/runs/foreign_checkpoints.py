"""Checkpoints of agents of other libraries, in the files of these libraries, beside numbers as JSON.

Each checkpoint has a folder of its own; ``latest.json`` names it with the SHA-256 of its files and is replaced last.
The files of the library may run code when read, which the sums do not prevent: resume only runs that you trust.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from qas_experiments.runs.checkpoints import Checkpoints, damage_reported
from qas_simulators.errors import must
from qas_simulators.files import write_whole

_LATEST: Final = "latest.json"
_NUMBERS: Final = "numbers.json"
_FOLDER: Final = re.compile(r"step-\d{1,18}")


class ForeignCheckpoints:
    """The checkpoints of one run; only the last one is kept.

    Args:
        folder: Folder of the checkpoints; it is created with the first one.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def write(self, agent: Any, numbers: Mapping[str, Any]) -> None:
        """Write a checkpoint of an agent, and numbers that JSON represents exactly.

        Raises:
            OSError: A file cannot be written; the last checkpoint stays.
        """
        step = int(numbers["recorder"]["steps"])
        place = self._folder / f"step-{step}"
        if place.exists():  # begun by a process that was killed, or written at the same step
            shutil.rmtree(place)
        place.mkdir(parents=True)
        names = agent.save_training(place)
        write_whole(place / _NUMBERS, json.dumps({"step": step, **numbers}).encode())
        sums = {name: _digest(place / name) for name in (*names, _NUMBERS)}
        write_whole(self._folder / _LATEST, json.dumps({"folder": place.name, "sha256": sums}).encode())
        for other in self._folder.iterdir():
            if _FOLDER.fullmatch(other.name) and other != place and other.is_dir():
                shutil.rmtree(other)

    def restore(self, agent: Any, check: Callable[[dict[str, Any]], None] = lambda _: None) -> dict[str, Any] | None:
        """Restore an agent from the last checkpoint; return the numbers, or ``None`` without a checkpoint.

        Raises:
            DamagedCheckpointError: A file is missing or another one than was written, or numbers do not fit.
        """
        with damage_reported(self._folder):
            if not (self._folder / _LATEST).exists():
                return None
            place, sums = self._latest()
            for name, digest in sums.items():
                if _digest(place / name) != digest:
                    raise ValueError(must(name, "be the file that was written", "another"))
            numbers: dict[str, Any] = json.loads((place / _NUMBERS).read_text(encoding="utf-8"))
            check(numbers)
            agent.load_training(place)
            return numbers

    def drop(self) -> None:
        """Delete the last checkpoint, and the folder if it is then empty."""
        with damage_reported(self._folder):
            if not (self._folder / _LATEST).exists():
                return
            place, _ = self._latest()
        (self._folder / _LATEST).unlink()
        shutil.rmtree(place, ignore_errors=True)
        if not any(self._folder.iterdir()):
            self._folder.rmdir()

    def _latest(self) -> tuple[Path, dict[str, str]]:
        latest = json.loads((self._folder / _LATEST).read_text(encoding="utf-8"))
        if not _FOLDER.fullmatch(latest["folder"]) or any("/" in name or "\\" in name for name in latest["sha256"]):
            raise ValueError(must(_LATEST, "name the folder of a checkpoint and its files", latest["folder"]))
        return self._folder / latest["folder"], dict(latest["sha256"])


def checkpoints_in(folder: Path) -> Checkpoints | ForeignCheckpoints:
    """Return the checkpoints of a run of either kind.

    Raises:
        DamagedCheckpointError: ``latest.json`` cannot be read.
    """
    with damage_reported(folder):
        path = folder / _LATEST
        is_foreign = path.exists() and "folder" in json.loads(path.read_text(encoding="utf-8"))
    return ForeignCheckpoints(folder) if is_foreign else Checkpoints(folder)


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
