"""Reading files of records row by row; rows that cannot be read are reported, and the next ones are read."""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

from qas_simulators.errors import must

LONGEST = 4_000_000
"""Bytes of a row at most; the records of the suites have up to 25,000."""
_DEEPEST = 40  # levels of JSON
_LARGEST = 2**63  # of integers, the limit of SQLite
_SQLITE = b"SQLite format 3\x00"
_XZ = b"\xfd7zXZ\x00"
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_HEAD = 65_536  # bytes within which a file of JSON lines has its first brace
_MOST_EXPANDED = 300  # times the size of a compressed file; the committed ones expand up to 16 times


@dataclass(frozen=True)
class Row:
    """A line of text or a row of a database.

    Attributes:
        place: Such as ``line 3``.
        content: The JSON object in it; empty if it cannot be read.
        fault: Why it cannot be read; empty if it can.
    """

    place: str
    content: dict[str, Any]
    fault: str = ""


def rows_of(path: Path) -> Iterator[Row]:
    """Yield the rows of an SQLite file, or of lines of text that may be xz-compressed; skip blank lines.

    Raises:
        ValueError: The file has another format or cannot be opened.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
            if head.startswith(_XZ):
                file.seek(0)
                yield from _of_lines(_Expanded(file, _MOST_EXPANDED * path.stat().st_size))
                return
            if not head.startswith(_SQLITE):
                if head and b"{" not in head:
                    raise ValueError(
                        must("records", "be a readable file of records (SQLite, or lines of JSON)", str(path))
                    )
                file.seek(0)
                yield from _of_lines(file)
                return
    except OSError as error:
        raise ValueError(must("records", f"be a readable file ({error.strerror})", str(path))) from None
    with opened(path) as database:
        yield from _of_database(database)


@contextmanager
def opened(path: Path) -> Iterator[sqlite3.Connection]:
    """Yield a connection whose changes are committed together, or not at all.

    Raises:
        ValueError: SQLite cannot use the file.
    """
    try:
        with closing(sqlite3.connect(path, timeout=60.0)) as database, database:
            yield database
    except sqlite3.Error as error:
        raise ValueError(must("records", f"be a readable file of records ({error})", str(path))) from None


def has_table(database: sqlite3.Connection, name: str) -> bool:
    """Return whether a database has a table."""
    found = database.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?", (name,))
    return found.fetchone() is not None


class _Lines(Protocol):
    def readline(self, size: int, /) -> bytes: ...


class _Expanded:
    """Lines of a compressed file.

    Args:
        file: The compressed file.
        most: Bytes that it may expand to; without a limit a small file could fill the memory.
    """

    def __init__(self, file: BinaryIO, most: int) -> None:
        import lzma  # imported here because Python can be built without it

        self._lines = lzma.LZMAFile(file)  # noqa: SIM115 - the caller closes the file
        self._left = most
        self._damages = (lzma.LZMAError, EOFError, MemoryError)

    def readline(self, size: int, /) -> bytes:
        """Return the next line, or its first ``size`` bytes.

        Raises:
            _DamagedError: The rest cannot be expanded.
        """
        try:
            line = self._lines.readline(size)
        except self._damages as error:
            raise _DamagedError(str(error) or type(error).__name__) from None
        self._left -= len(line)
        if self._left < 0:
            raise _DamagedError(f"it expands to more than {_MOST_EXPANDED} times the size of the file")
        return line


class _DamagedError(Exception):
    pass


def _of_lines(file: _Lines) -> Iterator[Row]:
    """Yield the rows of lines of text, up to the first damage of a compressed file."""
    number = 0
    while True:
        number += 1
        try:
            line = file.readline(LONGEST + 1)
            is_too_long = len(line) > LONGEST
            while is_too_long and line and not line.endswith(b"\n"):
                line = file.readline(LONGEST + 1)
        except _DamagedError as error:
            yield Row(f"line {number}", {}, f"cannot be read, nor can the rest of the compressed file ({error})")
            return
        if not line and not is_too_long:
            return
        if is_too_long:
            yield _too_long(f"line {number}")
            continue
        text = line.removeprefix(_BYTE_ORDER_MARK) if number == 1 else line
        if text.strip():
            yield _row(f"line {number}", text)


def _of_database(database: sqlite3.Connection) -> Iterator[Row]:
    """Yield Hamiltonians, then records, in the form of lines of text."""
    database.text_factory = bytes  # decoded later, because the declared encoding may be wrong
    queries = {
        "hamiltonians": "SELECT instance_hash, 0, CASE WHEN length(terms) <= ? THEN terms END FROM hamiltonians",
        "records": "SELECT hash, format, CASE WHEN length(content) <= ? THEN content END FROM records ORDER BY rowid",
    }
    for table, query in queries.items():
        if not has_table(database, table):
            continue
        rows = database.execute(query, (LONGEST,))
        number = 0
        while True:
            number += 1
            place = f"row {number} of {table}"
            try:
                found = rows.fetchone()
            except sqlite3.Error as error:  # the rest is damaged
                yield Row(place, {}, f"cannot be read ({error})")
                break
            if found is None:
                break
            key, form, text = found
            if text is None:
                yield _too_long(place)
            elif not isinstance(key, bytes) or not isinstance(text, bytes):
                yield Row(place, {}, "must hold text")
            else:
                row = _row(place, text)
                name = key.decode(errors="replace")
                more = {"hash": name, "format": form}
                content = {"instance_hash": name, "hamiltonian": row.content} if table == "hamiltonians" else None
                yield row if row.fault else Row(place, content or {**row.content, **more})


def _too_long(place: str) -> Row:
    return Row(place, {}, f"must have {LONGEST:,} bytes at most")


def _row(place: str, text: bytes) -> Row:
    try:
        content = json.loads(text.decode("utf-8"))
        if not isinstance(content, dict):
            raise ValueError(f"must be a JSON object, but is a {type(content).__name__}")
        _check_plain("", content, 1)
    except UnicodeDecodeError as error:
        return Row(place, {}, f"must be UTF-8 ({error.reason} at byte {error.start})")
    except json.JSONDecodeError as error:
        return Row(place, {}, f"must be JSON ({error.msg} at character {error.pos})")
    except (ValueError, RecursionError) as error:
        return Row(place, {}, str(error))
    return Row(place, content)


def _check_plain(name: str, content: dict[str, Any] | list[Any], depth: int) -> None:
    """Raise ``ValueError`` unless numbers are finite and of 64 bits, strings are Unicode, and nesting is limited.

    Most of a row are numbers, so each object and list is one call, and each number is none.
    """
    if depth > _DEEPEST:
        raise ValueError(f"must have {_DEEPEST} levels of JSON at most")
    for key, value in content.items() if isinstance(content, dict) else enumerate(content):
        kind = type(value)
        if isinstance(key, str) and not _is_unicode(key):
            raise ValueError(_fault("key", key))
        if kind is dict or kind is list:
            _check_plain(_inner(name, key), value, depth + 1)
        elif kind in _IS_PLAIN and not _IS_PLAIN[kind](value):
            raise ValueError(_fault(_inner(name, key), value))


def _inner(name: str, key: str | int) -> str:
    """Return the name of what an object has under a key; items of a list have the name of the list."""
    if isinstance(key, int):
        return name
    return f"{name}.{key}" if name else key


def _is_unicode(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)


_IS_PLAIN: Final[dict[type, Callable[[Any], bool]]] = {
    float: math.isfinite,
    int: lambda value: -_LARGEST <= value < _LARGEST,
    str: _is_unicode,
}


def _fault(name: str, value: Any) -> str:
    if isinstance(value, float):
        return must(name[:80], "be finite", value)
    if isinstance(value, str):
        return f"`{name[:80]}` must be Unicode, but has half of a surrogate pair"
    return f"`{name[:80]}` must be an integer of 64 bits at most"
