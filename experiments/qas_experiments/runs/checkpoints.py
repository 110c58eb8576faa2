"""Checkpoints: the state of a training, in files that run no code when read.

A checkpoint is a file of arrays, a file of numbers, and the transitions added to the replay buffer since the previous
checkpoint. It is valid once ``latest.json`` names its files with their SHA-256. That file is replaced last, in one
step, so a process may be killed at any moment. Nothing is restored before all files are read and checked.
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
READABLE: Final = (1, 2)  # format 1 has no SHA-256 sums
_LATEST = "latest.json"
_BEGUN = {"checkpoint": None}  # content of latest.json before the first checkpoint
_CHUNK = re.compile(r"replay-(\d{1,18})-(\d{1,18})\.safetensors")
_NAMES = {"numbers": re.compile(r"numbers-\d{1,18}\.json"), "arrays": re.compile(r"arrays-\d{1,18}\.safetensors")}

Arrays = dict[str, NDArray[Any]]


class DamagedCheckpointError(ValueError):
    """A checkpoint that cannot be restored; the message names the folder and the reason in one line."""


class Checkpoints:
    """The checkpoints of one run; only the last one is kept.

    Only files that this object has written, or that belong to the checkpoint it has read, are ever deleted.

    Args:
        folder: Folder of the checkpoints; it is created with the first one.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._chunks: list[str] = []  # files replay-<first>-<end>.safetensors, oldest first
        self._sums: dict[str, str] = {}  # SHA-256 by file name

    def write(self, agent: Any, numbers: Mapping[str, Any]) -> None:
        """Write a checkpoint of an agent and further numbers that JSON represents exactly.

        Raises:
            ValueError: The agent's state is invalid, for instance because weights are not finite, or the folder has a
                checkpoint of another run. The last checkpoint stays.
            OSError: A file cannot be written; the last checkpoint stays.
        """
        arrays, of_agent = agent.state()
        step, replay = agent.num_timesteps, agent.replay
        agent.check(arrays, of_agent, replay.count)
        if not self._sums:
            self._begin()
        # Only transitions that no earlier file holds and that the buffer has not overwritten are written.
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
        # Until this file is replaced, the previous checkpoint is the valid one; its files are deleted only afterwards.
        write_whole(self._folder / _LATEST, json.dumps(latest).encode())
        for name in self._sums.keys() - {*kept}:
            (self._folder / name).unlink(missing_ok=True)
            del self._sums[name]

    def restore(self, agent: Any, check: Callable[[dict[str, Any]], None] = lambda _: None) -> dict[str, Any] | None:
        """Restore an agent from the last checkpoint; return the other numbers, or ``None`` without a checkpoint.

        Args:
            agent: Agent with the same settings.
            check: Function that raises an exception if the other numbers are invalid; nothing is restored then.

        Raises:
            DamagedCheckpointError: Unknown format, damaged files, or numbers that do not fit.
        """
        with damage_reported(self._folder):
            if (latest := self._latest()) is None:
                return None
            names, sums = latest
            numbers = _mapping(self._read(names["numbers"], sums))
            if (written := numbers.pop("format")) not in READABLE or (written > 1 and not sums):
                raise ValueError(must("format", f"be one of {READABLE}, the later with sums", written))
            arrays: Arrays = load(self._read(names["arrays"], sums))
            of_agent, chunks, step = (numbers.pop("agent"), numbers.pop("chunks"), numbers["step"])
            transitions = [self._transitions(name, agent.replay, sums) for name in _consecutive(chunks, agent.replay)]
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
        """Delete the files of the last checkpoint, and the folder if it is then empty.

        Raises:
            DamagedCheckpointError: ``latest.json`` cannot be read.
        """
        with damage_reported(self._folder):
            if (latest := self._latest()) is None:
                return
            names, sums = latest
            mine = {*names.values(), *sums, *_mapping(self._read(names["numbers"], sums))["chunks"]}
            if not all(map(_is_checkpoint_file, mine)):
                raise ValueError(must(_LATEST, "name files of a checkpoint", sorted(mine)))
        for name in (_LATEST, *sorted(mine)):
            (self._folder / name).unlink(missing_ok=True)
        if not self._folder.is_symlink() and not any(self._folder.iterdir()):
            self._folder.rmdir()

    def _begin(self) -> None:
        """Create the folder, with a ``latest.json`` that names no checkpoint yet."""
        try:
            if self._latest() is not None:
                raise ValueError(must("run", "have a separate checkpoint folder", str(self._folder)))
            self._folder.mkdir(exist_ok=True)
            write_whole(self._folder / _LATEST, json.dumps(_BEGUN).encode())
        except OSError as error:
            raise ValueError(
                must("run", f"have a folder for checkpoints ({error.strerror})", str(self._folder))
            ) from None

    def _latest(self) -> tuple[dict[str, str], dict[str, str]] | None:
        """Return the names of the two files and the known SHA-256 sums; None without a checkpoint."""
        path = self._folder / _LATEST
        if not path.exists():
            others = [] if not self._folder.exists() else [file.name for file in self._folder.iterdir()]
            if any(_is_checkpoint_file(name) for name in others):
                raise ValueError(must("checkpoint", f"have its {_LATEST}", sorted(others)[:4]))
            return None
        latest = _mapping(path.read_bytes())
        if latest == _BEGUN:
            return None
        names = {kind: latest[kind] for kind in _NAMES}
        for kind, pattern in _NAMES.items():
            if not pattern.fullmatch(names[kind]):
                raise ValueError(must(kind, "be the name of a checkpoint file", names[kind]))
        return names, latest.get("sha256", {})

    def _read(self, name: str, sums: Mapping[str, str]) -> bytes:
        """Return the content of a file after a check of its SHA-256."""
        path = self._folder / name
        if not path.is_file():
            raise ValueError(must(name, "be a file", "none"))
        content = path.read_bytes()
        if sums and sums[name] != hashlib.sha256(content).hexdigest():
            raise ValueError(must(name, "be the file that was written", "another"))
        return content

    def _transitions(self, name: str, replay: Any, sums: Mapping[str, str]) -> tuple[int, Arrays]:
        """Return the index of the first transition in a file, and all of its transitions."""
        first = int(name.split("-")[1])
        fields = _unpacked(load(self._read(name, sums)), _end(name) - first, replay.observations.shape[1])
        replay.check(fields)
        if len(fields["actions"]) != _end(name) - first:
            raise ValueError(must(name, "hold as many transitions as its name states", len(fields["actions"])))
        return first, fields

    def _save(self, name: str, content: bytes) -> None:
        write_whole(self._folder / name, content)
        self._sums[name] = hashlib.sha256(content).hexdigest()


