"""Curricula: the error below which an episode is a success, and how it changes over episodes.

A curriculum is a small state machine of one environment: it observes every energy and the end of every episode.

A curriculum may also have ``columns``, a mapping from the names of its changing attributes, which are numbers, to their
types, and the methods ``observe_each`` and ``end_each``. They do what ``observe`` and ``end_episode`` do for many
environments: they take these attributes as arrays, one entry per environment, in a mapping by name. Vector environments
use them; without them they call one curriculum after the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import ClassVar, Final, Protocol, runtime_checkable

import numpy as np

from qas_envs.components import chosen, is_number, is_whole
from qas_envs.problems import Problem
from qas_simulators.arrays import Array, library_of
from qas_simulators.errors import must

REFERENCES = ("ground", "lower_bound")


class Curriculum(Protocol):
    """Decides success; errors are ``|energy - reference_energy|``."""

    reference_energy: float
    threshold: float

    def start(self, problem: Problem) -> None:
        """Set the reference energy for a problem; called at construction, and for every new member of a family."""
        ...

    def observe(self, energy: float) -> None:
        """Observe the energy of a step."""
        ...

    def end_episode(self, success: bool) -> None:
        """Observe the end of an episode."""
        ...


Columns = Mapping[str, Array]
"""Attributes of the curricula of many environments, by name, ``(num_envs,)`` each; changed in place."""


@runtime_checkable
class InstanceCurriculum(Curriculum, Protocol):
    """A curriculum that also chooses among a family's instances."""

    def contexts(self) -> Sequence[Mapping[str, float]]:
        """Return every value that :meth:`context` can return, so that mistakes are found before training."""
        ...

    def context(self) -> Mapping[str, float]:
        """Return the scheduled values of the next episode, by name; the other values are drawn."""
        ...


@dataclass
class FixedThreshold:
    """Success below a fixed error, measured from the exact ground energy.

    Attributes:
        threshold: Largest error (excluded); ``None`` takes the problem's accuracy.
    """

    threshold: float = None  # type: ignore[assignment]  # set by start()
    reference_energy: float = field(default=float("nan"), init=False)
    fits_families = True
    columns: ClassVar[Mapping[str, str]] = {"threshold": "float64", "reference_energy": "float64"}

    def __post_init__(self) -> None:
        if self.threshold is not None:
            _check_error("threshold", self.threshold)

    def start(self, problem: Problem) -> None:
        """See :class:`Curriculum`."""
        self.reference_energy = problem.ground_energy
        if self.threshold is None:
            self.threshold = problem.accuracy

    def observe(self, energy: float) -> None:
        """Nothing changes."""

    def end_episode(self, success: bool) -> None:
        """Nothing changes."""

    def observe_each(self, columns: Columns, rows: Array, energies: Array) -> None:
        """Nothing changes."""

    def end_each(self, columns: Columns, rows: Array, success: Array) -> None:
        """Nothing changes."""


