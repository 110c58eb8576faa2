"""Circuits of our own searches as a data set: columns, a loader, and what generates and verifies them."""

from qas_experiments.circuit_data.table import COLUMNS, CircuitTable, Instance, load_circuits

__all__ = ["COLUMNS", "CircuitTable", "Instance", "load_circuits"]
