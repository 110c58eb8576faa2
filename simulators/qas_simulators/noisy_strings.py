"""Pauli propagation through noise: a channel maps each string to a few.

Channels act in the Heisenberg picture, where ``E^dagger(P_i) = sum_j R_ij P_j`` with the Pauli transfer matrix ``R``:
depolarising noise and other Pauli channels multiply every string by a factor, relaxation also adds a part of I to Z,
and coherent errors turn letters into others. The Clifford gates are conjugated away, as without noise. A channel then
acts on what they make of its qubits' X and Z, which need not be local.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from qas_simulators import kernels
from qas_simulators.circuit import Circuit
from qas_simulators.cliffords import Frame, PauliRotations, placed, walk
from qas_simulators.gates import GATES
from qas_simulators.memory import check_memory
from qas_simulators.noise import NoiseModel
from qas_simulators.pauli import PauliSum
from qas_simulators.program import FloatArray
from qas_simulators.string_limits import Limits

IntArray = NDArray[np.int64]
_LETTERS: Final = "IXZY"  # by the digit x + 2 z
_PLACES: Final = np.array([0, 1, 3, 2])  # of these letters among I, X, Y, Z
_ROUNDING: Final = 1e-15  # of entries of transfer matrices
_TURN: Final = np.array([0, 3])  # powers of i: e^(i angle P) Q = cos(angle) Q - i sin(angle) Q P


@dataclass(frozen=True)
class _Step:
    """A channel, or a rotation by its number; arguments of the kernel ``spread``, which explains them."""

    detectors: IntArray
    stay: FloatArray
    shifts: IntArray
    weights: FloatArray
    phases: IntArray
    rotation: int = -1

    def factors(self, angles: FloatArray) -> tuple[FloatArray, float]:
        """Return the factors of strings that stay, by digit, and that of all weights."""
        if self.rotation < 0:
            return self.stay, 1.0
        angle = angles[self.rotation]
        return np.array([1.0, np.cos(angle)]), float(np.sin(angle))


class NoisyStrings:
    """Moves an observable backwards through a circuit with noise, see :class:`string_limits.StringEngine`.

    Args:
        circuit: As it runs, with the gates on idle qubits.
        noise: Its channels count; readout errors are in the observable.
        rotations: Of the circuit, and the observable after them.
        limits: Which strings are kept.
    """

    def __init__(self, circuit: Circuit, noise: NoiseModel, rotations: PauliRotations, limits: Limits) -> None:
        self._observable, self._limits = rotations.observable, limits
        self._num_rotations = len(rotations.x)
        self._steps = _steps(circuit, noise)

    def energy(self, angles: FloatArray, observable: PauliSum | None = None) -> float:
        """See :class:`string_limits.StringEngine`."""
        strings = _Strings(observable or self._observable, self._limits, self._limits.coefficient or 0.0)
        for step in self._steps:
            strings.apply(step, angles)
        return float(np.sum(strings.values * strings.means))

    def graph(self, angles: FloatArray) -> NoisyGraph:
        """See :class:`string_limits.StringEngine`."""
        cut = self._limits.coefficient if self._limits.coefficient is not None else -1.0  # -1: strings of 0 matter too
        strings = _Strings(self._observable, self._limits, cut)
        first, levels = strings.values.copy(), []
        for step in self._steps:
            level = strings.apply(step, angles, recorded=True)
            if level is not None:
                levels.append(level)
        levels += strings.rest()
        return NoisyGraph(first, levels, strings.means, self._num_rotations)


@dataclass(frozen=True)
class _Level:
    """What one step did, for all strings before it: factors of those that stay, and edges to others."""

    rotation: int
    stay: FloatArray
    turned: NDArray[np.uint8]
    edges: tuple[NDArray[np.int32], NDArray[np.int32], FloatArray]  # sources, targets, weights


class _Strings:
    """The strings of an observable on their way through a circuit; factors of Pauli channels are collected."""

    def __init__(self, observable: PauliSum, limits: Limits, cut: float) -> None:
        self._count, self._limits, self._cut = limits.checked(len(observable)), limits, cut
        self._x, self._z = observable.x.astype(np.int64), observable.z.astype(np.int64)
        self._values = observable.coefficients.astype(np.float64)
        self._factors, self._slots = np.ones(self._count), np.zeros(0, dtype=np.int64)
        self._letters = observable.num_qubits if limits.weight is None else limits.weight
        self._is_damped = False

    @property
    def values(self) -> FloatArray:
        """Coefficients, ``(strings,)``."""
        return self._values[: self._count] * self._factors[: self._count]

    @property
    def means(self) -> FloatArray:
        """Mean of every string in ``|0...0>``."""
        return np.asarray(self._x[: self._count] == 0, dtype=np.float64)

    def apply(self, step: _Step, angles: FloatArray, recorded: bool = False) -> _Level | None:
        """Do a step; return what it did, or ``None`` where it only multiplies strings by factors."""
        if len(step.shifts) == 0:
            kernels.pauli_strings.damp(self._x, self._z, self._count, step.detectors, step.stay, self._factors)
            self._is_damped = True
            return None
        before, most = self._count, self._limits.max_strings
        factors, (stay, amplitude) = self._taken(), step.factors(angles)
        self._grow(min(before * (1 + len(step.shifts)), most + 1))
        room = before * len(step.shifts)
        edge_arrays = (np.empty(room, kind) for kind in (np.int32, np.int32, float, float))
        found: Any = (np.empty(before, np.uint8), *edge_arrays)
        self._count, edges = kernels.pauli_strings.spread(
            (self._x, self._z, self._values),
            before,
            self._slots,
            step.detectors,
            stay,
            amplitude,
            step.shifts,
            step.weights,
            step.phases,
            (self._letters, self._cut, most),
            found,
        )
        self._limits.checked(self._count)
        return _level(step, factors, found, edges) if recorded else None

    def rest(self) -> list[_Level]:
        """Return the factors after the last step that changes letters, if there are any."""
        if not self._is_damped:
            return []
        none = np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0)
        return [_Level(-1, self._factors[: self._count].copy(), np.zeros(self._count, np.uint8), none)]

    def _taken(self) -> FloatArray:
        """Return the factors collected so far, and multiply the coefficients by them."""
        factors = self._factors[: self._count].copy()
        if self._is_damped:
            self._values[: self._count] *= factors
            self._factors[: self._count] = 1.0
            self._is_damped = False
        return factors

    def _grow(self, needed: int) -> None:
        """Make room for this many strings."""
        if needed > len(self._x):
            more = max(needed, min(2 * len(self._x), self._limits.max_strings + 1)) - len(self._x)
            self._x, self._z = (np.append(masks, np.empty(more, np.int64)) for masks in (self._x, self._z))
            self._values = np.append(self._values, np.empty(more))
            self._factors = np.append(self._factors, np.ones(more))
        if 2 * needed > len(self._slots):
            self._slots = np.zeros(1 << (4 * needed - 1).bit_length(), dtype=np.int64)
            kernels.pauli_strings.enter(self._x, self._z, self._count, self._slots)


def _level(step: _Step, factors: FloatArray, found: Any, edges: int) -> _Level:
    """Return what a step did to strings that were multiplied by factors before it."""
    digits, sources, targets, weights, _ = found
    sources, targets = sources[:edges].copy(), targets[:edges].copy()
    weights = weights[:edges] * factors[sources]
    if step.rotation < 0:
        return _Level(-1, factors * step.stay[digits], np.zeros_like(digits), (sources, targets, weights))
    return _Level(step.rotation, factors, digits, (sources, targets, weights))


class NoisyGraph:
    """The strings of one circuit with noise, and how they follow from each other."""

    def __init__(self, first: FloatArray, levels: list[_Level], means: FloatArray, num_rotations: int) -> None:
        self._first, self._means, self._num_rotations = first, means, num_rotations
        sizes = [len(level.stay) for level in levels]
        self._starts = np.cumsum([0, *sizes, len(means)], dtype=np.int64)
        self._edge_starts = np.cumsum([0, *(len(level.edges[0]) for level in levels)], dtype=np.int64)
        needed = 17 * int(self._starts[-1]) + 16 * int(self._edge_starts[-1])  # coefficients, factors, signs, edges
        check_memory("max_strings", needed, "the coefficients of all strings at all gates")
        self._rotations = np.array([level.rotation for level in levels], dtype=np.int64)
        self._stay = np.concatenate([np.empty(0), *(level.stay for level in levels)])
        self._turned = np.concatenate([np.empty(0, np.uint8), *(level.turned for level in levels)])
        kinds = (np.int32, np.int32, np.float64)
        self._edges: Any = tuple(
            np.concatenate([np.empty(0, kind), *(level.edges[k] for level in levels)]) for k, kind in enumerate(kinds)
        )

    def energy(self, angles: FloatArray) -> float:
        """Return the energy at the angles of all rotations, in radians."""
        return self._replayed(angles, np.empty(0))

    def energy_and_gradient(self, angles: FloatArray) -> tuple[float, FloatArray]:
        """Return the energy, and its derivatives by the angles of all rotations."""
        gradient = np.zeros(self._num_rotations)
        return self._replayed(angles, gradient), gradient

    def _replayed(self, angles: FloatArray, gradient: FloatArray) -> float:
        found: float = kernels.pauli_strings.replay(
            self._starts,
            self._edge_starts,
            self._rotations,
            self._stay,
            self._turned,
            self._edges,
            self._first,
            self._means,
            angles,
            np.empty(self._starts[-1]),
            gradient,
        )
        return found


def _steps(circuit: Circuit, noise: NoiseModel) -> list[_Step]:
    """Return rotations and channels, the last one first."""
    frame, steps, number = Frame(circuit.num_qubits), [], 0
    for gate, qubits, rotation in walk(circuit, frame):
        if rotation is not None:
            steps.append(_rotation(*rotation[:3], number))
            number += 1
        step = _channel(noise.transfer_matrix(GATES[gate].name, qubits), qubits, frame)
        steps += [] if step is None else [step]
    return steps[::-1]


def _rotation(x: int, z: int, sign: int, number: int) -> _Step:
    """Return a rotation: strings that anticommute with its own have digit 1."""
    shifts = np.array([[x, z, (x & z).bit_count()]])
    return _Step(np.array([[x, z]]), np.ones(2), shifts, np.array([[0.0, float(sign)]]), _TURN[None], number)


def _channel(matrix: FloatArray, qubits: tuple[int, ...], frame: Frame) -> _Step | None:
    """Return a channel after the Clifford gates of a frame, by its Pauli transfer matrix; ``None`` for the identity.

    Bit ``2 k`` of a digit says whether the letter on qubit number ``k`` has an X part, which anticommutes with Z.
    """
    number = len(qubits)
    places = _PLACES if number == 1 else np.add.outer(4 * _PLACES, _PLACES).ravel()
    by_digit = np.where(np.abs(matrix) < _ROUNDING, 0.0, matrix)[np.ix_(places, places)]
    digits = np.arange(4**number)
    weights = by_digit[digits, digits ^ digits[:, None]]  # (shifts, digits)
    if (by_digit == np.eye(4**number)).all():
        return None
    detectors = [frame.image(*placed(letter, (qubit,)))[:2] for qubit in qubits for letter in "ZX"]
    used = [shift for shift in range(1, 4**number) if weights[shift].any()]
    words = ["".join(_LETTERS[digit >> 2 * k & 3] for k in range(number)) for digit in digits.tolist()]
    shifts = [frame.image(*placed(words[shift], qubits)) for shift in used]
    phases = [[_phase(words[digit], words[shift], words[digit ^ shift]) for digit in digits.tolist()] for shift in used]
    return _Step(
        np.array(detectors, dtype=np.int64),
        weights[0].copy(),
        np.array(shifts, dtype=np.int64).reshape(-1, 3),
        weights[used].copy(),
        np.array(phases, dtype=np.int64).reshape(-1, 4**number),
    )


def _phase(word: str, shift: str, product: str) -> int:
    """Return the power of ``i`` that makes ``word`` times ``shift`` equal to ``product``."""
    (_, z, power), (other_x, _, other) = (placed(letters, tuple(range(len(letters)))) for letters in (word, shift))
    *_, wanted = placed(product, tuple(range(len(product))))
    return (wanted - power - other - 2 * (z & other_x).bit_count()) % 4
