"""Error messages of commands, one line each."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import NoReturn

from qas_simulators.errors import must

_LONGEST = 1200  # characters; choices are listed in full


def one_line(error: BaseException) -> str:
    """Return the message of an error in one line, without its traceback."""
    if type(error).__name__ == "MissingMandatoryValue":  # of OmegaConf, which not every command imports
        key = getattr(error, "full_key", "?")
        return f"`{key}` has no default: {key}=... must be given"
    message = f"{error} {error.__cause__ or ''}"
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    line = " ".join(lines[:4]) or type(error).__name__
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST // 2]} ... {line[-_LONGEST // 2 :]}"


def fail(error: Exception) -> NoReturn:
    """End the process with status 2 and one line on standard error."""
    sys.stderr.write(f"error: {one_line(error)}\n")
    raise SystemExit(2)


def check_out(folder: Path) -> None:
    """Check, before results are computed, that a folder can be written to, or be created.

    Raises:
        ValueError: It is a file or below one, or may not be written to.
    """
    place = next(one for one in (folder.absolute(), *folder.absolute().parents) if os.path.lexists(one))
    if not place.is_dir() or not os.access(place, os.W_OK):
        raise ValueError(must("--out", "be in a folder that can be written to", str(folder)))
