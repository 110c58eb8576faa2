"""Words of a command line that name settings or objects without a YAML file, rewritten for Hydra."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from qas_envs.imports import TARGET, with_colon
from qas_experiments import options
from qas_experiments.composition import Composer, unswept, values_of
from qas_experiments.settings import COMPONENTS

_GROUPS: Final = ("agent", "env", "noise", "optimizer")
"""Groups of which an option may be an import string; those of agents and environments may be plugins."""

_IMPORT: Final = r"[\w.]+:[\w.]+"  # also wrong ones, which importing reports


def rewritten(arguments: Sequence[str]) -> list[str]:
    """Rewrite words.

    ``env.reward.two_qubit=0.5`` and ``agent.settings.depth=3`` add a setting, which the component checks later.
    ``agent=package.module:Agent``, ``env=...``, ``optimizer=...``, ``noise=...`` and ``env.reward=...`` name objects of
    other modules; so does ``agent._target_=package.module.Agent``, as in Hydra. A plugin is named by its own name.

    Examples:
        >>> rewritten(["noise=my.module:lossy", "noise.p=0.1"])
        ['noise=none', "noise.name='my.module:lossy'", '++noise.p=0.1']
    """
    words = [_usual(word) for word in arguments]
    chosen = {group: target for word in words for group, target in [_outside(word)] if target}
    return [part for word in words for part in _parts(word, chosen)]


def _usual(word: str) -> str:
    """Return ``env=lih`` for ``env=LiH`` and ``env=QAS-LiH-v0``; whole numbers such as ``1e4`` with their digits."""
    key, _, value = word.partition("=")
    if key == "env" and value not in options.groups()["env"]:
        name = _plain(re.sub(r"^QAS-(.*)-v\d+$", r"\1", value))
        value = next((option for option in options.groups()["env"] if _plain(option) == name), value)
    elif "." in key and re.fullmatch(r"\d+(\.\d*)?[eE]\+?\d", value) and float(value).is_integer():
        value = str(int(float(value)))
    return f"{key}={value}" if "=" in word else word


def _plain(name: str) -> str:
    return name.replace("_", "").lower().removesuffix("s")  # plural or not


def _outside(word: str) -> tuple[str, str]:
    """Return the group and the object of another module that a word chooses, empty for other words."""
    key, _, value = word.partition("=")
    group = key.removesuffix(f".{TARGET}")
    value = value.strip("'\"")
    if group not in _GROUPS:
        return "", ""
    target = str(with_colon(value)) if group != key else value
    is_outside = re.fullmatch(_IMPORT, target) is not None or (group == key and target in options.plugins_of(group))
    return (group, target) if is_outside else ("", "")


def _parts(word: str, chosen: dict[str, str]) -> list[str]:
    """Return the words that replace one, given the objects of other modules that the groups are."""
    group, target = _outside(word)
    if group == "agent":
        return ["agent=external", f"agent.target='{target}'"]
    if group == "env":
        return ["env=problem", f"env.problem.problem='{target}'"]
    if group:
        return [f"{group}=none", f"{group}.name='{target}'"]
    rule, _, value = word.partition("=")
    if rule.removeprefix("env.") in COMPONENTS and re.fullmatch(_IMPORT, value):
        return [f"++{rule}=null", f"++{rule}.name='{value}'"]  # without the settings of another choice
    if re.match(rf"(env\.({'|'.join(COMPONENTS)})|agent\.settings)(\.\w+)?=", word):
        return [f"++{word}"]
    section = {"env": "env.problem"}.get(rule.partition(".")[0], rule.partition(".")[0])
    of_outside = section.removesuffix(".problem") in chosen and section != "agent"
    if of_outside and rule.startswith(f"{section}.") and rule != "env.problem.problem":
        return [f"++{word}"]
    return [word]


def without_other_network(composer: Composer, config_name: str, overrides: Sequence[str]) -> list[str]:
    """Return the overrides that drop the settings of the agent's usual network, if another one is chosen by name.

    Settings that are overridden too are kept: they are of the chosen network.
    """
    parsed = OverridesParser.create().parse_overrides([*overrides])
    chosen = [override for override in parsed if override.key_or_group == "agent.network.name"]
    if not chosen or chosen[-1].is_sweep_override():
        return []
    agents = [override for override in parsed if override.key_or_group == "agent"]
    if any(value not in options.groups()["agent"] for override in agents for value in values_of(override)):
        return []  # the check of all words names it
    network = OmegaConf.select(composer.config(config_name, [*map(unswept, agents)]), "agent.network")
    if not network or network["name"] == chosen[-1].value():
        return []
    given = {override.key_or_group for override in parsed}
    return [f"~{key}" for name in network if (key := f"agent.network.{name}") not in given]
