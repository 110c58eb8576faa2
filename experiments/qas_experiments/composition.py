"""Settings from words such as ``env=lih training.seed=1``, by Hydra's loader, with messages that name the choices."""

from __future__ import annotations

import copy
import dataclasses
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import ConfigRepository
from hydra._internal.utils import create_automatic_config_search_path
from hydra.core.config_search_path import SearchPathQuery
from hydra.core.object_type import ObjectType
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.core.utils import JobRuntime
from hydra.errors import HydraException
from hydra.plugins.config_source import ConfigResult
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, flag_override
from omegaconf.errors import OmegaConfBaseException

from qas_experiments import options
from qas_experiments.settings import register_schemas
from qas_experiments.yaml_files import check_yaml
from qas_simulators.errors import must, unknown_name

HOME = "pkg://" + options.CONF
"""The search path of the commands' own configurations."""
_TYPES = {"Integer": "a whole number", "Float": "a number", "bool": "true or false", "list": "a list in brackets"}
_CALLER = "qas_experiments.commands.cli"  # relative paths of --config-path start from its folder, as in Hydra


class _CheckedFiles(ConfigRepository):
    """Configurations of which each file is checked before it is read; files of this package are read once."""

    _of_package: ClassVar[dict[str, ConfigResult | None]] = {}

    def load_config(self, config_path: str) -> ConfigResult | None:
        source = self._find_object_source(config_path=config_path, object_type=ObjectType.CONFIG)
        if source is not None and source.scheme() == "file":  # Hydra may load the module of this class twice
            check_yaml(Path(source.path) / source._normalize_file_name(config_path))
        if source is None or source.full_path() != HOME:
            found: ConfigResult | None = super().load_config(config_path)
            return found
        if config_path not in self._of_package:
            self._of_package[config_path] = super().load_config(config_path)
        return copy.deepcopy(self._of_package[config_path])  # Hydra changes what it reads

    def __deepcopy__(self, memo: dict[int, Any]) -> _CheckedFiles:
        """Copy the list of sources only: Hydra copies a repository for every call, and never changes a source."""
        twin = copy.copy(self)
        twin.sources = [*self.sources]
        return twin


class _Loader(ConfigLoaderImpl):
    """Hydra's loader, which keeps the last configuration from the groups, in case an override of a key fails."""

    base: DictConfig | None = None

    def _compose_config_from_defaults_list(self, *args: Any, **kwargs: Any) -> DictConfig:
        self.base = None
        self.base = super()._compose_config_from_defaults_list(*args, **kwargs)
        return self.base


class Composer:
    """Composes settings from a search path.

    Args:
        config_dir: A further folder of configurations, as ``--config-dir`` names it.
        config_path: The folder of the main configuration instead of the commands' own, as ``--config-path`` names it.

    Raises:
        ValueError: There is no such folder.
    """

    def __init__(self, config_dir: str | None = None, config_path: str | None = None) -> None:
        register_schemas()
        path = create_automatic_config_search_path(None, _CALLER, config_path or HOME)
        if config_dir is not None:
            folder = Path(config_dir).resolve()
            if not folder.is_dir():
                raise ValueError(must("--config-dir", "name a folder", config_dir))
            path.prepend("command-line", f"file://{folder}", SearchPathQuery(provider="schema"))
        self._loader = _Loader(path)
        self._loader.repository = _CheckedFiles(path)

    def config(self, config_name: str, overrides: Sequence[str]) -> DictConfig:
        """Return a configuration with the section ``hydra``.

        Raises:
            HydraException, OmegaConfBaseException: It cannot be composed.
        """
        JobRuntime.instance().set("name", config_name)
        return self._loader.load_configuration(config_name, [*overrides], run_mode=RunMode.RUN)

    def settings(self, config_name: str, overrides: Sequence[str]) -> Any:
        """Return the settings as objects, without the section ``hydra``."""
        return OmegaConf.to_object(without_hydra(self.config(config_name, overrides)))

    def checked(self, config_name: str, overrides: Sequence[str]) -> DictConfig:
        """Return a configuration as :meth:`config` does; of a sweep, the one with the first values.

        Raises:
            ValueError: An unknown option or key, also after ``+``; the message has the choices and the nearest one.
            HydraException, OmegaConfBaseException: Any other error, such as a wrong type.
        """
        parsed = OverridesParser.create().parse_overrides([*overrides])
        searched = [str(one.input_line) for one in parsed if one.get_key_element() == "hydra.searchpath"]
        self._check_options([one for one in parsed if one.is_sweep_override()], config_name, searched)
        try:
            config = self.config(config_name, [*map(unswept, parsed)])
        except (HydraException, OmegaConfBaseException) as error:
            self._check_options(parsed, config_name, searched)
            self._check_keys(parsed)
            for one in parsed:
                if (
                    f"Key '{one.key_or_group}' not in" in f"{error} {error.__cause__}"
                ):  # an own group, whose files are of this package
                    needed = "have options whose files begin with `# @package _global_`, or with a section's name"
                    raise ValueError(must(one.key_or_group, needed, one.input_line)) from None
            _check_types(error, parsed)
            raise
        for name, known in chain(_unknown(config), self._unknown_of_hydra(parsed, config)):
            groups = () if "." in name else self._loader.list_groups("")
            raise ValueError(unknown_name("override", name, {*known, *groups}))
        return config

    def _unknown_of_hydra(self, parsed: Sequence[Override], config: DictConfig) -> Iterator[tuple[str, list[str]]]:
        """Yield added sections that Hydra does not have, each with those that it has."""
        kind: Any = OmegaConf.get_type(config.hydra)
        of_hydra = [one for one in parsed if one.key_or_group.split(".")[0] == "hydra"]
        groups = self._loader.list_groups("hydra") if of_hydra else []
        known = [*(field.name for field in dataclasses.fields(kind)), *groups]
        for override in of_hydra:
            if override.key_or_group.removeprefix("hydra").lstrip(".").partition(".")[0] not in known:
                yield override.key_or_group, [f"hydra.{name}" for name in known]

    def _check_options(self, parsed: Sequence[Override], config_name: str, searched: list[str]) -> None:
        """Raise ``ValueError`` for an unknown option of a group."""
        for override in parsed:
            group = override.key_or_group
            if "." in group or override.is_delete():
                continue
            known = self._loader.get_group_options(group, config_name=config_name, overrides=searched)
            choices = {one for one in known if one != "schema"} | {*options.plugins_of(group)}
            for option in values_of(override) if known else ():
                if option not in (*known, "null"):
                    raise ValueError(unknown_name(group, option, choices))

    def _check_keys(self, parsed: Sequence[Override]) -> None:
        """Raise ``ValueError`` for an unknown key that is to be changed; groups were composed before."""
        if self._loader.base is None:
            return  # the groups are the error
        groups = {*self._loader.list_groups("")}
        of_groups = [one for one in parsed if one.key_or_group in groups or one.get_key_element() == "hydra.searchpath"]
        keys = {*_flatten(OmegaConf.to_container(without_hydra(self._loader.base)))}
        for override in parsed:
            name = override.key_or_group
            is_new = override.is_add() or override.is_force_add()
            if override in of_groups or is_new or name in keys or name.startswith("hydra"):
                continue
            if not self._loader.get_group_options(name):
                same = sorted(key for key in keys if key.endswith(f".{name}"))
                if "." not in name and same:
                    raise ValueError(f"Unknown override {name!r}. Did you mean {' or '.join(map(repr, same))}?")
                raise ValueError(unknown_name("override", name, _near(name, keys | groups)))


