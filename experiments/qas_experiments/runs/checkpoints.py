"""Checkpoints: everything that training goes on with, in files that run no code when read.

A checkpoint is a file of arrays, a file of numbers, and the replay buffer's new transitions since the last one. It
counts once ``latest.json`` names it, with the SHA-256 of each file, which happens last and at once; a process may be
killed at any moment. Nothing is taken up before all of it is read and found to fit.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load, save

from qas_simulators.errors import must
from qas_simulators.files import write_whole

FORMAT: Final = 2
READABLE: Final = (1, 2)  # the first had no sums
_LATEST = "latest.json"
_BEGUN = {"checkpoint": None}  # what it tells until there is one
_CHUNK = re.compile(r"replay-(\d{1,18})-(\d{1,18})\.safetensors")
_NAMES = {"numbers": re.compile(r"numbers-\d{1,18}\.json"), "arrays": re.compile(r"arrays-\d{1,18}\.safetensors")}

Arrays = dict[str, NDArray[Any]]


class DamagedCheckpointError(ValueError):
    """A checkpoint that cannot be gone on from; the message says in one line where it is, and why."""


class Checkpoints:
    """The checkpoints of one run, of which the last one is kept.

    Only files that this object has written, or that the checkpoint it has read consists of, are ever deleted.

    Args:
        folder: Where they are; it is made when the first one is written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._chunks: list[str] = []  # of the replay buffer, oldest first: replay-<first>-<end>.safetensors
        self._sums: dict[str, str] = {}  # SHA-256 of our files

    def write(self, agent: Any, numbers: Mapping[str, Any]) -> None:
        """Write a checkpoint of an agent, with more numbers that JSON keeps exactly.

        Raises:
            ValueError: The agent's state is none to go on with, such as weights that are not finite, or the folder has
                a checkpoint that is not this run's. The last checkpoint stays.
            OSError: A file cannot be written; the last checkpoint stays.
        """
        arrays, of_agent = agent.state()
        step, replay = agent.num_timesteps, agent.replay
        agent.check(arrays, of_agent, replay.count)
        if not self._sums:
            self._begin()
        first = max(_end(self._chunks[-1]) if self._chunks else 0, replay.count - replay.capacity)
        if first < replay.count:
            chunk, fields = f"replay-{first}-{replay.count}.safetensors", replay.since(first)
            replay.check(fields)
            self._save(chunk, _bytes_of(_packed(fields)))
            self._chunks.append(chunk)
        self._chunks = [name for name in self._chunks if _end(name) > replay.count - replay.capacity]
        names = {"numbers": f"numbers-{step}.json", "arrays": f"arrays-{step}.safetensors"}
        self._save(names["arrays"], _bytes_of(arrays))
        content = {"format": FORMAT, "step": step, "chunks": self._chunks, "agent": of_agent, **numbers}
        self._save(names["numbers"], json.dumps(content).encode())
        kept = [*names.values(), *self._chunks]
        latest = {**names, "sha256": {name: self._sums[name] for name in kept}}
        write_whole(self._folder / _LATEST, json.dumps(latest).encode())
        for name in self._sums.keys() - {*kept}:
            (self._folder / name).unlink(missing_ok=True)
            del self._sums[name]

    def restore(self, agent: Any, check: Callable[[dict[str, Any]], None] = lambda _: None) -> dict[str, Any] | None:
        """Restore an agent from the last checkpoint; return the other numbers, or ``None`` if there is none.

        Args:
            agent: Built with the same settings.
            check: Raises what it likes if the other numbers are none to go on with; nothing is restored then.

        Raises:
            DamagedCheckpointError: Another format, damaged files, or numbers that do not fit.
        """
        with told_as_damage(self._folder):
            if (latest := self._latest()) is None:
                return None
            names, sums = latest
            numbers = _mapping(self._read(names["numbers"], sums))
            if (written := numbers.pop("format")) not in READABLE or (written > 1 and not sums):
                raise ValueError(must("format", f"be one of {READABLE}, the later with sums", written))
            arrays: Arrays = load(self._read(names["arrays"], sums))
            of_agent, chunks, step = (numbers.pop("agent"), numbers.pop("chunks"), numbers["step"])
            transitions = [self._transitions(name, agent.replay, sums) for name in _in_a_row(chunks, agent.replay)]
            count = transitions[-1][0] + len(transitions[-1][1]["actions"]) if transitions else 0
            agent.check(arrays, of_agent, count)
            if step != of_agent["num_timesteps"]:
                raise ValueError(must("step", f"be the agent's {of_agent['num_timesteps']}", step))
            check(numbers)
            for first, fields in transitions:
                agent.replay.put(first, fields)
            agent.restore(arrays, of_agent)
        self._chunks, self._sums = chunks, {name: sums.get(name, "") for name in (*names.values(), *chunks)}
        return numbers

    def drop(self) -> None:
        """Delete the files of the last checkpoint, and the folder if nothing else is in it.

        Raises:
            DamagedCheckpointError: ``latest.json`` cannot be read.
        """
        with told_as_damage(self._folder):
            if (latest := self._latest()) is None:
                return
            names, sums = latest
            mine = {*names.values(), *sums, *_mapping(self._read(names["numbers"], sums))["chunks"]}
            if not all(map(_is_ours, mine)):
                raise ValueError(must(_LATEST, "name files of a checkpoint", sorted(mine)))
        for name in (_LATEST, *sorted(mine)):
            (self._folder / name).unlink(missing_ok=True)
        if not self._folder.is_symlink() and not any(self._folder.iterdir()):
            self._folder.rmdir()

    def _begin(self) -> None:
        """Make the folder ours, by saying that it has no checkpoint yet."""
        try:
            if self._latest() is not None:
                raise ValueError(must("run", "have a checkpoint folder of its own", str(self._folder)))
            self._folder.mkdir(exist_ok=True)
            write_whole(self._folder / _LATEST, json.dumps(_BEGUN).encode())
        except OSError as error:
            raise ValueError(
                must("run", f"have a folder for checkpoints ({error.strerror})", str(self._folder))
            ) from None

    def _latest(self) -> tuple[dict[str, str], dict[str, str]] | None:
        """Return the names of the two files, and the SHA-256 of all, if they are told; None without a checkpoint."""
        path = self._folder / _LATEST
        if not path.exists():
            others = [] if not self._folder.exists() else [file.name for file in self._folder.iterdir()]
            if any(_is_ours(name) for name in others):
                raise ValueError(must("checkpoint", f"have its {_LATEST}", sorted(others)[:4]))
            return None
        latest = _mapping(path.read_bytes())
        if latest == _BEGUN:
            return None
        names = {kind: latest[kind] for kind in _NAMES}
        for kind, pattern in _NAMES.items():
            if not pattern.fullmatch(names[kind]):
                raise ValueError(must(kind, "be the name of such a file", names[kind]))
        return names, latest.get("sha256", {})

    def _read(self, name: str, sums: Mapping[str, str]) -> bytes:
        """Return the content of a file that is the one written."""
        path = self._folder / name
        if not path.is_file():
            raise ValueError(must(name, "be a file", "none"))
        content = path.read_bytes()
        if sums and sums[name] != hashlib.sha256(content).hexdigest():
            raise ValueError(must(name, "be the file that was written", "another"))
        return content

    def _transitions(self, name: str, replay: Any, sums: Mapping[str, str]) -> tuple[int, Arrays]:
        """Return the number of the first transition in a file, and all of them."""
        first = int(name.split("-")[1])
        fields = _unpacked(load(self._read(name, sums)), _end(name) - first, replay.observations.shape[1])
        replay.check(fields)
        if len(fields["actions"]) != _end(name) - first:
            raise ValueError(must(name, "hold what its name says", len(fields["actions"])))
        return first, fields

    def _save(self, name: str, content: bytes) -> None:
        write_whole(self._folder / name, content)
        self._sums[name] = hashlib.sha256(content).hexdigest()


