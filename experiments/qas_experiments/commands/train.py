"""``qas-train``: train an agent on an environment, and compare its circuits with baselines."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from qas_experiments.commands.cli import fail, run_command
from qas_experiments.settings import TrainSettings
from qas_experiments.training.continuing import no_failed_start
from qas_experiments.training.run import train
from qas_simulators.errors import must


def main() -> None:
    """Entry point of the console script."""
    resume = [argument for argument in sys.argv[1:] if argument.startswith("resume=")]
    if resume and len(sys.argv) > 2:
        requirement = "be the only argument (a resumed run keeps its settings)"
        fail(ValueError(must("resume", requirement, " ".join(sys.argv[1:]))))
    run_command("train", _train_or_clean_up)


def _train_or_clean_up(settings: TrainSettings) -> dict[str, Any]:
    """Train; remove the folder of a failed start, so that the corrected command can use it."""
    with no_failed_start(Path(settings.run) if settings.run else None):
        return train(settings)


if __name__ == "__main__":
    main()
