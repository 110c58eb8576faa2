"""Cells of a study in one JSON file: what is there is not played again, and each new cell is written at once."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any


def play_missing(
    file: Path, keys: tuple[str, str, str], wanted: Iterable[tuple[str, str, int]], play: Callable[..., dict[str, Any]]
) -> list[dict[str, Any]]:
    """Play the wanted cells that the file lacks; return all of the file.

    Args:
        file: A list of cells.
        keys: The names in a cell whose values tell which one it is, the seed last.
        wanted: These values.
        play: Returns the cell of these values; its ``qasm`` is not printed.
    """
    cells: list[dict[str, Any]] = json.loads(file.read_text("utf-8")) if file.exists() else []
    known = {tuple(cell[key] for key in keys) for cell in cells}
    for values in wanted:
        if values not in known:
            cells.append(play(*values))
            file.write_text(json.dumps(cells, indent=1, ensure_ascii=False) + "\n", "utf-8")
            print({key: value for key, value in cells[-1].items() if key != "qasm"}, flush=True)
    return cells