@contextmanager
def told_as_damage(folder: Path) -> Iterator[None]:
    """Turn whatever damaged files make their readers raise into one line that names the folder.

    Raises:
        DamagedCheckpointError: Any exception in the block.
    """
    try:
        yield
    except DamagedCheckpointError:
        raise
    except Exception as error:  # JSON's, safetensors', NumPy's, memory: every reader has its own
        told = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise DamagedCheckpointError(
            must("resume", f"name a run with a whole checkpoint ({told})", str(folder))
        ) from None


def _mapping(content: bytes) -> dict[str, Any]:
    value = json.loads(content)
    if not isinstance(value, dict):
        raise ValueError(must("JSON", "be a mapping", type(value).__name__))
    return value


def _is_ours(name: str) -> bool:
    return any(kind.fullmatch(name) for kind in (_CHUNK, *_NAMES.values()))


def _in_a_row(chunks: Any, replay: Any) -> list[str]:
    """Return the names of files of transitions, which follow each other and reach as far back as the buffer does."""
    if not isinstance(chunks, list):
        raise ValueError(must("chunks", "be a list", chunks))
    ends: list[int] = []
    for name in chunks:
        if not _CHUNK.fullmatch(name):
            raise ValueError(must("chunks", "name files of transitions", name))
        first, end = int(name.split("-")[1]), _end(name)
        if not first < end <= first + replay.capacity or (ends and first != ends[-1]):
            raise ValueError(must("chunks", "follow each other", chunks))
        ends.append(end)
    if ends and int(chunks[0].split("-")[1]) > max(0, ends[-1] - replay.capacity):
        raise ValueError(must("chunks", f"hold the last {replay.capacity} transitions", chunks))
    return chunks


