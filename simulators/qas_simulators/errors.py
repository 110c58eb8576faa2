"""Messages of the errors that all four packages raise."""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

_LONGEST: Final = 500  # characters of a value in a message


def unknown_name(kind: str, name: object, choices: Iterable[str]) -> str:
    """Return a one-line message with the unknown name, all choices and the nearest one.

    Examples:
        >>> unknown_name("optimizer", "cobila", ["cobyla", "none"])
        "Unknown optimizer 'cobila'. Choices: cobyla, none. Did you mean 'cobyla'?"
    """
    return f"Unknown {kind} {shown(name)}. {_choices(name, choices)}"


def _choices(name: object, choices: Iterable[str]) -> str:
    names = sorted(choices)
    message = f"Choices: {', '.join(names)}."
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5) if isinstance(name, str) else []
    return f"{message} Did you mean {near[0]!r}?" if near else message


def unexpected_argument(function: str, name: object, choices: Iterable[str]) -> str:
    """Return the message of a ``TypeError`` about an unknown keyword argument: Python's words, then the choices.

    Examples:
        >>> unexpected_argument("f()", "rewards", ["gates", "reward"])
        "f() got an unexpected keyword argument 'rewards'. Choices: gates, reward. Did you mean 'reward'?"
    """
    return f"{function} got an unexpected keyword argument {shown(name)}. {_choices(name, choices)}"


def must(argument: str, requirement: str, value: object) -> str:
    """Return the message of a rejected argument.

    Examples:
        >>> must("depth", "be at least 1", 0)
        'Argument `depth` must be at least 1, but is 0.'
    """
    return f"Argument `{argument}` must {requirement}, but is {shown(value)}."


def shown(value: object) -> str:
    """Return a value for a message: its ``repr`` on one line, cut where it is long.

    Examples:
        >>> shown("a"), len(shown(list(range(1000))))
        ("'a'", 500)
    """
    try:
        text = " ".join(repr(value).split())
    except Exception:  # such as integers of more digits than Python prints, and lists that hold themselves too deeply
        text = f"a {type(value).__name__}"
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 4]} ..."


class MissingExtraError(ImportError):
    """A package of an extra is not installed; the message has the command that installs it."""


@contextmanager
def needs_extra(extra: str) -> Iterator[None]:
    """Replace a failed import in the block by an error that names the extra to install.

    Raises:
        MissingExtraError: A package is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("qas_"):
            raise
        raise MissingExtraError(f'{error.name} is not installed: pip install "qas-envs[{extra}]"') from None


class OneLineParser(argparse.ArgumentParser):
    """A parser of arguments whose errors are one line, with the nearest flag; exit status 2."""

    def error(self, message: str) -> NoReturn:
        """Write the error and end the process."""
        unknown = message.removeprefix("unrecognized arguments: ")
        if unknown != message and unknown.startswith("--"):
            flags = [flag for action in self._actions for flag in action.option_strings if flag.startswith("--")]
            message = unknown_name("flag", unknown.split(" ")[0].partition("=")[0], flags)
        sys.stderr.write(f"error: {message}\n")
        raise SystemExit(2)
