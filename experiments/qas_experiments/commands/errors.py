"""Error messages of commands, one line each."""

from __future__ import annotations

from omegaconf.errors import MissingMandatoryValue

_LONGEST = 1200  # characters; choices are listed in full


def one_line(error: BaseException) -> str:
    """Return the message of an error in one line, without its traceback."""
    if isinstance(error, MissingMandatoryValue):
        return f"`{error.full_key}` has no default: {error.full_key}=... must be given"
    message = f"{error} {error.__cause__ or ''}"
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    line = " ".join(lines[:4]) or type(error).__name__
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST // 2]} ... {line[-_LONGEST // 2 :]}"
