"""Checkpoints: everything that training goes on with, in files that run no code when read.

A checkpoint is a file of arrays, a file of numbers, and the replay buffer's new transitions since the last one. It
counts once ``latest.json`` names it, which happens last and at once; a process may be killed at any moment.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from qas_simulators.errors import must

FORMAT = 1
_LATEST = "latest.json"


class Checkpoints:
    """The checkpoints of one run, of which the last one is kept.

    Args:
        folder: Where they are; it is made when the first one is written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._chunks: list[str] = []  # of the replay buffer, oldest first: replay-<first>-<end>.safetensors

    def write(self, agent: Any, numbers: dict[str, Any]) -> None:
        """Write a checkpoint of an agent, with more numbers that JSON keeps exactly."""
        self._folder.mkdir(exist_ok=True)
        arrays, of_agent = agent.state()
        step, replay = agent.num_timesteps, agent.replay
        first = max(_end(self._chunks[-1]) if self._chunks else 0, replay.count - replay.capacity)
        if first < replay.count:
            chunk = f"replay-{first}-{replay.count}.safetensors"
            self._save(chunk, _packed(replay.since(first)))
            self._chunks.append(chunk)
        self._chunks = [name for name in self._chunks if _end(name) > replay.count - replay.capacity]
        self._save(f"arrays-{step}.safetensors", arrays)
        content = {"format": FORMAT, "step": step, "chunks": self._chunks, "agent": of_agent, **numbers}
        self._write_json(f"numbers-{step}.json", content)
        self._write_json(_LATEST, {"numbers": f"numbers-{step}.json", "arrays": f"arrays-{step}.safetensors"})
        kept = {_LATEST, f"numbers-{step}.json", f"arrays-{step}.safetensors", *self._chunks}
        for path in self._folder.iterdir():
            if path.name not in kept:
                path.unlink()

    def restore(self, agent: Any) -> dict[str, Any] | None:
        """Restore an agent from the last checkpoint; return the other numbers, or ``None`` if there is none.

        Raises:
            ValueError: A checkpoint of another format, or damaged files.
        """
        latest = self._folder / _LATEST
        if not latest.exists():
            return None
        try:
            names = json.loads(latest.read_text(encoding="utf-8"))
            numbers = json.loads((self._folder / names["numbers"]).read_text(encoding="utf-8"))
            if numbers.pop("format") != FORMAT:
                raise ValueError(must("resume", f"name a run with checkpoints of format {FORMAT}", str(self._folder)))
            arrays = load_file(self._folder / names["arrays"])
            self._chunks = numbers.pop("chunks")
            for name in self._chunks:
                agent.replay.put(int(name.split("-")[1]), _unpacked(load_file(self._folder / name)))
            agent.restore(arrays, numbers.pop("agent"))
        except (OSError, KeyError, json.JSONDecodeError) as error:
            raise ValueError(
                must("resume", f"name a run with a whole checkpoint ({error})", str(self._folder))
            ) from None
        return dict(numbers)

    def _save(self, name: str, arrays: dict[str, NDArray[Any]]) -> None:
        part = self._folder / f".{name}.part"
        save_file({key: np.ascontiguousarray(value) for key, value in arrays.items()}, part)
        part.replace(self._folder / name)

    def _write_json(self, name: str, content: dict[str, Any]) -> None:
        part = self._folder / f".{name}.part"
        part.write_text(json.dumps(content), encoding="utf-8")
        part.replace(self._folder / name)


def _end(chunk: str) -> int:
    return int(chunk.removesuffix(".safetensors").split("-")[2])


_SPARSE = ("observations", "next_observations")


def _packed(fields: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Keep only what is not 0 of the observations, which are one-hot but for a few numbers."""
    packed = {name: value for name, value in fields.items() if name not in _SPARSE}
    for name in _SPARSE:
        flat = fields[name].ravel()
        places = np.flatnonzero(flat)
        packed |= {f"{name}.places": places, f"{name}.values": flat[places]}
        packed[f"{name}.shape"] = np.array(fields[name].shape)
    return packed


def _unpacked(packed: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    fields = {name: value for name, value in packed.items() if "." not in name}
    for name in _SPARSE:
        values = packed[f"{name}.values"]
        whole = np.zeros(packed[f"{name}.shape"], dtype=values.dtype)
        whole.ravel()[packed[f"{name}.places"]] = values
        fields[name] = whole
    return fields
