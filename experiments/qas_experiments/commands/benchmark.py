"""``qas-benchmark``: play an agent on a suite of instances with several seeds, record it, and print a table."""

from __future__ import annotations

from qas_experiments.commands.cli import run_command
from qas_experiments.settings import BenchmarkSettings


def main() -> None:
    """Entry point of the console script."""
    run_command("benchmark", _play)


def _play(settings: BenchmarkSettings) -> dict[str, bool]:
    from qas_experiments.benchmarking.campaigns import campaign  # imports PyTorch, once all words are checked
    from qas_experiments.benchmarking.cells import benchmark

    return benchmark(settings) if settings.campaign is None else campaign(settings)


if __name__ == "__main__":
    main()
