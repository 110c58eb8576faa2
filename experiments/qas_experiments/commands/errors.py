"""Error messages of commands, one line each."""

from __future__ import annotations

import sys
from typing import NoReturn

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
