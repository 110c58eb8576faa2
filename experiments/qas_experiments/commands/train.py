"""``qas-train``: train an agent on an environment, and compare its circuits with baselines."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from qas_experiments.commands.cli import fail, run_command
from qas_experiments.settings import TrainSettings
from qas_simulators.errors import must

_LIMITS = ("training.total_timesteps", "training.max_evaluations", "training.max_seconds")


def main() -> None:
    """Entry point of the console script."""
    given = sys.argv[1:]
    names = [argument.partition("=")[0] for argument in given]
    limits = [name.removeprefix("training.") for name in names if name in _LIMITS]
    if "resume" in names and len(given) != 1 + len(limits):
        requirement = (
            f"come with no other settings than limits ({', '.join(_LIMITS)}); a resumed run keeps its settings"
        )
        fail(ValueError(must("resume", requirement, " ".join(given))))
    run_command("train", partial(_train_or_clean_up, limits=limits if "resume" in names else []))


def _train_or_clean_up(settings: TrainSettings, limits: Sequence[str]) -> dict[str, Any]:
    """Train; remove the folder of a failed start, so that the corrected command can use it."""
    from qas_experiments.training.continuing import no_failed_start  # imports PyTorch, once all words are checked
    from qas_experiments.training.run import train

    with no_failed_start(Path(settings.run) if settings.run else None):
        return train(settings, limits={name: getattr(settings.training, name) for name in limits})


if __name__ == "__main__":
    main()
