"""``qas-benchmark``: an agent on a suite of instances, several seeds each, recorded and set beside all others."""

from __future__ import annotations

from qas_experiments.benchmark.cells import benchmark
from qas_experiments.commands.cli import run_command


def main() -> None:
    """Entry point of the console script."""
    run_command("benchmark", benchmark)


if __name__ == "__main__":
    main()