def check_overrides(config_name: str, overrides: Sequence[str]) -> None:
    """Compose a configuration of the commands' own; see :meth:`Composer.checked`."""
    Composer().checked(config_name, overrides)


def without_hydra(config: DictConfig) -> DictConfig:
    """Remove the section ``hydra``."""
    with flag_override(config, ["struct", "readonly"], [False, False]):
        del config["hydra"]
    return config


def values_of(override: Override) -> list[str]:
    """Return the values of an override: of a sweep or a list all of them."""
    if override.is_sweep_override():
        return [str(value) for value in override.sweep_string_iterator()]
    value = override.value()
    return ["null" if one is None else str(one) for one in (value if isinstance(value, list) else [value])]


def unswept(override: Override) -> str:
    """Return an override; of a sweep, with its first value."""
    if not override.is_sweep_override():
        return str(override.input_line)
    return f"{override.get_key_element()}={next(iter(override.sweep_string_iterator()))}"


def _check_types(error: Exception, parsed: Sequence[Override]) -> None:
    """Raise ``ValueError`` with the name and the value, if a setting has a value of another type."""
    key, reason = getattr(error.__cause__, "full_key", None), str(error.__cause__)
    found = re.match(r"Value '.*' (?:of type '\w+' could not be converted to|is not a valid) (\w+)", reason)
    wanted = found[1] if found else "list" if "is not a ListConfig" in reason else ""
    for override in parsed:
        if key and override.key_or_group == key and wanted in _TYPES:
            raise ValueError(must(key, f"be {_TYPES[wanted]}", str(override.input_line).partition("=")[2])) from None


def _unknown(node: DictConfig, prefix: str = "") -> Iterator[tuple[str, list[str]]]:
    """Yield keys that a dataclass of the settings does not have, each with those that it has."""
    kind = OmegaConf.get_type(node)
    known = [field.name for field in dataclasses.fields(kind)] if dataclasses.is_dataclass(kind) else None
    for key in map(str, node):
        if key == "hydra" and not prefix:
            continue
        if known is not None and key not in known:
            yield f"{prefix}{key}", [f"{prefix}{name}" for name in known]
        child = node._get_node(key)
        if isinstance(child, DictConfig) and not (child._is_none() or child._is_missing() or child._is_interpolation()):
            yield from _unknown(child, f"{prefix}{key}.")


def _near(name: str, keys: set[str]) -> set[str]:
    """Return the keys of the same section if it exists, else the sections."""
    section = name.split(".")[0]
    if section in keys and "." in name:
        return {key for key in keys if key.startswith(f"{section}.")}
    return {key for key in keys if "." not in key}


def _flatten(node: Any, prefix: str = "") -> list[str]:
    if not isinstance(node, dict):
        return []
    keys = []
    for key, value in node.items():
        keys += [f"{prefix}{key}", *_flatten(value, f"{prefix}{key}.")]
    return keys
