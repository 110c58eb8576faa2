"""Paths inside the folder of a run."""

from __future__ import annotations

from pathlib import Path

from qas_simulators.errors import must


def settings_file(run: Path) -> Path:
    """Return the file of a run's settings.

    Raises:
        ValueError: There is no such run.
    """
    file = run / "config.yaml"
    if not file.exists():
        raise ValueError(must("run", "name the folder of a run", str(run)))
    return file
