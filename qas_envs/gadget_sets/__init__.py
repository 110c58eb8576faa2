"""Gadgets from a shipped set, from a file, or as objects."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.resources import files
from os.path import isfile
from pathlib import Path
from typing import Any

from qas_simulators import Gadget, load_gadgets
from qas_simulators.errors import must, unknown_name


def gadget_sets() -> dict[str, Path]:
    """Return the files of the shipped sets, by name."""
    found = [Path(str(entry)) for entry in files("qas_envs.gadget_sets").iterdir()]
    return {path.stem: path for path in sorted(found) if path.suffix == ".json"}


def gadgets_of(choice: Any) -> list[Gadget]:
    """Return gadgets.

    Args:
        choice: ``None`` for none, a shipped set's name, a file, or gadgets.

    Raises:
        ValueError: An unknown name, a file of another kind, or other objects.
    """
    if choice is None:
        return []
    if isinstance(choice, str | Path):
        shipped = gadget_sets()
        path = Path(choice) if isfile(choice) else shipped.get(str(choice))
        if path is None:
            raise ValueError(unknown_name("gadget set or file", str(choice), shipped))
        return list(load_gadgets(path).values())
    gadgets = list(choice) if isinstance(choice, Iterable) and not isinstance(choice, type) else [choice]
    if not all(isinstance(gadget, Gadget) for gadget in gadgets):
        raise ValueError(must("gadgets", "be a set's name, a file, or a list of objects of class Gadget", choice))
    return gadgets