@dataclass
class MovingThreshold:
    """CRLQAS: the threshold follows the best energy found so far.

    With reference ``mu`` and best energy ``E_best``: after every ``shift_time`` episodes (once more than 10 have
    ended) the threshold becomes ``|mu - E_best| + amortisation``; after ``successes`` successes it drops by
    ``amortisation / radius_shifts``, at most ``radius_shifts`` times between two shifts and only while
    ``|mu - E_best| < switch``.

    Attributes:
        initial: First threshold.
        amortisation: ``delta``, in the problem's unit.
        shift_time: Episodes between two shifts (``G``).
        successes: Successes per radius shift (``K``).
        radius_shifts: ``kappa``.
        switch: Distance of the best energy below which radius shifts are allowed; ``None`` takes ``initial``.
        reference: ``"lower_bound"`` needs no knowledge of the ground energy; ``"ground"`` uses it.

    References:
        Patel et al., arXiv:2402.03500, with the released code's merged reset rule.
    """

    initial: float
    amortisation: float = 5e-4
    shift_time: int = 500
    successes: int = 25
    radius_shifts: int = 10
    switch: float | None = None
    reference: str = "lower_bound"
    threshold: float = field(init=False)
    reference_energy: float = field(default=float("nan"), init=False)
    best_energy: float = field(default=float("inf"), init=False)
    columns: ClassVar[Mapping[str, str]] = dict.fromkeys(
        ("threshold", "reference_energy", "best_energy"), "float64"
    ) | (dict.fromkeys(("_success_count", "_shift_count", "_episode_count"), "int64"))

    def __post_init__(self) -> None:
        _check_error("initial", self.initial)
        if not is_number(self.amortisation) or self.amortisation < 0:
            raise ValueError(must("amortisation", "be finite and not negative", self.amortisation))
        if self.switch is not None and not is_number(self.switch):
            raise ValueError(must("switch", "be a finite number or None", self.switch))
        for name in ("shift_time", "successes", "radius_shifts"):
            _check_count(name, getattr(self, name))
        chosen("reference", self.reference, REFERENCES)
        self.threshold = self.initial
        self._success_count = self._shift_count = self._episode_count = 0

    def start(self, problem: Problem) -> None:
        """See :class:`Curriculum`."""
        self.reference_energy = problem.ground_energy if self.reference == "ground" else problem.lower_bound
        self.best_energy = self.reference_energy + self.initial

    def observe(self, energy: float) -> None:
        """See :class:`Curriculum`."""
        self.best_energy = min(self.best_energy, energy)

    def end_episode(self, success: bool) -> None:
        """See :class:`Curriculum`."""
        best_error = abs(self.reference_energy - self.best_energy)
        if success:
            self._success_count += 1
            switch = self.initial if self.switch is None else self.switch
            if self._success_count >= self.successes and self._shift_count < self.radius_shifts and switch > best_error:
                self.threshold -= self.amortisation / self.radius_shifts
                self._success_count = 0
                self._shift_count += 1
        self._episode_count += 1
        if self._episode_count > 10 and self._episode_count % self.shift_time == 0:
            self.threshold = best_error + self.amortisation
            self._success_count = self._shift_count = 0

    def observe_each(self, columns: Columns, rows: Array, energies: Array) -> None:
        """Do what :meth:`observe` does for many environments."""
        best = columns["best_energy"][rows]
        columns["best_energy"][rows] = library_of(best).where(energies < best, energies, best)

    def end_each(self, columns: Columns, rows: Array, success: Array) -> None:
        """Do what :meth:`end_episode` does for many environments."""
        threshold, reference, best, successes, shifts, episodes = (columns[name][rows] for name in self.columns)
        to, error = library_of(best), abs(reference - best)
        successes = successes + to.cast(success, "int64")
        switch = self.initial if self.switch is None else self.switch
        drops = success & (successes >= self.successes) & (shifts < self.radius_shifts) & (switch > error)
        episodes = episodes + 1
        moves = (episodes > 10) & (episodes % self.shift_time == 0)
        dropped = to.where(drops, threshold - self.amortisation / self.radius_shifts, threshold)
        columns["threshold"][rows] = to.where(moves, error + self.amortisation, dropped)
        columns["_success_count"][rows] = to.where(drops | moves, 0, successes)
        columns["_shift_count"][rows] = to.where(moves, 0, shifts + to.cast(drops, "int64"))
        columns["_episode_count"][rows] = episodes


@dataclass
class StagedThreshold:
    """Success below a list of errors, one after the other, measured from the exact ground energy.

    The next stage begins after a number of successes; a stage without that many successes never ends.

    Attributes:
        thresholds: Errors (excluded) of the stages, falling; ``None`` at the end stands for the problem's accuracy.
        successes: Successes per stage.
        in_a_row: Count only successes without a failed episode in between.
    """

    thresholds: Sequence[float | None]
    successes: int = 10
    in_a_row: bool = False
    threshold: float = field(default=float("nan"), init=False)
    reference_energy: float = field(default=float("nan"), init=False)
    stage: int = field(default=0, init=False)
    columns: ClassVar[Mapping[str, str]] = {
        **dict.fromkeys(("threshold", "reference_energy"), "float64"),
        **dict.fromkeys(("stage", "_count"), "int64"),
    }

    def __post_init__(self) -> None:
        stages = list(self.thresholds) if isinstance(self.thresholds, Sequence | np.ndarray) else []
        given = stages[:-1] if stages and stages[-1] is None else stages
        known = [value for value in given if value is not None]
        if not stages or len(known) < len(given) or not all(is_number(value) and value > 0 for value in known):
            raise ValueError(must("thresholds", "be positive errors, only the last None", self.thresholds))
        if any(later >= earlier for earlier, later in pairwise(known)):
            raise ValueError(must("thresholds", "fall from stage to stage", self.thresholds))
        _check_count("successes", self.successes)
        self._count = 0

    def start(self, problem: Problem) -> None:
        """See :class:`Curriculum`."""
        self.reference_energy = problem.ground_energy
        self._accuracy = problem.accuracy
        self._enter(self.stage)

    def _enter(self, stage: int) -> None:
        self.stage, self._count = stage, 0
        own = self.thresholds[stage]
        self.threshold = self._accuracy if own is None else own

    def observe(self, energy: float) -> None:
        """Nothing changes."""

    def end_episode(self, success: bool) -> None:
        """See :class:`Curriculum`."""
        self._count = self._count + 1 if success else 0 if self.in_a_row else self._count
        if self._count >= self.successes and self.stage + 1 < len(self.thresholds):
            self._enter(self.stage + 1)

    def observe_each(self, columns: Columns, rows: Array, energies: Array) -> None:
        """Nothing changes."""

    def end_each(self, columns: Columns, rows: Array, success: Array) -> None:
        """Do what :meth:`end_episode` does for many environments."""
        threshold, _, stage, count = (columns[name][rows] for name in self.columns)
        to = library_of(threshold)
        count = to.where(success, count + 1, 0 if self.in_a_row else count)
        rises = (count >= self.successes) & (stage + 1 < len(self.thresholds))
        stage = stage + to.cast(rises, "int64")
        stages = to.constant([self._accuracy if own is None else float(own) for own in self.thresholds])
        columns["threshold"][rows] = to.where(rises, stages[stage], threshold)
        columns["stage"][rows] = stage
        columns["_count"][rows] = to.where(rises, 0, count)