def _end(chunk: str) -> int:
    return int(chunk.removesuffix(".safetensors").split("-")[2])


def _bytes_of(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    return save({key: np.asarray(value, order="C") for key, value in arrays.items()})


_SPARSE = ("observations", "next_observations")


def _packed(fields: Mapping[str, NDArray[Any]]) -> Arrays:
    """Keep only what is not 0 of the observations, which are one-hot but for a few numbers."""
    packed = {name: value for name, value in fields.items() if name not in _SPARSE}
    for name in _SPARSE:
        flat = fields[name].ravel()
        places = np.flatnonzero(flat)
        packed |= {f"{name}.places": places, f"{name}.values": flat[places]}
        packed[f"{name}.shape"] = np.array(fields[name].shape)
    return packed


def _unpacked(packed: Arrays, size: int, num_inputs: int) -> Arrays:
    """Return what :func:`_packed` was given: so many transitions, with so many inputs each."""
    fields = {name: value for name, value in packed.items() if "." not in name}
    if set(packed) != {*fields, *(f"{name}.{part}" for name in _SPARSE for part in ("places", "values", "shape"))}:
        raise ValueError(must("transitions", "be packed as they were written", sorted(packed)))
    for name in _SPARSE:
        places, values = packed[f"{name}.places"], packed[f"{name}.values"]
        if packed[f"{name}.shape"].tolist() != [size, num_inputs]:
            raise ValueError(must(name, f"have the shape {(size, num_inputs)}", packed[f"{name}.shape"].tolist()))
        if places.shape != values.shape or places.dtype != np.int64 or (np.diff(places) <= 0).any():
            raise ValueError(must(name, "have a rising place for each value", "not"))
        if len(places) and not 0 <= places[0] <= places[-1] < size * num_inputs:
            raise ValueError(must(name, f"have places in 0..{size * num_inputs - 1}", places[[0, -1]].tolist()))
        whole = np.zeros((size, num_inputs), dtype=values.dtype)
        whole.ravel()[places] = values
        fields[name] = whole
    return fields
