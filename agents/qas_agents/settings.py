"""Checks of settings that are handed on to a function by name."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from inspect import signature
from typing import Any

from qas_simulators.errors import unknown_name


def check_names(
    owner: str, function: Callable[..., Any], settings: Mapping[str, Any], without: Collection[str] = ()
) -> None:
    """Check that every setting is a parameter of ``function``.

    Args:
        owner: Whose settings they are, for the message.
        function: A function or a class.
        settings: Values by name.
        without: Parameters that are not settings.

    Raises:
        ValueError: An unknown name; the message lists the parameters and the nearest one.

    Examples:
        >>> check_names("the search", sorted, {"revers": True}, without=["iterable"])
        Traceback (most recent call last):
        ValueError: Unknown setting of the search 'revers'. Choices: key, reverse. Did you mean 'reverse'?
    """
    known = [name for name in signature(function).parameters if name not in without]
    for name in settings:
        if name not in known:
            raise ValueError(unknown_name(f"setting of {owner}", name, known))