@dataclass
class ScheduledInstances:
    """Easy instances first: one of the values that vary, such as a bond length or a field, follows a list.

    Success is an error below a fixed threshold, measured from the instance's exact ground energy. The next value begins
    after a number of successes, or of episodes; the last value stays. Test instances and values given to ``reset`` are
    not scheduled.

    Attributes:
        parameter: What is scheduled; one of the names that the environment's ``vary`` holds.
        values: Its values, in this order.
        successes: Successes per value.
        patience: Largest number of episodes per value; ``None`` for no limit.
        threshold: Largest error (excluded); ``None`` takes the problem's accuracy.
    """

    parameter: str
    values: Sequence[float]
    successes: int = 10
    patience: int | None = None
    threshold: float = None  # type: ignore[assignment]  # set by start()
    reference_energy: float = field(default=float("nan"), init=False)
    stage: int = field(default=0, init=False)
    fits_families = True

    def __post_init__(self) -> None:
        values = tuple(self.values) if isinstance(self.values, Sequence | np.ndarray) else ()
        if not values or not all(map(is_number, values)):
            raise ValueError(must("values", "hold at least one value, all numbers", self.values))
        self.values = tuple(map(float, values))
        _check_count("successes", self.successes)
        if self.patience is not None:
            _check_count("patience", self.patience)
        if self.threshold is not None:
            _check_error("threshold", self.threshold)
        self._successes = self._episodes = 0

    def start(self, problem: Problem) -> None:
        """See :class:`Curriculum`."""
        self.reference_energy = problem.ground_energy
        if self.threshold is None:
            self.threshold = problem.accuracy

    def contexts(self) -> list[dict[str, float]]:
        """See :class:`InstanceCurriculum`."""
        return [{self.parameter: value} for value in self.values]

    def context(self) -> dict[str, float]:
        """See :class:`InstanceCurriculum`."""
        return self.contexts()[self.stage]

    def observe(self, energy: float) -> None:
        """Nothing changes."""

    def end_episode(self, success: bool) -> None:
        """See :class:`Curriculum`."""
        self._successes += success
        self._episodes += 1
        is_over = self._successes >= self.successes or self._episodes == self.patience
        if is_over and self.stage + 1 < len(self.values):
            self.stage += 1
            self._successes = self._episodes = 0


def _check_error(name: str, value: object) -> None:
    """Raise ``ValueError`` unless a setting is a positive error."""
    if not is_number(value) or not value > 0:  # type: ignore[operator]
        raise ValueError(must(name, "be positive", value))


def _check_count(name: str, value: object) -> None:
    """Raise ``ValueError`` unless a setting is an integer of at least 1."""
    if not is_whole(value, 1):
        raise ValueError(must(name, "be an integer of at least 1", value))


CURRICULA: Final = {
    "fixed": FixedThreshold,
    "moving": MovingThreshold,
    "staged": StagedThreshold,
    "scheduled": ScheduledInstances,
}
