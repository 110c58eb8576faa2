"""Answers of the judge, kept between calls in the user's cache folder.

The key of an answer holds the content of the record and the source of this library, so that a change of either needs a
new verification. Only records without faults are kept.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from qas_experiments.benchmarking.records import Record
from qas_experiments.runs.files import versions
from qas_simulators.files import cache_root

_PACKAGES: Final = ("qas_simulators", "qas_envs", "qas_agents", "qas_experiments")
_MOST_LIBRARIES = 4  # versions of the library whose answers are kept


class Answers:
    """A file of answers by key, to which lines are only added.

    Args:
        path: The file; by default the one of this version of the library in the user's cache folder.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._path = cache_root() / "answers" / f"{library_digest()[:24]}.jsonl" if path is None else path
        self._known: dict[str, Any] = {}
        with suppress(OSError, UnicodeDecodeError):
            for line in self._path.read_text(encoding="utf-8").splitlines():
                with suppress(ValueError, KeyError, TypeError):  # a line that a killed process did not finish
                    content = json.loads(line)
                    self._known[content["key"]] = content["answer"]

    def __contains__(self, key: str) -> bool:
        return key in self._known

    def __getitem__(self, key: str) -> Any:
        return self._known[key]

    def add(self, answers: Mapping[str, Any]) -> None:
        """Keep answers; without a writable folder only in this object."""
        new = {key: answer for key, answer in answers.items() if key not in self._known}
        if not new:
            return
        self._known |= new
        with suppress(OSError):
            if not self._path.exists():
                self._path.parent.mkdir(parents=True, exist_ok=True)
                _drop_oldest(self._path.parent)
            with self._path.open("a", encoding="utf-8") as file:
                file.write("".join(json.dumps({"key": key, "answer": new[key]}) + "\n" for key in new))


def _drop_oldest(folder: Path) -> None:
    """Delete the answers of other versions of the library, except the latest ones."""
    files = sorted(folder.glob("*.jsonl"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in files[_MOST_LIBRARIES - 1 :]:
        path.unlink(missing_ok=True)


@cache
def library_digest() -> str:
    """Return the SHA-256 of all files of this library and of the versions of the packages that it computes with."""
    found = hashlib.sha256(json.dumps(versions(), sort_keys=True).encode())
    for package in _PACKAGES:
        spec = find_spec(package)
        assert spec is not None and spec.submodule_search_locations
        for folder in spec.submodule_search_locations:
            for path in sorted(_files(folder)):
                found.update(f"{path.relative_to(folder)}\0".encode())
                found.update(hashlib.sha256(path.read_bytes()).digest())
    return found.hexdigest()


def _files(folder: str) -> Iterable[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != "__pycache__"]
        yield from (Path(place) / name for name in names)


def key_of_record(record: Record, hamiltonian: Mapping[str, float] | None) -> str | None:
    """Return the key of a verification; None if it also depends on files that the settings name."""
    env = record.settings["env"]
    problem = env.get("problem")
    named = [env.get("gadgets"), *(problem.values() if isinstance(problem, dict) else ())]
    if any(isinstance(value, str) and _is_file(value) for value in named):
        return None
    return f"record {record.hash} {_digest(hamiltonian)}"


def key_of_counts(record: Record) -> str:
    """Return the key of the counts of a record's simplified circuits, which follow from its content."""
    return f"counts {record.hash}"


def key_of_reference(settings: Mapping[str, Any], floors: int) -> str:
    """Return the key of the references of an instance."""
    kept = {name: settings.get(name) for name in ("env", "noise", "optimizer", "agent")}
    return f"reference {_digest([kept, floors])}"


def _digest(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _is_file(name: str) -> bool:
    try:
        return Path(name).exists()
    except (OSError, ValueError):  # too long, or with a null character
        return False
