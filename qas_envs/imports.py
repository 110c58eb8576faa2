"""Objects of other modules by name: import strings ``package.module:Name``, and plugins of installed packages.

An import string may come from the settings of a run or a record that somebody else made. Only classes and functions
that make what is asked for are therefore called: a class must have the methods, a function must be annotated with what
it returns. :func:`no_imports` forbids all imports, for the verification of records.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.metadata import Distribution, EntryPoint, EntryPoints, distributions, entry_points
from pathlib import Path
from traceback import extract_tb
from typing import Any, Final

from qas_simulators.errors import must

TARGET: Final = "_target_"
"""Key of a mapping with an import string, as in Hydra: ``{"_target_": "package.module.Name", **settings}``."""
PROBLEM_PLUGINS: Final = "qas_envs.problems"
AGENT_PLUGINS: Final = "qas_agents.agents"
_PATTERN: Final = re.compile(r"[A-Za-z_]\w*(\.\w+)*:[A-Za-z_]\w*(\.\w+)*")
_are_allowed: ContextVar[bool] = ContextVar("are_allowed", default=True)


def is_import_string(value: object) -> bool:
    """Return whether a value is a text of the form ``package.module:Name``.

    Examples:
        >>> is_import_string("rewards:Mine"), is_import_string("crlqas"), is_import_string("OPENQASM 3.0;")
        (True, False, False)
    """
    return isinstance(value, str) and _PATTERN.fullmatch(value) is not None


def with_colon(target: Any) -> Any:
    """Return Hydra's ``package.module.Name`` as the import string ``package.module:Name``; others are unchanged.

    Examples:
        >>> with_colon("package.module.Name"), with_colon("package.module:Outer.Inner")
        ('package.module:Name', 'package.module:Outer.Inner')
    """
    if not isinstance(target, str) or ":" in target or "." not in target:
        return target
    module, _, name = target.rpartition(".")
    return f"{module}:{name}"


def named(value: Any) -> Any:
    """Return a mapping with the key ``_target_`` as one with a ``name``, which is an import string.

    A ``name`` besides ``_target_``, such as one from a file of defaults, is dropped. Other values are unchanged.

    Examples:
        >>> named({"_target_": "rewards.Mine", "price": 0.1})
        {'name': 'rewards:Mine', 'price': 0.1}
    """
    if not isinstance(value, Mapping) or TARGET not in value:
        return value
    rest = {key: one for key, one in value.items() if key not in (TARGET, "name")}
    return {"name": with_colon(value[TARGET]), **rest}


def imported(argument: str, target: Any) -> Any:
    """Return the object that an import string names.

    Args:
        argument: Name of the argument, for the message.
        target: ``package.module:Name``, where ``Name`` may have dots.

    Raises:
        ValueError: It has another form or cannot be imported; the message has the file and the line.
    """
    if not is_import_string(target):
        raise ValueError(must(argument, "name a class or function as package.module:Name", target))
    if not _are_allowed.get():
        raise ValueError(must(argument, "not name code of a user where records are verified", target))
    module, _, path = target.partition(":")
    try:
        found: Any = import_module(module)
        for name in path.split("."):
            found = getattr(found, name)
    except (Exception, SystemExit) as error:  # importing runs foreign code, which may raise anything
        requirement = f"name a class or function as package.module:Name ({_why(error, module)})"
        raise ValueError(must(argument, requirement, target)) from None
    return found


def _why(error: BaseException, module: str) -> str:
    """Return why a name cannot be imported, with the place if that is in the module's own code."""
    last = extract_tb(error.__traceback__)[-1]
    if isinstance(error, ModuleNotFoundError) and module.endswith(".py"):
        return f"{error}; write {module.removesuffix('.py')!r}, without .py"
    if isinstance(error, AttributeError) and last.filename == __file__:
        near = get_close_matches(error.name or "", dir(error.obj), n=1)
        return f"{error}; did you mean {near[0]!r}?" if near else str(error)
    if isinstance(error, ModuleNotFoundError) and last.filename.startswith("<frozen importlib"):
        return str(error)
    return reason_of(error)


@contextmanager
def no_imports() -> Iterator[None]:
    """Refuse all import strings and plugins in the block."""
    token = _are_allowed.set(False)
    try:
        yield
    finally:
        _are_allowed.reset(token)


def reason_of(error: BaseException) -> str:
    """Return an error in one line, with the last file and line of its traceback."""
    last = extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {error}, {Path(last.filename).name} line {last.lineno}"


def called(argument: str, target: str, build: Callable[..., Any], settings: Mapping[str, Any]) -> Any:
    """Return ``build(**settings)``.

    Raises:
        ValueError: Any exception of foreign code, in one line.
    """
    try:
        return build(**settings)
    except ValueError:
        raise
    except (Exception, SystemExit) as error:
        raise ValueError(must(argument, f"accept {dict(settings)} ({reason_of(error)})", target)) from None


# -- plugins -----------------------------------------------------------------------------------------------------------


@cache
def plugins(group: str) -> Mapping[str, EntryPoint]:
    """Return the plugins of installed packages by name; none of them is imported.

    Args:
        group: Group of entry points, :data:`PROBLEM_PLUGINS` or :data:`AGENT_PLUGINS`.
    """
    try:
        found = entry_points(group=group)
    except Exception:  # one package has a damaged entry_points.txt
        found = EntryPoints(one for one in _readable() if one.group == group)
    return {one.name: one for one in reversed(tuple(found))}  # the first of a name, as on the search path


@cache
def _readable() -> tuple[EntryPoint, ...]:
    return tuple(one for package in distributions() for one in _entry_points(package))


def _entry_points(package: Distribution) -> EntryPoints:
    try:
        return package.entry_points
    except Exception as error:
        name = package.metadata["Name"]
        sys.stderr.write(f"warning: the entry points of {name} cannot be read ({type(error).__name__}: {error})\n")
        return EntryPoints()


def plugin(argument: str, group: str, name: str) -> Any:
    """Import a plugin.

    Args:
        argument: Name of the argument, for the message.
        group: Group of entry points.
        name: Name of the plugin.

    Raises:
        ValueError: It cannot be imported; the message names the plugin, its package, the file and the line.
    """
    if not _are_allowed.get():
        raise ValueError(must(argument, "not name a plugin where records are verified", name))
    entry = plugins(group)[name]
    try:
        return entry.load()
    except (Exception, SystemExit) as error:
        package = "unknown package" if entry.dist is None else entry.dist.name
        requirement = f"name a plugin that can be imported ({entry.value} of {package}: {reason_of(error)})"
        raise ValueError(must(argument, requirement, name)) from None
