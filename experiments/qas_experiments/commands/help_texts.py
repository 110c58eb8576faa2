"""Help texts of the commands whose words are overrides of Hydra: all groups with their choices, and all settings.

Hydra's own text composes the configuration about a hundred times, which takes seconds.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final

from qas_experiments.options import groups
from qas_experiments.settings import BenchmarkSettings, TrainSettings

_ABOUT: Final = {
    "train": (
        TrainSettings,
        "Train an agent on an environment, and compare its circuits with baselines.",
        ("env", "agent", "optimizer", "noise", "training", "experiment"),
        "qas-train env=lih agent=dqn training.total_timesteps=20000 training.seed=1",
    ),
    "benchmark": (
        BenchmarkSettings,
        "Play an agent on a suite of instances, record the results, and print tables.",
        ("suite", "agent", "optimizer", "campaign"),
        "qas-benchmark suite=quick agent=annealing 'seeds=[0,1]'",
    ),
}
_WIDTH: Final = 96


def help_text(name: str) -> str:
    """Return the text that ``qas-<name> --help`` prints."""
    kind, about, shown, example = _ABOUT[name]
    choices = groups()
    lines = [
        about,
        "",
        f"usage: qas-{name} [NAME=VALUE ...]",
        f"example: {example}",
        "",
        "choices (GROUP=OPTION, for example env=h2):",
    ]
    for group in shown:
        lines += _wrapped(f"  {group}: ", choices[group])
    lines += ["", "settings with their defaults (NAME=VALUE, for example training.seed=1):"]
    lines += [f"  {line}" for line in setting_lines(kind)]
    lines += [
        "",
        "A class or function of another module, also of the current folder: agent=package.module:Class",
        f"The settings of a choice: qas-{name} agent=annealing --cfg job",
        f"Several values and -m play all combinations: qas-{name} -m agent=annealing,random",
        "Own files of settings: --config-dir FOLDER. All flags of Hydra: --hydra-help",
    ]
    return "\n".join(lines) + "\n"


def _wrapped(first: str, words: list[str]) -> list[str]:
    """Return words as lines of at most :data:`_WIDTH` characters, later ones indented like the first."""
    lines, line = [], first
    for word in words:
        if len(line) + len(word) > _WIDTH and line.strip():
            lines.append(line.rstrip())
            line = " " * len(first)
        line += f"{word}, "
    return [*lines, line.rstrip(", ")]


def setting_lines(kind: Any, prefix: str = "") -> list[str]:
    """Return a line for every setting of a dataclass."""
    lines = []
    for field in dataclasses.fields(kind):
        default = field.default if field.default_factory is dataclasses.MISSING else field.default_factory()
        if dataclasses.is_dataclass(default):
            lines += setting_lines(type(default), f"{prefix}{field.name}.")
        elif default not in ("???", {}):
            lines.append(f"{prefix}{field.name}={'null' if default is None else default}")
    return lines
