r"""``qas-tune``: search for settings of ``qas-train``; overrides with a sweep define the search space.

    qas-tune tune.study=lih env=lih training.max_evaluations=1000000 agent.learning_starts=5000 \
        'agent.learning_rate=tag(log, interval(1e-5, 1e-2))' agent.n_step=1,3,5 'agent.batch_size=range(32, 257, 32)'

The same command continues a study; several processes may work on it.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence
from typing import Final

from omegaconf import OmegaConf

from qas_experiments.commands.cli import USER_ERRORS, fail, parsed_flags
from qas_experiments.composition import Composer, without_hydra
from qas_experiments.interrupts import INTERRUPTED
from qas_experiments.settings import STUDY_CHOICES, StudySettings
from qas_simulators.errors import unknown_name

_SHOWN_FLAGS: Final = ("--cfg", "--config-dir", "--config-path", "--resolve")
_FLAGS: Final = ("help", "overrides", "cfg", "config_dir", "config_path", "resolve")


def main() -> None:
    """Entry point of the console script."""
    try:
        flags, _ = parsed_flags(sys.argv[1:])
        if flags.help:
            sys.stdout.write(help_text())
            return
        for flag in vars(flags):
            if flag not in _FLAGS and getattr(flags, flag):
                raise ValueError(unknown_name("flag", f"--{flag}".replace("_", "-"), ["--help", *_SHOWN_FLAGS]))
        composer = Composer(flags.config_dir, flags.config_path)
        if flags.cfg:
            sys.stdout.write(_configuration(flags.overrides, composer))
            return
        composer.checked("tune", [word for word in flags.overrides if word.startswith("tune.")])
        from qas_experiments.tuning import is_interrupted, tune  # imports PyTorch and Optuna

        study = tune(flags.overrides, composer)
    except (*USER_ERRORS, ImportError) as error:
        fail(error)
    if is_interrupted(study):
        raise SystemExit(INTERRUPTED)


def help_text() -> str:
    """Return the help text: description, example, the settings of the study and their choices."""
    lines = [str(__doc__).replace("``", ""), "settings of the study:"]
    for one in dataclasses.fields(StudySettings):
        default = "no default" if one.default in ("", None) else f"default {one.default}"
        offered = f": {', '.join(STUDY_CHOICES[one.name])}" if one.name in STUDY_CHOICES else ""
        lines.append(f"  tune.{one.name:<14} {default}{offered}")
    lines += ["", "All other settings are those of qas-train: see qas-train --help and docs/sweeps.md."]
    lines += [f"Flags of Hydra: {', '.join(_SHOWN_FLAGS)}.", ""]
    return "\n".join(lines)


def _configuration(overrides: Sequence[str], composer: Composer) -> str:
    """Return the settings of the study and of its trainings, those that are searched with their first values."""
    own = [word for word in overrides if word.startswith("tune.")]
    others = [word for word in overrides if word not in own]
    configs = (without_hydra(composer.checked(*given)) for given in (("tune", own), ("train", others)))
    return "".join(OmegaConf.to_yaml(config) for config in configs)


if __name__ == "__main__":
    main()
