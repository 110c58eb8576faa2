"""Files that are there whole or not at all."""

from __future__ import annotations

from pathlib import Path


def write_whole(path: Path, content: bytes) -> Path:
    """Write a file at once: a reader, or a process that is killed, sees the old content or the new one.

    The file gets the permissions that the umask leaves, as any new file.

    Args:
        path: Where; ``.<name>.part`` beside it is the draft.
        content: All of it.

    Returns:
        The path.

    Raises:
        OSError: It cannot be written; names the file. The draft is gone and the old content is still there.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     write_whole(Path(folder) / "numbers.txt", b"1 2 3").read_bytes()
        b'1 2 3'
    """
    part = path.with_name(f".{path.name}.part")
    try:
        part.unlink(missing_ok=True)  # of a process that was killed; were it a link, we would write elsewhere
        with part.open("xb") as file:
            file.write(content)
        return part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise type(error)(error.errno, error.strerror, str(path)) from None