@contextmanager
def damage_reported(folder: Path) -> Iterator[None]:
    """Turn any exception of the block into a :class:`DamagedCheckpointError` that names the folder.

    Raises:
        DamagedCheckpointError: Any exception in the block.
    """
    try:
        yield
    except DamagedCheckpointError:
        raise
    except Exception as error:  # JSON, safetensors and NumPy raise exceptions of their own for damaged files
        reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        raise DamagedCheckpointError(
            must("resume", f"name a run with a whole checkpoint ({reason})", str(folder))
        ) from None


def _mapping(content: bytes) -> dict[str, Any]:
    value = json.loads(content)
    if not isinstance(value, dict):
        raise ValueError(must("JSON", "be a mapping", type(value).__name__))
    return value


def _is_checkpoint_file(name: str) -> bool:
    return any(kind.fullmatch(name) for kind in (_CHUNK, *_NAMES.values()))


def _consecutive(chunks: Any, replay: Any) -> list[str]:
    """Return the names of files of transitions; check that they are consecutive and fill the buffer."""
    if not isinstance(chunks, list):
        raise ValueError(must("chunks", "be a list", chunks))
    ends: list[int] = []
    for name in chunks:
        if not _CHUNK.fullmatch(name):
            raise ValueError(must("chunks", "name files of transitions", name))
        first, end = int(name.split("-")[1]), _end(name)
        if not first < end <= first + replay.capacity or (ends and first != ends[-1]):
            raise ValueError(must("chunks", "be consecutive", chunks))
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
    """Store observations as places and values of their nonzero entries, because they are nearly one-hot."""
    packed = {name: value for name, value in fields.items() if name not in _SPARSE}
    for name in _SPARSE:
        flat = fields[name].ravel()
        places = np.flatnonzero(flat)
        packed |= {f"{name}.places": places, f"{name}.values": flat[places]}
        packed[f"{name}.shape"] = np.array(fields[name].shape)
    return packed


def _unpacked(packed: Arrays, size: int, num_inputs: int) -> Arrays:
    """Invert :func:`_packed` for ``size`` transitions with ``num_inputs`` inputs each."""
    fields = {name: value for name, value in packed.items() if "." not in name}
    if set(packed) != {*fields, *(f"{name}.{part}" for name in _SPARSE for part in ("places", "values", "shape"))}:
        raise ValueError(must("transitions", "have the packed fields", sorted(packed)))
    for name in _SPARSE:
        places, values = packed[f"{name}.places"], packed[f"{name}.values"]
        if packed[f"{name}.shape"].tolist() != [size, num_inputs]:
            raise ValueError(must(name, f"have the shape {(size, num_inputs)}", packed[f"{name}.shape"].tolist()))
        if places.shape != values.shape or places.dtype != np.int64 or (np.diff(places) <= 0).any():
            raise ValueError(must(name, "have one increasing place for each value", "not so"))
        if len(places) and not 0 <= places[0] <= places[-1] < size * num_inputs:
            raise ValueError(must(name, f"have places in 0..{size * num_inputs - 1}", places[[0, -1]].tolist()))
        whole = np.zeros((size, num_inputs), dtype=values.dtype)
        whole.ravel()[places] = values
        fields[name] = whole
    return fields
