"""The information that circuits give about a gate set: the Fisher matrix, in which a fit is well conditioned."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from qas_simulators.tomography.experiments import Design, Run
from qas_simulators.tomography.gate_set import GateSet, Key

FloatArray = NDArray[np.float64]

_LEAST: Final = 0.02  # probabilities of the ideal gates that are smaller count as this


def fisher_matrix(gate_set: GateSet, design: Design, keys: Sequence[Key]) -> FloatArray:
    """Return the Fisher matrix of the free entries of a gate set, per shot, ``(params, params)``.

    The free entries are those of :class:`~qas_simulators.tomography.likelihood.Likelihood`. All circuits have as many
    shots. Small probabilities are raised, so that ideal gates, whose outcomes are often certain, can be given.
    """
    jacobian = _Jacobian(gate_set, design, keys)
    total = np.zeros((jacobian.num_params,) * 2)
    for middle in design.middles:
        slopes, probabilities = jacobian.of(middle)
        weighted = slopes / np.sqrt(np.maximum(probabilities, _LEAST))[:, None]
        total += weighted.T @ weighted
    return np.asarray(total / len(design.runs()))


class _Jacobian:
    """Derivatives of the probabilities of all circuits with one middle part."""

    def __init__(self, gate_set: GateSet, design: Design, keys: Sequence[Key]) -> None:
        self._gates = gate_set
        self._numbers = {key: number for number, key in enumerate(keys)}
        self._size = len(gate_set.state)
        self._outcomes = len(gate_set.effects)
        self._before = [self._prefixes(run) for run in design.preparations]
        self._after = [self._suffixes(run) for run in design.measurements]
        self._runs = design.preparations, design.measurements
        self._states = np.array([one[-1] @ gate_set.state for one in self._before])
        self._ends = np.concatenate([gate_set.effects @ one[0] for one in self._after])
        self._of_gates = len(keys) * self._size**2

    @property
    def num_params(self) -> int:
        """Number of free entries."""
        size, number = self._size, len(self._numbers)
        return number * size * (size - 1) + size - 1 + (self._outcomes - 1) * size

    def _prefixes(self, run: Run) -> list[FloatArray]:
        found = [np.eye(self._size)]
        for key in run:
            found.append(self._gates.gates[key] @ found[-1])
        return found

    def _suffixes(self, run: Run) -> list[FloatArray]:
        found = [np.eye(self._size)]
        for key in reversed(run):
            found.append(found[-1] @ self._gates.gates[key])
        return found[::-1]

    def of(self, middle: Run) -> tuple[FloatArray, FloatArray]:
        """Return the derivatives ``(circuits, params)`` and the probabilities ``(circuits,)``."""
        size, outcomes, number = self._size, self._outcomes, len(self._numbers)
        prefixes, suffixes = self._prefixes(middle), self._suffixes(middle)
        whole = prefixes[-1]
        shape = len(self._states), len(self._ends)
        gates = np.zeros((*shape, number, size, size))
        for place, key in enumerate(middle):
            left, right = self._ends @ suffixes[place + 1], self._states @ prefixes[place].T
            gates[:, :, self._numbers[key]] += left[None, :, :, None] * right[:, None, None, :]
        self._add_preparations(gates, self._ends @ whole)
        self._add_measurements(gates, self._states @ whole.T)
        of_state = np.array([self._ends @ whole @ one[-1] for one in self._before])
        of_effects = np.zeros((*shape, outcomes, size))
        for place, matrices in enumerate(self._after):
            images = self._states @ (matrices[0] @ whole).T
            for outcome in range(outcomes):
                of_effects[:, place * outcomes + outcome, outcome] = images
        free = of_effects[:, :, :-1] - of_effects[:, :, -1:]
        parts = gates[:, :, :, 1:], of_state[:, :, 1:], free
        slopes = np.concatenate([part.reshape(shape[0] * shape[1], -1) for part in parts], axis=1)
        return slopes, (self._states @ whole.T @ self._ends.T).ravel()

    def _add_preparations(self, gates: FloatArray, ends: FloatArray) -> None:
        for row, run in enumerate(self._runs[0]):
            suffixes = self._suffixes(run)
            for place, key in enumerate(run):
                left, right = ends @ suffixes[place + 1], self._before[row][place] @ self._gates.state
                gates[row, :, self._numbers[key]] += left[:, :, None] * right

    def _add_measurements(self, gates: FloatArray, images: FloatArray) -> None:
        for number, run in enumerate(self._runs[1]):
            prefixes = self._prefixes(run)
            rows = slice(number * self._outcomes, (number + 1) * self._outcomes)
            for place, key in enumerate(run):
                left, right = self._gates.effects @ self._after[number][place + 1], images @ prefixes[place].T
                gates[:, rows, self._numbers[key]] += left[None, :, :, None] * right[:, None, None, :]
