"""From a name and settings to a component, with errors that name the choices."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import NoneType, UnionType
from typing import Any, Final, Union, get_args, get_origin, get_type_hints

import numpy as np

from qas_simulators.errors import must, unknown_name

Component = str | Mapping[str, Any] | Any
"""A name, a mapping ``{"name": ..., **settings}``, or the object itself."""

METHODS: Final[dict[str, tuple[str, ...]]] = {
    "encoding": ("bind",),
    "reward": ("__call__",),
    "curriculum": ("start", "observe", "end_episode"),
    "halting": ("sample",),
    "optimizer": ("minimize",),
}
"""What an environment calls, by kind of component."""


def resolve(kind: str, choice: Component, choices: Mapping[str, Callable[..., Any]]) -> Any:
    """Return the component that ``choice`` names, or ``choice`` itself if it is an object already.

    Raises:
        ValueError: Unknown name, a setting missing, unknown or of the wrong type, or an object of another kind.

    Examples:
        >>> from qas_envs.rewards import REWARDS
        >>> resolve("reward", {"name": "crlqas", "bonus": 10}, REWARDS)
        FixedEnds(bonus=10)
    """
    if not isinstance(choice, str | Mapping):
        if kind in METHODS:
            check_component(kind, choice)
        return choice
    settings = {} if isinstance(choice, str) else dict(choice)
    name = choice if isinstance(choice, str) else settings.pop("name", None)
    if name is None:
        raise ValueError(must(kind, 'have a name: {"name": ..., settings}', settings))
    build = choices[chosen(kind, name, choices)]
    check_settings(f"{kind} {name!r}", build, settings)
    for parameter in inspect.signature(build).parameters.values():
        if parameter.default is parameter.empty and parameter.name not in settings:
            raise ValueError(f'{kind} {name!r} needs the setting `{parameter.name}`: {{"name": {name!r}, ...}}.')
    return build(**settings)


def chosen(kind: str, name: object, choices: Iterable[str]) -> str:
    """Return a name that is among the choices.

    Raises:
        ValueError: It is not, or no text.
    """
    if not isinstance(name, str) or name not in choices:
        raise ValueError(unknown_name(kind, name, choices))
    return name


def check_component(kind: str, component: object) -> None:
    """Check that an object has the methods of its kind; see :data:`METHODS`.

    Raises:
        ValueError: It has not, or it is a class.
    """
    methods = METHODS[kind]
    if isinstance(component, type) or not all(callable(getattr(component, method, None)) for method in methods):
        needed = f"an object (not a class) with {', '.join(methods)}"
        raise ValueError(must(kind, f'be a name, {{"name": ..., settings}}, or {needed}', component))


def check_settings(owner: str, function: Callable[..., Any], settings: Mapping[str, Any]) -> None:
    """Check that ``settings`` are keyword arguments of ``function``, of the types that it says, numbers finite.

    Raises:
        ValueError: They are not; the message lists the arguments.
    """
    parameters = inspect.signature(function).parameters
    hints = get_type_hints(function.__init__ if inspect.isclass(function) else function)
    for setting, value in settings.items():
        default = parameters[chosen(f"setting of {owner}", setting, parameters)].default
        hint = hints.get(setting, Any)
        if value is not default and not _fits(value, hint):
            raise ValueError(must(setting, f"be of type {_in_words(hint)}", value))


def _fits(value: Any, hint: Any) -> bool:
    """Tell whether a value is of a type; types that settings do not have in common are not looked at."""
    kind, inner = get_origin(hint), get_args(hint)
    if kind in (Union, UnionType):
        return any(_fits(value, one) for one in inner)
    if kind in (Sequence, tuple, list):
        return (
            isinstance(value, Sequence | np.ndarray)
            and not isinstance(value, str | bytes)
            and all(_fits(one, inner[0]) for one in value)
        )
    if hint is float:
        return is_number(value)
    if hint is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, hint) if hint in (str, bool, NoneType) else True


def is_number(value: object) -> bool:
    """Tell whether a value is a finite number, other than ``True`` or ``False``."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond all floats
        return False


def is_whole(value: object, least: int, most: float = math.inf) -> bool:
    """Tell whether a value is an integer in a range, ends included, other than ``True`` or ``False``."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(least <= value <= most)


def _in_words(hint: Any) -> str:
    """Return a type as people write it, ``float`` with a word on infinity."""
    text = hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint)
    text = text.replace("collections.abc.", "").replace("typing.", "")
    return f"{text}, numbers finite" if "float" in text else text
