"""Tokens of OpenQASM text, their positions, and the version line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

# every alternative either matches or fails within one line, or takes the rest: the time is linear
_TOKEN: Final = re.compile(r'\s+|//[^\n]*|/\*(?:.*?\*/|.*)|"[^"\n]*"|[^\W\d]\w*|\d[\w.]*|->|.', re.DOTALL)


class Token(NamedTuple):
    """A word, number, string or sign of a program, and its position.

    Attributes:
        text: The token's characters.
        line: Line, from 1.
        column: Column, from 1.
    """

    text: str
    line: int
    column: int


def tokens(text: str) -> Iterator[Token]:
    """Yield the tokens of a program, comments and spaces left out."""
    line, begin = 1, 0
    for match in _TOKEN.finditer(text):
        word = match[0]
        if not word.isspace() and not word.startswith(("//", "/*")):
            yield Token(word, line, match.start() - begin + 1)
        if "\n" in word:
            line += word.count("\n")
            begin = match.start() + word.rindex("\n") + 1


def version_of(text: str) -> str | None:
    """Return the version in a program's first line, ``None`` if there is none."""
    begin = tokens(text)
    first = next(begin, None)
    second = next(begin, None)
    return second.text if first is not None and second is not None and first.text == "OPENQASM" else None


def refusal(line: int, column: int, reason: object) -> ValueError:
    """Return the error of a program that cannot be read.

    Args:
        line: Line, from 1.
        column: Column, from 1.
        reason: The fault at this position.
    """
    words = " ".join(str(reason).split()).rstrip(".")
    return ValueError(f"OpenQASM, line {line}, column {column}: {words}.")
