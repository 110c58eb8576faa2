"""Files that are written whole or not at all."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_root() -> Path:
    """Return the folder of everything that is computed once and kept: ``QAS_ENVS_CACHE_DIR``, else the user's cache."""
    if "QAS_ENVS_CACHE_DIR" in os.environ:
        return Path(os.environ["QAS_ENVS_CACHE_DIR"])
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", Path.home())) / "qas-envs"
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "qas-envs"


def write_whole(path: Path, content: bytes) -> Path:
    """Write a file at once: a reader, or a process that is killed, sees the old content or the new one.

    The file gets the permissions that the umask leaves, as any new file.

    Args:
        path: The file; the draft is ``.<name>.part`` beside it.
        content: The whole content.

    Returns:
        The path.

    Raises:
        OSError: The file cannot be written. The draft is removed, the old content is kept.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     write_whole(Path(folder) / "numbers.txt", b"1 2 3").read_bytes()
        b'1 2 3'
    """
    part = path.with_name(f".{path.name}.part")
    try:
        part.unlink(missing_ok=True)  # left by a process that was killed; a link here would redirect what is written
        with part.open("xb") as file:
            file.write(content)
        return part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise type(error)(error.errno, error.strerror, str(path)) from None
