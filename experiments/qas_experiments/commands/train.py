"""``qas-train``: train an agent on an environment, and show what it found beside the trivial baselines."""

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
        fail(ValueError(must("resume", "stand alone (a run goes on with its own settings)", " ".join(sys.argv[1:]))))
    run_command("train", _train_anew)


def _train_anew(settings: TrainSettings) -> dict[str, Any]:
    """Train; leave no folder that is in the way of the corrected command."""
    with no_failed_start(Path(settings.run) if settings.run else None):
        return train(settings)


if __name__ == "__main__":
    main()
