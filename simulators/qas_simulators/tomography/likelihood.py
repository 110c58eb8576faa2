"""The misfit of a gate set and counts as a function of all its entries, with its gradient."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qas_simulators.tomography.experiments import Counts, Run
from qas_simulators.tomography.gate_set import GateSet, Key

FloatArray = NDArray[np.float64]

_SMALL: Final = 1e-5  # below this probability the logarithm is continued by a parabola
_RARE: Final = 0.02  # smaller frequencies weigh as much as this one


class _Chains(NamedTuple):
    """Products of matrices along sequences of gates of different lengths."""

    steps: NDArray[np.int64]  # (runs, longest), filled up with the number of the identity

    @classmethod
    def of(cls, runs: Sequence[Run], keys: Sequence[Key]) -> _Chains:
        numbers = {key: number for number, key in enumerate(keys)}
        longest = max(map(len, runs))
        rows = [[*(numbers[key] for key in run), *[len(keys)] * (longest - len(run))] for run in runs]
        return cls(np.array(rows, dtype=np.int64).reshape(len(runs), longest))

    def products(self, matrices: FloatArray, first: FloatArray) -> list[FloatArray]:
        """Return ``first`` ``(runs, size, k)`` and what it is after each step."""
        found = [first]
        for column in self.steps.T:
            found.append(matrices[column] @ found[-1])
        return found

    def add_slopes(self, matrices: FloatArray, found: list[FloatArray], last: FloatArray, slopes: FloatArray) -> None:
        """Add the derivatives by all matrices, given those by the last product."""
        for place in reversed(range(self.steps.shape[1])):
            column = self.steps[:, place]
            np.add.at(slopes, column, last @ found[place].swapaxes(1, 2))
            last = matrices[column].swapaxes(1, 2) @ last


class Misfit:
    """The misfit of a gate set and counts, and its gradient by the free entries of the gate set.

    Free are all rows of the gates but the first, all entries of the state but the first, and all effects but the last:
    the trace is kept, and the effects have the sum 1.

    Args:
        counts: What was seen.
        keys: The gates, in the order of the parameters.
        is_likelihood: Minus the logarithm of the likelihood, per shot; otherwise half the sum of squared differences
            from the frequencies, each divided by the frequency, per shot.
    """

    def __init__(self, counts: Counts, keys: Sequence[Key], is_likelihood: bool) -> None:
        self._keys = [*keys]
        design = counts.design
        self._before = _Chains.of(design.preparations, keys)
        self._between = _Chains.of(design.middles, keys)
        self._after = _Chains.of([run[::-1] for run in design.measurements], keys)  # transposed: the last gate first
        self._is_likelihood, self._frequencies = is_likelihood, counts.frequencies
        self._shares = counts.numbers.sum(axis=3, keepdims=True) / counts.numbers.sum()
        self._outcomes = counts.numbers.shape[3]
        self._size = self._outcomes**2

    def params(self, gate_set: GateSet) -> FloatArray:
        """Return the free entries."""
        gates = [gate_set.gates[key][1:].ravel() for key in self._keys]
        return np.concatenate([*gates, gate_set.state[1:], gate_set.effects[:-1].ravel()])

    def gate_set(self, params: FloatArray) -> GateSet:
        """Return the gate set of free entries."""
        matrices, state, effects = self._parts(params)
        return GateSet(dict(zip(self._keys, matrices[:-1], strict=True)), state, effects)

    def _parts(self, params: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        size, number = self._size, len(self._keys)
        matrices = np.tile(np.eye(size), (number + 1, 1, 1))  # the last one fills up sequences
        of_gates, of_state, of_effects = np.split(params, np.cumsum([number * size * (size - 1), size - 1]))
        matrices[:number, 1:] = of_gates.reshape(number, size - 1, size)
        effects = of_effects.reshape(self._outcomes - 1, size)
        return matrices, np.append(1.0, of_state), np.vstack([effects, np.eye(size)[0] - effects.sum(axis=0)])

    def __call__(self, params: FloatArray) -> tuple[float, FloatArray]:
        """Return the value and the gradient."""
        matrices, state, effects = self._parts(params)
        transposed = matrices.swapaxes(1, 2)
        size, outcomes = self._size, self._outcomes
        before = self._before.products(matrices, np.tile(state[:, None], (len(self._before.steps), 1, 1)))
        after = self._after.products(transposed, np.tile(effects.T, (len(self._after.steps), 1, 1)))
        between = self._between.products(matrices, np.tile(np.eye(size), (len(self._between.steps), 1, 1)))
        states = before[-1][:, :, 0]  # (preparations, size)
        ends = after[-1].swapaxes(1, 2).reshape(-1, size)  # (measurements * outcomes, size)
        images = between[-1] @ states.T  # (middles, size, preparations)
        shape = len(images), len(self._after.steps), outcomes, len(states)
        probabilities = (ends @ images).reshape(shape).transpose(0, 3, 1, 2)
        value, slope = (self._logarithms if self._is_likelihood else self._squares)(probabilities)
        by_outcome = slope.transpose(0, 2, 3, 1).reshape(len(images), -1, len(states))  # as ``ends @ images``
        by_images = ends.T @ by_outcome  # (middles, size, preparations)
        slopes, of_after = np.zeros_like(matrices), np.zeros_like(matrices)
        by_ends = np.einsum("mkp,msp->ks", by_outcome, images).reshape(-1, outcomes, size).swapaxes(1, 2)
        by_states = np.einsum("mts,mtp->ps", between[-1], by_images)
        self._between.add_slopes(matrices, between, by_images @ states, slopes)
        self._before.add_slopes(matrices, before, by_states[:, :, None], slopes)
        self._after.add_slopes(transposed, after, by_ends, of_after)
        slopes += of_after.swapaxes(1, 2)
        of_state = self._to_start(self._before, matrices, by_states[:, :, None]).sum(axis=0)[:, 0]
        of_effects = self._to_start(self._after, transposed, by_ends).sum(axis=0).T
        gradient = [slopes[:-1, 1:].ravel(), of_state[1:], (of_effects[:-1] - of_effects[-1]).ravel()]
        return value, np.concatenate(gradient)

    def _to_start(self, chains: _Chains, matrices: FloatArray, last: FloatArray) -> FloatArray:
        """Return the derivatives by what the products began with."""
        for column in chains.steps.T[::-1]:
            last = matrices[column].swapaxes(1, 2) @ last
        return last

    def _logarithms(self, probabilities: FloatArray) -> tuple[float, FloatArray]:
        """Return minus the mean of the logarithms, and its derivatives by the probabilities."""
        small = probabilities < _SMALL
        above = np.where(small, _SMALL, probabilities)
        excess = np.where(small, probabilities - _SMALL, 0.0) / _SMALL
        logarithms = np.log(above) + excess - excess**2 / 2
        slopes = np.where(small, (1 - excess) / _SMALL, 1 / above)
        weights = self._shares * self._frequencies
        return -float((weights * logarithms).sum()), -weights * slopes

    def _squares(self, probabilities: FloatArray) -> tuple[float, FloatArray]:
        """Return half the weighted sum of squared differences, and its derivatives by the probabilities."""
        weights = self._shares / np.maximum(self._frequencies, _RARE)
        rest = probabilities - self._frequencies
        return float((weights * rest**2).sum() / 2), weights * rest
