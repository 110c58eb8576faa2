"""From a name and settings to a component, with errors that name the choices."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from qas_simulators.errors import must, unknown_name

Check = Callable[[str, Any], Any]
"""Returns an object that is given for a rule, converted if need be; raises ``ValueError`` if it does not fit.

The first argument is the name of the rule, for the message.
"""


@dataclass(frozen=True)
class Rule:
    """One rule of environments: what may be given for it, and how that becomes an object.

    Attributes:
        sentence: What the rule is.
        default: Its value in the preset ``default``.
        check: Checks an object that is given instead of a name.
        choices: By name, the objects to choose from, or the classes and functions that build them.
        context: Parameters of these classes and functions that are not settings: the environment passes them.
        kind: What messages call an unknown choice; by default the name of the rule.
        unnamed: The choice that ``None``, or a mapping without a name, stands for; empty if there is none.
        settings_of: The function whose parameters are the settings of all choices; by default each has its own.
        takes_texts: Whether ``check`` also accepts texts, such as the name of a file.
        marker: A word; a text that holds it is no name but is given to ``check``.
        name: The name of the rule.

    Examples:
        >>> from qas_envs.rules import RULES
        >>> RULES["reward"].resolve({"name": "crlqas", "bonus": 10})
        FixedEnds(bonus=10)
    """

    sentence: str
    default: Any
    check: Check
    choices: Mapping[str, Any] = field(default_factory=dict)
    context: tuple[str, ...] = ()
    kind: str = ""
    unnamed: str = ""
    settings_of: Callable[..., Any] | None = None
    takes_texts: bool = False
    marker: str = ""
    name: str = ""

    def resolve(self, value: Any) -> Any:
        """Return the object that ``value`` stands for.

        Args:
            value: A name, a mapping ``{"name": ..., **settings}``, or the object itself.

        Returns:
            The object. If the rule has a ``context``, a name gives a function that takes it and returns the object.

        Raises:
            ValueError: An unknown name, a setting that is missing, unknown or of the wrong type, or an object that does
                not fit.
        """
        if value is None and self.unnamed:
            value = self.unnamed
        is_named = self.choices and isinstance(value, Mapping if self.takes_texts else str | Mapping)
        is_marked = isinstance(value, str) and self.marker and self.marker in value
        if not is_named or is_marked:
            return self.check(self.name, value)
        settings = {} if isinstance(value, str) else dict(value)
        name = value if isinstance(value, str) else settings.pop("name", self.unnamed or None)
        if name is None:
            raise ValueError(must(self.name, 'have a name: {"name": ..., settings}', settings))
        kind = self.kind or self.name
        build = self.choices[chosen(kind, name, self.choices)]
        if not callable(build):
            for setting in settings:
                raise ValueError(unknown_name(f"setting of {kind} {name!r}", setting, ()))
            return self.check(self.name, build)
        source = self.settings_of or build
        check_settings(f"{kind} {name!r}", source, settings, self.context)
        for parameter in inspect.signature(source).parameters.values():
            if parameter.default is parameter.empty and parameter.name not in (*settings, *self.context):
                raise ValueError(f'{kind} {name!r} needs the setting `{parameter.name}`: {{"name": {name!r}, ...}}.')
        return partial(build, **settings) if self.context else build(**settings)


def has_methods(*methods: str) -> Check:
    """Return the check of objects with these methods."""

    def check(name: str, value: Any) -> Any:
        if isinstance(value, type) or not all(callable(getattr(value, method, None)) for method in methods):
            needed = f"an object (not a class) with {', '.join(methods)}"
            raise ValueError(must(name, f'be a name, {{"name": ..., settings}}, or {needed}', value))
        return value

    return check


def is_instance(kind: type, or_none: bool = False) -> Check:
    """Return the check of objects of a class, or ``None``."""

    def check(name: str, value: Any) -> Any:
        if not isinstance(value, kind) and not (or_none and value is None):
            needed = f"a {kind.__name__} or None" if or_none else f"or a {kind.__name__}"
            raise ValueError(must(name, f'be a name, {{"name": ..., settings}}, {needed}', value))
        return value

    return check


def chosen(kind: str, name: object, choices: Iterable[str]) -> str:
    """Return a name that is among the choices.

    Raises:
        ValueError: It is not among them, or not a text.
    """
    if not isinstance(name, str) or name not in choices:
        raise ValueError(unknown_name(kind, name, choices))
    return name


def check_settings(
    owner: str, function: Callable[..., Any], settings: Mapping[str, Any], context: tuple[str, ...] = ()
) -> None:
    """Check that ``settings`` are the keyword arguments of ``function``: of its types, numbers finite.

    Args:
        owner: What has the settings, for the message.
        function: The function, or a class.
        settings: The settings.
        context: Parameters that are not settings.

    Raises:
        ValueError: They do not fit; the message lists the settings.
    """
    parameters = {name: one for name, one in inspect.signature(function).parameters.items() if name not in context}
    hints = get_type_hints(function.__init__ if inspect.isclass(function) else function)
    for setting, value in settings.items():
        default = parameters[chosen(f"setting of {owner}", setting, parameters)].default
        hint = hints.get(setting, Any)
        if value is not default and not _fits(value, hint):
            raise ValueError(must(setting, f"be of type {_in_words(hint)}", value))


def _fits(value: Any, hint: Any) -> bool:
    """Return whether a value is of a type; types that no setting has are not checked."""
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
    """Return whether a value is a finite number, other than ``True`` or ``False``."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer larger than all floats
        return False


def is_whole(value: object, least: int, most: float = math.inf) -> bool:
    """Return whether a value is an integer in a range, ends included, other than ``True`` or ``False``."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(least <= value <= most)


def _in_words(hint: Any) -> str:
    """Return a type as it is written in code; for ``float``, add that infinity is refused."""
    text = hint.__name__ if isinstance(hint, type) and not get_args(hint) else str(hint)
    text = text.replace("collections.abc.", "").replace("typing.", "")
    return f"{text}, numbers finite" if "float" in text else text
