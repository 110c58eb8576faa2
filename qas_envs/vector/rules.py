"""The rules of many environments: over arrays where a rule has the methods for it, otherwise one object each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from gymnasium import spaces
from gymnasium.vector.utils import concatenate, create_empty_array
from numpy.typing import NDArray

from qas_envs.curricula import Curriculum
from qas_envs.encodings import Encoder, Observation, View, Views
from qas_envs.masks import Mask
from qas_envs.rewards import Reward, Transition
from qas_envs.undo import attributes_of
from qas_simulators import Simulator
from qas_simulators.arrays import Array, ArrayLibrary


def own_method(part: object, name: str) -> Callable[..., Any] | None:
    """Return a method that the class of an object defines; ``None`` if it is inherited.

    A subclass may have changed what the inherited method relies on.
    """
    return getattr(part, name) if name in vars(type(part)) else None


class Curricula(Protocol):
    """The curricula of many environments."""

    def thresholds(self) -> Array:
        """Return the thresholds now, ``(size,)``."""
        ...

    def judge(self, rows: Array, energies: Array, is_known: Array, ends: Array) -> tuple[Array, Array, Array]:
        """Observe a step of some environments and, where it ended them, the ends of their episodes.

        Args:
            rows: The environments.
            energies: Of their circuits.
            is_known: Whether each energy was evaluated; otherwise it is no success.
            ends: Whether the episode ends whatever the energy.

        Returns:
            Reference energies, thresholds and successes, before the ends.
        """
        ...

    def state(self) -> Any:
        """Return what :meth:`restore` needs."""
        ...

    def restore(self, state: Any) -> None:
        """Return to a state."""
        ...

    def write(self) -> None:
        """Write the numbers to the curricula of single environments."""
        ...


class ColumnCurricula:
    """Curricula over arrays.

    Args:
        curricula: Of single environments, which are read now and changed by :meth:`write` only.
        size: Number of environments; the curricula are repeated.
        library: Of the arrays.
    """

    def __init__(self, curricula: Sequence[Any], size: int, library: ArrayLibrary) -> None:
        self._curricula, self._library, self._rules = curricula, library, curricula[0]
        self._columns = {
            name: library.constant(
                np.resize(np.array([getattr(one, name) for one in curricula], dtype=kind), size)  # repeats them
            )
            for name, kind in self._rules.columns.items()
        }

    @property
    def num_stages(self) -> int | None:
        """Stages of a schedule; ``None`` for other curricula."""
        stages = getattr(self._rules, "thresholds", None)
        return None if stages is None else len(stages)

    def thresholds(self) -> Array:
        """See :class:`Curricula`."""
        return self._columns["threshold"]

    def judge(self, rows: Array, energies: Array, is_known: Array, ends: Array) -> tuple[Array, Array, Array]:
        """See :class:`Curricula`."""
        self._rules.observe_each(self._columns, rows, energies)
        reference, threshold = self._columns["reference_energy"][rows], self._columns["threshold"][rows]
        success = is_known & (abs(energies - reference) < threshold)
        over = success | ends
        if over.any():
            self._rules.end_each(self._columns, rows[over], success[over])
        return reference, threshold, success

    def state(self) -> Any:
        """See :class:`Curricula`."""
        return {name: self._library.copy(column) for name, column in self._columns.items()}

    def restore(self, state: Any) -> None:
        """See :class:`Curricula`."""
        self._columns = dict(state)

    def write(self) -> None:
        """See :class:`Curricula`."""
        for name, column in self._columns.items():
            for curriculum, value in zip(self._curricula, column.tolist(), strict=True):
                setattr(curriculum, name, value)


class LoopedCurricula:
    """Curricula that know one environment at a time; one of them may serve several environments."""

    def __init__(self, curricula: Sequence[Curriculum]) -> None:
        self._curricula = curricula

    def thresholds(self) -> NDArray[np.float64]:
        """See :class:`Curricula`."""
        return np.array([curriculum.threshold for curriculum in self._curricula], dtype=np.float64)

    def judge(
        self, rows: NDArray[Any], energies: NDArray[Any], is_known: NDArray[Any], ends: NDArray[Any]
    ) -> tuple[Array, Array, Array]:
        """See :class:`Curricula`."""
        found = []
        columns = (rows.tolist(), energies.tolist(), is_known.tolist(), ends.tolist())
        for row, energy, known, is_last in zip(*columns, strict=True):
            curriculum = self._curricula[row]
            curriculum.observe(energy)
            reference, threshold = curriculum.reference_energy, curriculum.threshold
            success = known and abs(energy - reference) < threshold
            found.append((reference, threshold, success))
            if success or is_last:
                curriculum.end_episode(success)
        references, thresholds, successes = zip(*found, strict=True) if found else ((), (), ())
        return (
            np.array(references, dtype=np.float64),
            np.array(thresholds, dtype=np.float64),
            np.array(successes, dtype=np.bool_),
        )

    def state(self) -> Any:
        """See :class:`Curricula`."""
        return [attributes_of(curriculum) for curriculum in self._curricula]

    def restore(self, state: Any) -> None:
        """See :class:`Curricula`."""
        for curriculum, attributes in zip(self._curricula, state, strict=True):
            vars(curriculum).clear()
            vars(curriculum).update(attributes)

    def write(self) -> None:
        """See :class:`Curricula`; nothing to do."""


def curricula_of(curricula: Sequence[Curriculum], library: ArrayLibrary) -> Curricula:
    """Return the curricula of environments, over arrays if possible."""
    are_alike = len({*map(id, curricula)}) == len(curricula)
    if are_alike and all(own_method(curricula[0], name) for name in ("observe_each", "end_each")):
        return ColumnCurricula(curricula, len(curricula), library)
    return LoopedCurricula(curricula)


class LoopedMasks:
    """Masks that know one circuit each."""

    def __init__(self, masks: Sequence[Mask]) -> None:
        self._masks = masks
        self.array = np.empty((len(masks), len(masks[0].array)), dtype=np.int8)
        for mask, row in zip(masks, self.array, strict=True):
            mask.move_to(row)

    def reset(self, rows: NDArray[np.int64]) -> None:
        """See :class:`~qas_envs.masks.Masks`."""
        for row in rows.tolist():
            self._masks[row].reset()

    def update(self, rows: NDArray[np.int64], actions: NDArray[np.int64]) -> None:
        """See :class:`~qas_envs.masks.Masks`."""
        for row, action in zip(rows.tolist(), actions.tolist(), strict=True):
            self._masks[row].update(action)


class LoopedEncoders:
    """Encoders that know one circuit each, of one instance."""

    def __init__(self, encoders: Sequence[Encoder], problem: Any, simulators: Sequence[Simulator]) -> None:
        self._encoders, self._problem, self._simulators = encoders, problem, simulators

    def reset(self, rows: NDArray[np.int64]) -> None:
        """See :class:`~qas_envs.encodings.Encoders`."""
        for row in rows.tolist():
            self._encoders[row].reset(self._problem)

    def begin(self, rows: NDArray[np.int64], actions: NDArray[np.int64]) -> None:
        """See :class:`~qas_envs.encodings.Encoders`."""
        for row, action in zip(rows.tolist(), actions.tolist(), strict=True):
            self._encoders[row].begin(action)

    def append(self, rows: NDArray[np.int64], operations: NDArray[np.int64]) -> None:
        """See :class:`~qas_envs.encodings.Encoders`."""
        for row, operation in zip(rows.tolist(), operations.tolist(), strict=True):
            self._encoders[row].append(operation)

    def observe(self, views: Views, rows: NDArray[np.int64] | None = None) -> Observation:
        """See :class:`~qas_envs.encodings.Encoders`."""
        chosen = range(len(self._encoders)) if rows is None else rows.tolist()
        circuits = views.circuits.circuits
        return joined(
            self._encoders[0].space,
            [
                self._encoders[row].observe(
                    View(float(views.energy[row]), float(views.threshold[row]), circuits[row], self._simulators[row])
                )
                for row in chosen
            ],
        )


def joined(space: spaces.Space[Any], observations: Sequence[Observation]) -> Observation:
    """Return observations of single environments as one of a vector environment."""
    if isinstance(space, spaces.Box):
        return np.stack(observations)
    out: Any = create_empty_array(space, len(observations))
    return concatenate(space, observations, out)


def picked(observations: Observation, place: int) -> Observation:
    """Return one of the observations of a vector environment."""
    if isinstance(observations, dict):
        return {key: picked(value, place) for key, value in observations.items()}
    return observations[place]


def rewards_of(reward: Reward, transition: Transition) -> Array:
    """Return the rewards of many environments, given a transition of arrays."""
    of_each = own_method(reward, "of_each")
    if of_each is not None:
        return of_each(transition)
    columns: list[Any] = [*transition[:-1]]
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return np.array([reward(Transition._make((*row, transition.max_gates))) for row in rows], dtype=np.float64)
