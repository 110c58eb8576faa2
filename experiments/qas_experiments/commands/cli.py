"""Running a command under Hydra, with one-line errors that name the choices."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hydra
from hydra._internal.utils import get_args_parser
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from qas_experiments import options
from qas_experiments.commands.errors import fail as fail
from qas_experiments.commands.sweeps import Sweep, SweepInterrupted
from qas_experiments.interrupts import INTERRUPTED, handled
from qas_experiments.settings import COMPONENTS, register_schemas
from qas_experiments.yaml_files import check_yaml
from qas_simulators.errors import unknown_name

CONF = options.CONF
_USER_ERRORS = (ValueError, OSError, HydraException, OmegaConfBaseException, YAMLError)
_MOST_RESTARTS = 3  # of a sweep whose workers are killed


def run_command(config_name: str, function: Callable[[Any], Any]) -> None:
    """Compose ``conf/<config_name>.yaml`` with the command line's overrides and call ``function`` with the settings.

    An error of the user ends the process with status 2 and one line on standard error.
    """
    register_schemas()
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises errors instead of printing them
    sys.argv[1:] = [part for argument in sys.argv[1:] for part in expanded(argument)]
    flags = get_args_parser().parse_args()
    asks_only = flags.help or flags.hydra_help or flags.shell_completion
    try:
        for folder in filter(None, (flags.config_dir, flags.config_path)):
            for path in sorted(Path(folder).rglob("*.yaml")):
                check_yaml(path)
        if not asks_only:
            sys.argv += (dropped := without_other_network(config_name, flags.overrides))
            flags.overrides += dropped
        check_overrides(config_name, [] if asks_only else flags.overrides)
        if flags.multirun and not asks_only:
            raise SystemExit(_sweep(config_name, function))
        _call_hydra(config_name, lambda config: _play(config, function))
    except _USER_ERRORS as error:
        fail(error)


def _play(config: DictConfig, function: Callable[[Any], Any]) -> None:
    """Call a command's function; exit with status 130 if it was interrupted."""
    try:
        result = function(OmegaConf.to_object(config))
    except _USER_ERRORS as error:  # before Hydra prints it
        fail(error)
    if isinstance(result, dict) and result.get("interrupted"):
        raise SystemExit(INTERRUPTED)


def _call_hydra(config_name: str, task: Callable[[DictConfig], None]) -> None:
    hydra.main(version_base="1.3", config_path="pkg://" + CONF, config_name=config_name)(task)()


def _sweep(config_name: str, function: Callable[[Any], Any]) -> int:
    """Play the jobs of a sweep; return the exit status.

    joblib ends all of its workers when one of them is killed. The jobs are then resumed by a restart.
    """
    sweep = Sweep.begin(config_name)
    try:
        with handled(sweep.handle):
            for left in range(_MOST_RESTARTS, -1, -1):
                try:
                    _call_hydra(config_name, sweep.job(function))
                except SweepInterrupted:
                    pass
                except KeyboardInterrupt:
                    sweep.stop()
                except Exception as error:  # launchers are optional packages, so their errors are compared by name
                    if type(error).__name__ == "TerminatedWorkerError" and left and not sweep.is_stopped:
                        sys.stderr.write("a worker was killed; its jobs are resumed\n")
                        continue
                    if not sweep.is_stopped:
                        fail(error)
                break
        return sweep.status()
    finally:
        sweep.end()


def expanded(argument: str) -> list[str]:
    """Rewrite arguments that name settings or agents without a YAML file.

    ``env.reward.two_qubit=0.5`` and ``agent.settings.depth=3`` add a setting, which the component checks later;
    ``agent=package.module:Agent`` is an agent from another package.
    """
    if re.match(rf"(env\.({'|'.join(COMPONENTS)})|agent\.settings)(\.\w+)?=", argument):
        return [f"++{argument}"]
    if outside := re.fullmatch(r"agent=([\w.]+:\w+)", argument):
        return ["agent=external", f"agent.target='{outside.group(1)}'"]
    return [argument]


def without_other_network(config_name: str, overrides: list[str]) -> list[str]:
    """Return the overrides that drop the settings of the agent's usual network, if another one is chosen by name.

    Settings that are overridden too are kept: they are of the chosen network.
    """
    parsed = OverridesParser.create().parse_overrides(overrides)
    chosen = [override for override in parsed if override.key_or_group == "agent.network.name"]
    if not chosen or chosen[-1].is_sweep_override():
        return []
    agents = [override for override in parsed if override.key_or_group == "agent"]
    if any(value not in options.groups()["agent"] for override in agents for value in _values(override)):
        return []  # check_overrides names it
    with hydra.initialize_config_module(CONF, version_base="1.3"):
        network = OmegaConf.select(hydra.compose(config_name, [*map(_unswept, agents)]), "agent.network")
    if not network or network["name"] == chosen[-1].value():
        return []
    given = {override.key_or_group for override in parsed}
    return [f"~{key}" for name in network if (key := f"agent.network.{name}") not in given]


def check_overrides(config_name: str, overrides: list[str]) -> None:
    """Compose the configuration once, so that errors have messages that name the choices.

    Raises:
        ValueError: Unknown group option or key; the message names the choices or the nearest one.
        HydraException, OmegaConfBaseException: Any other error, such as a wrong type.
    """
    parsed = OverridesParser.create().parse_overrides(overrides)
    groups = options.groups()
    first_choices = []
    for override in parsed:
        if override.key_or_group in groups and not override.is_delete():
            chosen = _values(override)
            for option in chosen:
                if option not in (*groups[override.key_or_group], "null"):
                    raise ValueError(unknown_name(override.key_or_group, option, groups[override.key_or_group]))
            first_choices.append(f"{override.key_or_group}={chosen[0]}")
    with hydra.initialize_config_module(CONF, version_base="1.3"):
        keys = set(_flatten(OmegaConf.to_container(hydra.compose(config_name, first_choices))))
        for override in parsed:
            name = override.key_or_group
            if (
                name not in groups
                and name not in keys
                and not name.startswith("hydra")
                and not (override.is_add() or override.is_force_add())
            ):
                raise ValueError(unknown_name("override", name, _near(name, keys | set(groups))))
        hydra.compose(config_name, first_choices + [_unswept(o) for o in parsed if o.key_or_group not in groups])


def _near(name: str, keys: set[str]) -> set[str]:
    """Return the keys of the same section if it exists, else the sections."""
    section = name.split(".")[0]
    if section in keys and "." in name:
        return {key for key in keys if key.startswith(f"{section}.")}
    return {key for key in keys if "." not in key}


def _values(override: Override) -> list[str]:
    if override.is_sweep_override():
        return [str(value) for value in override.sweep_string_iterator()]
    return ["null" if override.value() is None else str(override.value())]


def _unswept(override: Override) -> str:
    if not override.is_sweep_override():
        return str(override.input_line)
    return f"{override.get_key_element()}={next(iter(override.sweep_string_iterator()))}"


def _flatten(node: Any, prefix: str = "") -> list[str]:
    if not isinstance(node, dict):
        return []
    keys = []
    for key, value in node.items():
        keys += [prefix + key, *_flatten(value, f"{prefix}{key}.")]
    return keys
