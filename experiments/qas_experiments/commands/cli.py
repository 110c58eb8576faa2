"""Running a command under Hydra, with one-line errors that name the choices."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from typing import Any, Final, NoReturn

import hydra
from hydra import version
from hydra._internal.utils import _run_hydra, get_args_parser
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from qas_experiments import options
from qas_experiments.commands.errors import fail as fail
from qas_experiments.commands.help_texts import setting_lines
from qas_experiments.commands.sweeps import Sweep, SweepInterrupted
from qas_experiments.composition import HOME, Composer
from qas_experiments.interrupts import INTERRUPTED, handled
from qas_experiments.settings import TrainSettings, TuneSettings
from qas_experiments.words import rewritten, without_other_network
from qas_simulators.errors import MissingExtraError, must, unknown_name

USER_ERRORS: Final = (ValueError, OSError, MissingExtraError, HydraException, OmegaConfBaseException, YAMLError)
"""Errors of the user, which are reported in one line."""
_MOST_RESTARTS = 3  # of a sweep whose workers are killed
_VERSION_BASE = "1.3"  # of Hydra's defaults


class _Parser(argparse.ArgumentParser):
    """Hydra's parser of flags, with errors of one line; flags may stand between words."""

    given: Sequence[str] = ()

    def error(self, message: str) -> NoReturn:
        unknown = message.removeprefix("unrecognized arguments: ").split(" ")[0]
        if unknown != message.split(" ")[0]:
            flags = [flag for action in self._actions for flag in action.option_strings if flag.startswith("--")]
            setting, name = _setting_of(unknown, flags, self.given), unknown.partition("=")[0]
            message = f"Unknown flag {name!r}." if setting else unknown_name("flag", name, flags)
            message += f" Settings are written without dashes: {setting or 'env=lih training.seed=3'}."
        fail(ValueError(message))


def _setting_of(flag: str, flags: Sequence[str], given: Sequence[str]) -> str | None:
    """Return the setting that a word with dashes may mean, as settings are written; ``None`` if a flag is nearer.

    Args:
        flag: Such as ``--env``, ``--env=lih`` or ``--seed``.
        flags: The flags of the command.
        given: All words; the one after the flag may be the value.
    """
    name = flag.partition("=")[0].lstrip("-").replace("-", "_")
    names = [line.partition("=")[0] for line in setting_lines(TrainSettings) + setting_lines(TuneSettings)]
    known = {one.rpartition(".")[2]: one for one in reversed(names)} | {one: one for one in options.groups()}
    near = get_close_matches(name, [*known, *(one.lstrip("-") for one in flags)], n=1)
    found = name if name.partition(".")[0] in known and "." in name else known.get(near[0]) if near else None
    following = given[given.index(flag) + 1 :]
    is_value = bool(following) and not following[0].startswith("-") and "=" not in following[0]
    value = flag.partition("=")[2] or (following[0] if is_value else "<value>")
    return f"{found}={value}" if found else None


def parsed_flags(arguments: Sequence[str]) -> tuple[argparse.Namespace, argparse.ArgumentParser]:
    """Return Hydra's flags with the words rewritten, and the parser."""
    parser: argparse.ArgumentParser = get_args_parser()
    parser.__class__ = _Parser
    parser.given = arguments  # type: ignore[attr-defined]
    flags = parser.parse_intermixed_args([*arguments])
    for word in flags.overrides:
        if word.startswith("-"):
            parser.error(f"unrecognized arguments: {word}")
        if "=" not in word and not word.startswith("~"):
            raise ValueError(must("settings", "be written name=value, such as env=lih", word))
    flags.overrides = rewritten(flags.overrides)
    return flags, parser


def run_command(command: str, function: Callable[[Any], Any]) -> None:
    """Compose ``conf/<command>.yaml`` with the command line's overrides and call ``function`` with the settings.

    An error of the user ends the process with status 2 and one line on standard error.
    """
    os.environ["HYDRA_FULL_ERROR"] = "1"  # Hydra then raises errors instead of printing them
    version.setbase(_VERSION_BASE)
    try:
        flags, parser = parsed_flags(sys.argv[1:])
        config_name = flags.config_name or command
        if not (flags.help or flags.hydra_help or flags.shell_completion or flags.experimental_rerun):
            composer = Composer(flags.config_dir, flags.config_path)
            flags.overrides += without_other_network(composer, config_name, flags.overrides)
            config = composer.checked(config_name, flags.overrides)
            asks = flags.cfg or flags.info
            if (flags.multirun or config.hydra.mode == RunMode.MULTIRUN) and not asks:
                raise SystemExit(_sweep(command, function, flags, parser))
        _call_hydra(command, lambda config: _play(config, function), flags, parser)
    except USER_ERRORS as error:
        fail(error)


def _play(config: DictConfig, function: Callable[[Any], Any]) -> None:
    """Call a command's function; exit with status 130 if it was interrupted."""
    try:
        result = function(OmegaConf.to_object(config))
    except USER_ERRORS as error:  # before Hydra prints it
        fail(error)
    if isinstance(result, dict) and result.get("interrupted"):
        raise SystemExit(INTERRUPTED)


def _call_hydra(
    command: str, task: Callable[[DictConfig], None], flags: argparse.Namespace, parser: argparse.ArgumentParser
) -> None:
    if flags.experimental_rerun:
        hydra.main(version_base=_VERSION_BASE, config_path=HOME, config_name=command)(task)()
        return
    flags = argparse.Namespace(**{**vars(flags), "overrides": [*flags.overrides]})  # Hydra adds to them
    _run_hydra(args=flags, args_parser=parser, task_function=task, config_path=HOME, config_name=command)


def _sweep(
    command: str, function: Callable[[Any], Any], flags: argparse.Namespace, parser: argparse.ArgumentParser
) -> int:
    """Play the jobs of a sweep; return the exit status.

    joblib ends all of its workers when one of them is killed. The jobs are then resumed by a restart.
    """
    sweep = Sweep.begin(command)
    try:
        with handled(sweep.handle):
            for left in range(_MOST_RESTARTS, -1, -1):
                try:
                    _call_hydra(command, sweep.job(function), flags, parser)
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
