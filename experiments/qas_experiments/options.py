"""Options of ``agent=``, ``optimizer=`` and ``noise=``: YAML files, and entries of the tables that have no file.

An option without a file has the defaults of the settings in its code. A new agent, optimiser or noise model therefore
needs no file here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from importlib.resources import files
from inspect import Parameter, signature
from typing import Any, Final

from qas_agents.registry import AGENTS, AgentEntry
from qas_envs.imports import AGENT_PLUGINS, PROBLEM_PLUGINS, plugins
from qas_simulators.noise_presets import NOISE_MODELS
from qas_simulators.optimizers import OPTIMIZERS

CONF: Final = "qas_experiments.conf"
MISSING: Final[Any] = "???"
"""A value that must be given, as OmegaConf writes it."""

NOT_SETTINGS: Final = ("env", "seed", "device", "settings", "proposal")
"""Parameters of agents that are no settings of theirs."""


def groups() -> dict[str, list[str]]:
    """Return the options of every group of the configuration, those of plugins included."""
    folders = [entry.name for entry in files(CONF).iterdir() if entry.is_dir() and not entry.name.startswith("_")]
    return {name: sorted({*_files(name), *without_file(name), *plugins_of(name)}) for name in folders}


def plugins_of(group: str) -> list[str]:
    """Return the plugins that are options of a group, unless it has an option of that name; none is imported."""
    names = {"agent": AGENT_PLUGINS, "env": PROBLEM_PLUGINS}
    if group not in names:
        return []
    return [name for name in plugins(names[group]) if name not in {*_files(group), *without_file(group)}]


def option(group: str, name: str) -> Any:
    """Return the settings of an option, as OmegaConf has them.

    Raises:
        KeyError: There is no such option.
    """
    from omegaconf import OmegaConf

    if name in _files(group):
        return OmegaConf.create(_text(group, name))
    return OmegaConf.create(without_file(group)[name])


def register_options() -> None:
    """Register with Hydra the options that have no file."""
    from hydra.core.config_store import ConfigStore

    store = ConfigStore.instance()
    for group in ("agent", "optimizer", "noise"):
        for name, settings in without_file(group).items():
            store.store(group=group, name=name, node=settings)


def without_file(group: str) -> dict[str, dict[str, Any]]:
    """Return the settings of the options of a group that have no file."""
    known = "\n".join(_text(group, name) for name in _files(group))
    missing = [name for name in _table(group) if not re.search(rf"^name: {name}$", known, re.MULTILINE)]
    return {name: {"name": name, **_defaults(_table(group)[name]())} for name in missing}


def _table(group: str) -> dict[str, Callable[[], Iterable[Callable[..., Any]]]]:
    """Return, by name, what returns the functions and classes of whose parameters the settings are."""
    if group == "agent":
        return {name: entry.settings for name, entry in AGENTS.items() if isinstance(entry, AgentEntry)}
    tables: dict[str, Mapping[str, Callable[..., Any]]] = {"optimizer": OPTIMIZERS, "noise": NOISE_MODELS}
    return {name: partial(tuple, (kind,)) for name, kind in tables.get(group, {}).items()}


def _defaults(kinds: Iterable[Callable[..., Any]]) -> dict[str, Any]:
    """Return the defaults of settings; those without one are missing until they are given."""
    found: dict[str, Any] = {}
    for kind in kinds:
        for name, parameter in signature(kind).parameters.items():
            if name in NOT_SETTINGS or parameter.kind in (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD):
                continue
            if parameter.default is Parameter.empty:
                found[name] = MISSING
            elif _is_plain(parameter.default):
                found[name] = list(parameter.default) if isinstance(parameter.default, tuple) else parameter.default
    return found


def _is_plain(value: Any) -> bool:
    """Return whether a value can be written in YAML."""
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _is_plain(one) for key, one in value.items())
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str)


def _files(group: str) -> list[str]:
    folder = files(CONF).joinpath(group)
    return [file.name.removesuffix(".yaml") for file in folder.iterdir() if file.name.endswith(".yaml")]


def _text(group: str, name: str) -> str:
    return files(CONF).joinpath(group, f"{name}.yaml").read_text("utf-8")
