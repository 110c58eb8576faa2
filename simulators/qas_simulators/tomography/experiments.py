"""Experiments of gate set tomography: which circuits are run, and what was counted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, product
from typing import Final

import numpy as np
from numpy.typing import NDArray

from qas_simulators.errors import must
from qas_simulators.gates import GATES, gate_index
from qas_simulators.tomography.gate_set import GateSet, Key

Run = tuple[Key, ...]
"""Gates in the order in which they act."""

_LONGEST_FIDUCIAL: Final = 3
_LEAST_VOLUME: Final = 1e-3


@dataclass(frozen=True)
class Design:
    """Circuits of gate set tomography: every preparation, then every middle part, then every measurement.

    Attributes:
        preparations: Gates that prepare states which span all states.
        middles: The empty one, each gate alone, and repeated germs.
        measurements: Gates before the measurement, so that its effects span all effects.

    References:
        Nielsen et al., "Gate set tomography", arXiv:2009.07301.
    """

    preparations: tuple[Run, ...]
    middles: tuple[Run, ...]
    measurements: tuple[Run, ...]

    def runs(self) -> list[Run]:
        """Return all circuits; those of a middle part follow each other, and there those of a preparation."""
        return [
            (*first, *middle, *last)
            for middle, first, last in product(self.middles, self.preparations, self.measurements)
        ]

    def up_to(self, length: int) -> Design:
        """Return the design whose middle parts have at most ``length`` gates."""
        return Design(self.preparations, tuple(one for one in self.middles if len(one) <= length), self.measurements)

    def simulated(self, gate_set: GateSet, shots: int, seed: int | None = None) -> Counts:
        """Return random outcomes of a gate set.

        Args:
            gate_set: A physical one.
            shots: Of each circuit; 0 for the exact probabilities.
            seed: Of the random numbers.
        """
        exact = np.array([gate_set.probabilities(run) for run in self.runs()])
        exact = np.maximum(exact, 0.0) / np.maximum(exact, 0.0).sum(axis=1, keepdims=True)
        numbers = np.random.default_rng(seed).multinomial(shots, exact) if shots else exact
        return Counts.of(self, numbers)


@dataclass(frozen=True, eq=False)
class Counts:
    """How often each outcome was seen.

    Attributes:
        design: The circuits.
        numbers: ``(middles, preparations, measurements, 2**n)``.
    """

    design: Design
    numbers: NDArray[np.float64]

    @classmethod
    def of(cls, design: Design, numbers: NDArray[np.int64] | NDArray[np.float64] | Sequence[Sequence[float]]) -> Counts:
        """Return the counts of :meth:`Design.runs`, ``(circuits, 2**n)``, in this order.

        Raises:
            ValueError: Another number of circuits, negative numbers, or a circuit without shots.
        """
        sizes = len(design.middles), len(design.preparations), len(design.measurements)
        given = np.asarray(numbers, dtype=np.float64)
        if given.ndim != 2 or len(given) != np.prod(sizes) or given.shape[1] not in (2, 4):
            raise ValueError(must("numbers", f"have shape ({np.prod(sizes)}, 2 or 4)", given.shape))
        if not (given >= 0).all() or not (given.sum(axis=1) > 0).all():
            raise ValueError(must("numbers", "be counts, not all of them 0 for any circuit", given.min()))
        return cls(design, given.reshape(*sizes, -1))

    @property
    def frequencies(self) -> NDArray[np.float64]:
        """Shares of the outcomes, in the shape of ``numbers``."""
        return np.asarray(self.numbers / self.numbers.sum(axis=3, keepdims=True))

    def up_to(self, length: int) -> Counts:
        """Return the counts of middle parts with at most ``length`` gates."""
        rows = [number for number, middle in enumerate(self.design.middles) if len(middle) <= length]
        return Counts(self.design.up_to(length), self.numbers[rows])


def usual_design(num_qubits: int, gates: Iterable[Key], length: int = 8) -> Design:
    """Return a design for gates without angles.

    Preparations and measurements are short sequences of one-qubit gates, chosen greedily so that the ideal states and
    effects span as large a volume as possible. Germs are the gates, pairs of them, and where there is a two-qubit gate
    this gate with one on each qubit; on one qubit also pairs with the first gate twice. Each is repeated to 1, 2, 4,
    ... gates, at most ``length`` or once.

    Args:
        num_qubits: 1 or 2.
        gates: By name and qubits.
        length: Largest number of gates of a repeated germ.

    Raises:
        ValueError: Gates with angles, or one-qubit gates that do not prepare enough states of a qubit.

    Examples:
        >>> design = usual_design(1, [("sx", (0,)), ("s", (0,))], length=4)
        >>> len(design.preparations), len(design.measurements), len(design.middles)
        (4, 3, 11)
    """
    keys = [(name, tuple(qubits)) for name, qubits in gates]
    if any(GATES[gate_index(name)].axis is not None for name, _ in keys):
        raise ValueError(must("gates", "be gates without angles", keys))
    preparations: list[Run] = [()]
    measurements: list[Run] = [()]
    for qubit in range(num_qubits):
        own = _fiducials([name for name, qubits in keys if qubits == (qubit,)], qubit)
        preparations = [(*first, *second) for first in preparations for second in own[0]]
        measurements = [(*first, *second) for first in measurements for second in own[1]]
    middles: dict[Run, None] = {(): None}
    for germ in _germs(keys, num_qubits):
        power = 1
        while power == 1 or power <= length:
            middles[germ * max(1, power // len(germ))] = None
            power *= 2
    return Design(tuple(preparations), tuple(sorted(middles, key=len)), tuple(measurements))


def _germs(keys: list[Key], num_qubits: int) -> list[Run]:
    """Return short sequences whose repetition makes errors grow."""
    found: list[Run] = [(key,) for key in keys] + list(combinations(keys, 2))
    if num_qubits == 1:
        return found + [(first, first, second) for first in keys for second in keys if first != second]
    of_qubit = [[key for key in keys if key[1] == (qubit,)] for qubit in (0, 1)]
    return found + [(key, *pair) for key in keys if len(key[1]) == 2 for pair in product(*of_qubit)]


def _fiducials(names: list[str], qubit: int) -> tuple[list[Run], list[Run]]:
    """Return gates that prepare four states, and gates before three measurements, of a qubit."""
    ideal = GateSet.ideal(1, [(name, (0,)) for name in names])
    runs = [run for size in range(_LONGEST_FIDUCIAL + 1) for run in product(ideal.gates, repeat=size)]
    states, effects = [], []
    for run in runs:
        matrix = np.eye(4)
        for key in run:
            matrix = ideal.gates[key] @ matrix
        states.append(matrix @ ideal.state)
        effects.append(ideal.effects[0] @ matrix * 2)
    chosen = _spanning(np.array(states), 4), _spanning(np.array(effects), 3)
    where: tuple[int, ...] = (qubit,)
    on_qubit: list[list[Run]] = [[tuple((name, where) for name, _ in runs[row]) for row in rows] for rows in chosen]
    if len(on_qubit[0]) < 4 or len(on_qubit[1]) < 3:
        raise ValueError(must("gates", f"prepare four independent states of qubit {qubit}", names))
    return on_qubit[0], on_qubit[1]


def _spanning(vectors: NDArray[np.float64], number: int) -> list[int]:
    """Return rows that span a large volume, the first one among them; with the identity where effects are meant."""
    extra = np.eye(4)[:1] if number == 3 else np.zeros((0, 4))
    chosen = [0]
    while len(chosen) < number:
        volumes = []
        for row in range(len(vectors)):
            rows = np.vstack([extra, vectors[[*chosen, row]]])
            volumes.append(np.linalg.det(rows @ rows.T))
        best = int(np.argmax(np.round(volumes, 9)))  # the shortest among equals
        if volumes[best] < _LEAST_VOLUME:
            break
        chosen.append(best)
    return chosen
