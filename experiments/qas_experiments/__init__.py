"""Training, evaluation, benchmarks, records and pictures; for use from Python :mod:`qas_experiments.plots`."""

from qas_experiments import plots

__all__ = ["plots"]
