"""From a name and settings to a component, with errors that name the choices."""

from __future__ import annotations

import inspect
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np

from qas_envs.imports import called, imported, is_import_string, named
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
        settings_of: Functions whose parameters are the settings of the choices, by name; by default the choices.
        takes_texts: Whether ``check`` also accepts texts, such as the name of a file.
        marker: A word; a text that holds it is no name but is given to ``check``.
        makes: Returns whether the instances of a class are objects for the rule; needed unless ``check`` has it.
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
    settings_of: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    takes_texts: bool = False
    marker: str = ""
    makes: Callable[[Any], bool] | None = None
    name: str = ""

    def resolve(self, value: Any) -> Any:
        """Return the object that ``value`` stands for.

        Args:
            value: A name, a mapping ``{"name": ..., **settings}``, or the object itself. The name may be an import
                string ``package.module:Name``; ``{"_target_": "package.module.Name", **settings}`` is the same.

        Returns:
            The object. If the rule has a ``context``, a name gives a function that takes it and returns the object.

        Raises:
            ValueError: An unknown name, a setting that is missing, unknown or of the wrong type, or an object that does
                not fit.
        """
        value = named(self.unnamed if value is None and self.unnamed else value)
        if self._is_imported(value):
            return self._imported(value)
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
        source = self.settings_of.get(name, build)
        self._check_settings(name, source, settings, self.context)
        return partial(build, **settings) if self.context else build(**settings)

    def _check_settings(
        self, name: str, source: Callable[..., Any], settings: Mapping[str, Any], context: tuple[str, ...]
    ) -> None:
        """Check settings of a choice, and that none is missing."""
        owner = f"{self.kind or self.name} {name!r}"
        check_settings(owner, source, settings, context)
        for parameter in _settings_of(source).values():
            if parameter.default is parameter.empty and parameter.name not in (*settings, *context):
                raise ValueError(f'{owner} needs the setting `{parameter.name}`: {{"name": {name!r}, ...}}.')

    def _is_imported(self, value: Any) -> bool:
        """Return whether a value is an import string, or a mapping with one."""
        name = value.get("name") if isinstance(value, Mapping) else value
        return is_import_string(name) and not (self.takes_texts and os.path.exists(str(value)))

    def _imported(self, value: Any) -> Any:
        """Return the object that an import string stands for, as :meth:`resolve` does for a name."""
        settings = {} if isinstance(value, str) else dict(value)
        target = value if isinstance(value, str) else settings.pop("name")
        found = imported(self.name, target)
        if not self.choices:  # settings are of the rule itself
            return self.check(self.name, {**settings, "name": found} if settings else found)
        if not inspect.isclass(found) and not inspect.isfunction(found):
            for setting in settings:
                raise ValueError(unknown_name(f"setting of {self.kind or self.name} {target!r}", setting, ()))
            return self.check(self.name, found)
        if inspect.isfunction(found) and self._takes_functions:  # such as a reward
            self._check_settings(target, found, settings, tuple(inspect.signature(found).parameters)[:1])
            if settings:
                _require_annotation(self.name, found, target)
            return self.check(self.name, partial(found, **settings) if settings else found)
        makes = self.makes or getattr(self.check, "makes", None)
        kind = found if inspect.isclass(found) else _require_annotation(self.name, found, target)
        if makes is None or not makes(kind):
            methods = f" with {', '.join(self.check.methods)}" if isinstance(self.check, HasMethods) else ""
            words = f"name an object for `{self.name}`{methods}, or a class or function that makes one"
            raise ValueError(must(self.name, words, target))
        self._check_settings(target, found, settings, self.context)
        if self.context:
            return partial(found, **settings)
        return self.check(self.name, called(self.name, target, found, settings))

    @property
    def _takes_functions(self) -> bool:
        """Whether a function is an object for the rule, which needs nothing but to be called."""
        return isinstance(self.check, HasMethods) and self.check.methods == ("__call__",)


def _require_annotation(name: str, function: Callable[..., Any], target: str) -> Any:
    """Return what a function is annotated to return.

    Raises:
        ValueError: It has no such annotation, without which functions of other modules are not called.
    """
    try:
        hint = get_type_hints(function).get("return")
    except Exception as error:  # names that exist only for type checkers
        raise ValueError(must(name, f"name a function with readable annotations ({error})", target)) from None
    if hint is None:
        raise ValueError(must(name, "name a function that is annotated with what it returns", target))
    return hint


@dataclass(frozen=True)
class HasMethods:
    """The check of objects with these methods."""

    methods: tuple[str, ...]

    def __call__(self, name: str, value: Any) -> Any:
        """Check an object; see :data:`Check`."""
        if isinstance(value, type) or not all(callable(getattr(value, method, None)) for method in self.methods):
            needed = f"an object (not a class) with {', '.join(self.methods)}"
            raise ValueError(must(name, f'be a name, {{"name": ..., settings}}, or {needed}', value))
        return value

    def makes(self, kind: Any) -> bool:
        """Return whether the instances of a class have the methods."""
        return isinstance(kind, type) and all(
            any(callable(vars(base).get(method)) for base in kind.__mro__) for method in self.methods
        )


@dataclass(frozen=True)
class IsInstance:
    """The check of objects of a class, or ``None``."""

    kind: type
    or_none: bool = False

    def __call__(self, name: str, value: Any) -> Any:
        """Check an object; see :data:`Check`."""
        if not isinstance(value, self.kind) and not (self.or_none and value is None):
            needed = f"a {self.kind.__name__} or None" if self.or_none else f"or a {self.kind.__name__}"
            raise ValueError(must(name, f'be a name, {{"name": ..., settings}}, {needed}', value))
        return value

    def makes(self, kind: Any) -> bool:
        """Return whether a class is this one or derived from it."""
        return isinstance(kind, type) and issubclass(kind, self.kind)


def of_kinds(*kinds: type) -> Callable[[Any], bool]:
    """Return the function ``Rule.makes`` of classes that are, or are derived from, one of these.

    Examples:
        >>> of_kinds(list)(list[tuple[int, int]]), of_kinds(list)(str)
        (True, False)
    """

    def makes(kind: Any) -> bool:
        origin = get_origin(kind) or kind
        return isinstance(origin, type) and issubclass(origin, kinds)

    return makes


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
    parameters = {name: one for name, one in _settings_of(function).items() if name not in context}
    hints = get_type_hints(function.__init__ if inspect.isclass(function) else function)
    for setting, value in settings.items():
        default = parameters[chosen(f"setting of {owner}", setting, parameters)].default
        hint = hints.get(setting, Any)
        if value is not default and not _fits(value, hint):
            raise ValueError(must(setting, f"be of type {_in_words(hint)}", value))


def _settings_of(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    """Return the parameters of a function that have names, without ``*args`` and ``**kwargs``."""
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {name: one for name, one in inspect.signature(function).parameters.items() if one.kind not in variadic}


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
