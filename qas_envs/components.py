"""From a name and settings to a component, with errors that name the choices."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

from qas_simulators.errors import must, unknown_name

Component = str | Mapping[str, Any] | Any
"""A name, a mapping ``{"name": ..., **settings}``, or the object itself."""

_CHECKED: dict[Any, tuple[type, ...]] = {int: (int,), float: (int, float), str: (str,), bool: (bool,)}


def resolve(kind: str, choice: Component, choices: Mapping[str, Callable[..., Any]]) -> Any:
    """Return the component that ``choice`` names, or ``choice`` itself if it is an object already.

    Raises:
        ValueError: Unknown name, a setting missing, unknown or of the wrong type.

    Examples:
        >>> from qas_envs.rewards import REWARDS
        >>> resolve("reward", {"name": "crlqas", "bonus": 10}, REWARDS)
        FixedEnds(bonus=10)
    """
    if not isinstance(choice, str | Mapping):
        return choice
    settings = {} if isinstance(choice, str) else dict(choice)
    name = choice if isinstance(choice, str) else settings.pop("name", None)
    if name is None:
        raise ValueError(must(kind, 'have a name: {"name": ..., settings}', settings))
    if name not in choices:
        raise ValueError(unknown_name(kind, name, choices))
    check_settings(f"{kind} {name!r}", choices[name], settings)
    for parameter in inspect.signature(choices[name]).parameters.values():
        if parameter.default is parameter.empty and parameter.name not in settings:
            raise ValueError(f'{kind} {name!r} needs the setting `{parameter.name}`: {{"name": {name!r}, ...}}.')
    return choices[name](**settings)


def check_settings(owner: str, function: Callable[..., Any], settings: Mapping[str, Any]) -> None:
    """Check that ``settings`` are keyword arguments of ``function`` and that numbers are numbers.

    Raises:
        ValueError: They are not; the message lists the arguments.
    """
    allowed = list(inspect.signature(function).parameters)
    hints = get_type_hints(function.__init__ if inspect.isclass(function) else function)
    for setting, value in settings.items():
        if setting not in allowed:
            raise ValueError(unknown_name(f"setting of {owner}", setting, allowed))
        kinds = _CHECKED.get(hints.get(setting))
        if kinds and (not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds)):
            raise ValueError(must(setting, f"be of type {hints[setting].__name__}", value))
