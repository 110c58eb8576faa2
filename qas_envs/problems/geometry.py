"""Geometries of molecules: text, lists in PySCF's form, XYZ files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Final

import numpy as np

from qas_simulators.errors import must

Atom = tuple[str, tuple[float, float, float]]
_XYZ_UNIT: Final = "angstrom"  # the format's definition


def read_geometry(geometry: Any, unit: str | None) -> tuple[tuple[Atom, ...], str]:
    """Return the atoms and the unit of their coordinates.

    Args:
        geometry: ``"H 0 0 0; H 0 0 0.74"`` (or an atom on each line); rows of element and coordinates,
            ``[["H", (0, 0, 0)], ...]`` or ``[("H", 0, 0, 0), ...]``; the text of an XYZ file, or its path.
        unit: Of the coordinates. An XYZ file needs none, since the format is in ångström.

    Raises:
        ValueError: Something else; the message shows the entry.
    """
    if _is_path(geometry):
        geometry = _read(Path(geometry))
    lines = geometry.strip("\n").splitlines() if isinstance(geometry, str) else []
    if len(lines) > 1 and lines[0].strip().isdigit():
        if unit not in (None, _XYZ_UNIT):
            raise ValueError(must("unit", f"be {_XYZ_UNIT!r}, the unit of XYZ files", unit))
        return _atoms_of_xyz(lines), _XYZ_UNIT
    if unit is None:
        raise ValueError("A geometry needs the argument `unit`, 'angstrom' or 'bohr'; only XYZ files have their own.")
    return parse_geometry(geometry), unit


def parse_geometry(geometry: Any) -> tuple[Atom, ...]:
    """Read ``"H 0 0 0; H 0 0 0.74"`` or rows of element and three coordinates.

    Raises:
        ValueError: Something else; the message shows the entry.
    """
    if isinstance(geometry, str):
        geometry = [entry for entry in geometry.replace("\n", ";").split(";") if entry.strip()]
    try:
        entries = list(geometry)
    except TypeError:
        raise ValueError(must("geometry", "be atoms, or the text or the path of an XYZ file", geometry)) from None
    if not entries:
        raise ValueError(must("geometry", "have at least one atom", geometry))
    return tuple(_atom(entry) for entry in entries)


def _atom(entry: Any) -> Atom:
    """Read ``"H 0 0 0"``, ``("H", (0, 0, 0))`` or ``("H", 0, 0, 0)``."""
    try:
        parts = entry.replace(",", " ").split() if isinstance(entry, str) else _parts(entry)
        symbol, x, y, z = parts
        place = (float(x), float(y), float(z))
    except (TypeError, ValueError, IndexError, KeyError):
        place = (np.nan, np.nan, np.nan)
    if not np.isfinite(place).all() or not isinstance(symbol, str):
        raise ValueError(must("geometry", "hold an element and three coordinates per atom", entry))
    return symbol, place


def _parts(row: Any) -> list[Any]:
    symbol, *place = row
    return [symbol, *(place[0] if len(place) == 1 else place)]


def _atoms_of_xyz(lines: list[str]) -> tuple[Atom, ...]:
    """Read the number of atoms, a comment, and an atom on each line; columns after the coordinates are skipped."""
    count = int(lines[0])
    rows = lines[2 : 2 + count]
    if count < 1 or len(rows) < count or any(line.strip() for line in lines[2 + count :]):
        found = f"{sum(bool(line.strip()) for line in lines[2:])} lines after the comment"
        raise ValueError(must("geometry", f"have the {count} atoms that its first line states", found))
    return tuple(_atom(" ".join(row.split()[:4])) for row in rows)


def _is_path(geometry: Any) -> bool:
    """Return whether this names a file; text of atoms has spaces or several lines."""
    if isinstance(geometry, os.PathLike):
        return True
    return isinstance(geometry, str) and (geometry.endswith(".xyz") or (";" not in geometry and _exists(geometry)))


def _exists(name: str) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):
        return False


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "no text"
        raise ValueError(must("geometry", f"name a file that can be read ({reason})", str(path))) from None
