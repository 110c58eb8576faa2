"""EpisodeArrays: the episodes of many environments with the same rules, as arrays without an object for each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from qas_envs.action_gates import ActionGates
from qas_envs.encodings import Encoders, Observation, Views
from qas_envs.episode import Snapshot
from qas_envs.masks import Masks, parts_of
from qas_envs.masks.mask import padded
from qas_envs.problems import Problem
from qas_envs.rewards import Transition
from qas_envs.rules import Rules
from qas_envs.vector.rules import Curricula, rewards_of
from qas_simulators import Circuit
from qas_simulators.arrays import Array, ArrayLibrary
from qas_simulators.circuit_arrays import GATES, PAIRS, PARAMS, CircuitArrays

NEVER: Final = 2**62
"""The step of random halting where there is none."""
_CHANGING: Final = ("num_actions", "energy", "first_energy", "threshold", "wasted", "halt_at", "over")


class Moves(NamedTuple):
    """What a step does to some environments.

    Attributes:
        rows: The environments.
        actions: Their actions.
        adds: Which of them append gates.
        solves: Which circuits are to be optimised.
        num_new: How many angles of these, the last ones, are new to the optimiser.
    """

    rows: Array
    actions: Array
    adds: Array
    solves: Array
    num_new: Array


class Outcomes(NamedTuple):
    """What :class:`~qas_envs.judging.Outcome` holds, for many environments, ``(rows,)`` each."""

    rewards: Array
    success: Array
    terminated: Array
    truncated: Array


class Steps(NamedTuple):
    """The same for all environments, with the costs of the optimisations; 0 for environments that were not stepped."""

    rewards: Array
    success: Array
    terminated: Array
    truncated: Array
    evaluations: Array
    gradients: Array


Optimize = Callable[[Array, Array], tuple[Array, Array, Array]]
"""Optimises circuits in place, given their rows and the numbers of their angles, the last ones, that are new to the
optimiser; returns energies, evaluations and gradients, ``(rows,)`` each."""


class EpisodeArrays:
    """The episodes of many environments. It does what :class:`~qas_envs.episode.Episode` does, for some rows at a time.

    Args:
        rules: The rules of all environments, without a family.
        problem: The instance.
        initial: The circuit that episodes start with.
        rules_of_many: Masks, encoders and curricula; of empty circuits.
        first_energy: Energy of the initial circuit.
        library: Of the arrays.

    Attributes:
        circuits: The circuits with their angles.
        masks: The legal actions.
        encoders: Follow the circuits to observe them.
        curricula: Decide success.
        actions: The actions that appended gates, ``(size, most)``; the first ``num_actions`` of each row are in use.
        num_actions: See ``actions``; ``(size,)``, as are the following ones.
        energy: Energies of the circuits.
        first_energy: Energies of the initial circuit.
        threshold: Thresholds that the last steps were judged by.
        wasted: Illegal actions that were skipped.
        halt_at: Last action before random halting, counted from 0; :data:`NEVER` without halting.
        over: Whether the episode has ended, or none has begun.
    """

    def __init__(
        self,
        rules: Rules,
        problem: Problem,
        initial: Circuit,
        rules_of_many: tuple[Masks, Encoders, Curricula],
        first_energy: float,
        library: ArrayLibrary,
    ) -> None:
        self.rules, self.problem, self.library = rules, problem, library
        self.masks, self.encoders, self.curricula = rules_of_many
        catalogue = rules.catalogue
        size, capacity = len(self.masks.array), initial.num_gates + rules.capacity
        self._gates = ActionGates(catalogue, library)
        self.circuits = CircuitArrays(initial, size, capacity, self._gates.table, library)
        self._are_gates = not catalogue.has_gadgets
        self._parts = library.constant(padded(catalogue.parts))
        stop = () if catalogue.stop is None else (0,)
        self._stop = -1 if catalogue.stop is None else catalogue.stop
        numbers = catalogue.num_angles, catalogue.num_gates, catalogue.num_two_qubit_gates
        self._num_angles, self._num_gates, self._num_pairs = (library.constant([*own, *stop]) for own in numbers)
        self._num_initial = initial.num_gates
        self.actions = library.zeros((size, rules.capacity), "int64")
        for name, kind in (
            *((name, "float64") for name in ("energy", "first_energy", "threshold")),
            *((name, "int64") for name in ("num_actions", "wasted", "halt_at")),
        ):
            setattr(self, name, library.zeros(size, kind))
        self.over = library.zeros(size, "bool")
        self.first_energy[:] = first_energy
        self.reset(library.arange(size), NEVER)
        self.over[:] = True

    num_actions: Array
    energy: Array
    first_energy: Array
    threshold: Array
    wasted: Array
    halt_at: Array

    # -- changing them -------------------------------------------------------------------------------------------------

    def reset(self, rows: Array, halt_at: Array | int) -> None:
        """Begin episodes with the initial circuit in some rows."""
        self.circuits.reset(rows)
        self.encoders.reset(rows)
        self.masks.reset(rows)
        self.num_actions[rows] = 0
        self.energy[rows] = self.first_energy[rows]
        self.threshold[rows] = self.curricula.thresholds()[rows]
        self.wasted[rows] = 0
        self.halt_at[rows] = halt_at
        self.over[rows] = False

    def step(self, rows: Array, actions: Array, optimize: Optimize, at_end: bool) -> Steps:
        """Step some environments.

        Args:
            rows: The environments, in ascending order.
            actions: Their checked actions.
            optimize: Optimises circuits in place.
            at_end: Whether angles are optimised only once, at the end of an episode.
        """
        size, zeros = len(self.over), self.library.zeros
        moves = self.begin_step(rows, actions, at_end)
        is_whole = len(rows) == size  # all, in order
        if is_whole and bool(moves.solves.all()):
            energies, evaluations, gradients = optimize(rows, moves.num_new)
        else:
            evaluations, gradients = zeros(size, "int64"), zeros(size, "int64")
            energies, solved = self.library.copy(self.energy[self._at(rows)]), rows[moves.solves]
            if len(solved):
                energies[moves.solves], evaluations[solved], gradients[solved] = optimize(solved, moves.num_new)
        outcomes = self.end_step(moves, energies, (evaluations[self._at(rows)] > 0) | (not at_end))
        if is_whole:
            return Steps._make((*outcomes, evaluations, gradients))
        columns = [zeros(size, "float64"), *(zeros(size, "bool") for _ in range(3))]
        for column, values in zip(columns, outcomes, strict=True):
            column[rows] = values
        return Steps._make((*columns, evaluations, gradients))

    def begin_step(self, rows: Array, actions: Array, at_end: bool) -> Moves:
        """Append the gates of checked actions, angles 0.

        Args:
            rows: The environments.
            actions: Their actions.
            at_end: Whether angles are optimised only once, at the end of an episode.
        """
        legal = self.masks.array[rows, actions] != 0
        adds = legal & (actions != self._stop) if self._stop >= 0 else legal
        adding, chosen = (rows, actions) if bool(adds.all()) else (rows[adds], actions[adds])
        self._append(adding, chosen)
        solves, num_new = adds, self._num_angles[chosen]
        if at_end:
            used = self.used_gates(rows) + self.library.cast(~legal, "int64")
            solves = (actions == self._stop) | (used >= self.rules.max_gates) | (self.halt_at[rows] < used)
            num_new = self.circuits.counts[rows[solves], PARAMS]
        elif self.rules.catalogue.has_blocks:  # the rotations at the start are new with the first block
            is_first = self.num_actions[adding] == 0
            num_new = self.library.where(is_first, self.circuits.counts[adding, PARAMS], num_new)
        return Moves(rows, actions, adds, solves, num_new)

    def _append(self, rows: Array, actions: Array) -> None:
        self._gates.append(self.circuits, rows, actions)

    def _record(self, rows: Array, actions: Array) -> None:
        """Update masks, encoders and lists of actions."""
        self.encoders.begin(rows, actions)
        parts: Any = [(slice(None), actions)] if self._are_gates else parts_of(self._parts, actions)
        for chosen, operations in parts:
            self.encoders.append(rows[chosen], operations)
        self.masks.update(rows, actions)
        number = self.num_actions[rows]
        self.actions[rows, number] = actions
        self.num_actions[rows] = number + 1

    def end_step(self, moves: Moves, energies: Array, is_known: Array) -> Outcomes:
        """Record and judge actions whose gates were appended and optimised; the outcome holds arrays ``(rows,)``.

        Args:
            moves: What :meth:`begin_step` returned.
            energies: Of the circuits, or the last ones that were evaluated.
            is_known: Whether each energy is of the circuit.
        """
        rows, actions, adds, *_ = moves
        at, cast, copy = self._at(rows), self.library.cast, self.library.copy
        stops = actions == self._stop
        if bool(adds.all()):
            self._record(rows, actions)
            added, pairs = self._num_gates[actions], self._num_pairs[actions]
        else:
            self._record(rows[adds], actions[adds])
            self.wasted[at] += cast(~(adds | stops), "int64")
            added, pairs = self._num_gates[actions] * adds, self._num_pairs[actions] * adds
        previous = copy(self.energy[at])
        self.energy[at] = energies
        used = self.used_gates(at)
        exhausted = stops | (used >= self.rules.max_gates)
        halted = self.halt_at[at] < used
        reference, threshold, success = self.curricula.judge(rows, energies, is_known, exhausted | halted)
        self.threshold[at] = threshold
        counts, depth = copy(self.circuits.counts[at]), copy(self.circuits.depth[at])  # rewards may change them
        rewards = rewards_of(
            self.rules.reward,
            Transition(
                *(previous, energies, reference, success, exhausted, pairs, added - pairs, copy(self.first_energy[at])),
                *(counts[:, PAIRS], counts[:, GATES] - counts[:, PAIRS], depth),
                max_gates=self.rules.max_gates,
            ),
        )
        terminated = success | exhausted
        halted = halted & ~terminated
        self.over[at] = terminated | halted
        if getattr(self.rules.halting, "terminates", False):
            terminated, halted = terminated | halted, halted & False
        return Outcomes(rewards, success, terminated, halted)

    # -- reading them --------------------------------------------------------------------------------------------------

    def _at(self, rows: Array) -> Any:
        """Return an index of rows in ascending order; of all it is a slice, which takes no time but gives views."""
        return slice(None) if len(rows) == len(self.over) else rows

    def used_gates(self, rows: Any) -> Array:
        """Return the gates of the budget that are used, ``(rows,)``."""
        return self.circuits.counts[rows, GATES] - self._num_initial + self.wasted[rows]

    def observe(self, rows: Array | None = None) -> Observation:
        """Return the observations of some environments, by default of all, with the masks if the rules say so."""
        views = Views(self.energy, self.curricula.thresholds(), self.circuits)
        keys, observations = self.rules.mask_keys, self.encoders.observe(views, rows)
        if keys is None:
            return observations
        return {
            keys[0]: observations,
            keys[1]: self.library.copy(self.masks.array) if rows is None else self.masks.array[rows],
        }

    def figures(self, success: Array, evaluations: Array, gradients: Array) -> dict[str, Array]:
        """Return the masks and the numbers of :data:`~qas_envs.episode.FIGURES` of all environments, as copies."""
        copy, counts = self.library.copy, self.library.copy(self.circuits.counts)
        return {
            "action_mask": copy(self.masks.array),
            "energy": copy(self.energy),
            "energy_error": self.energy - self.problem.ground_energy,
            "success": success,
            "threshold": copy(self.threshold),
            "num_gates": counts[:, GATES],
            "num_two_qubit_gates": counts[:, PAIRS],
            "num_params": counts[:, PARAMS],
            "depth": copy(self.circuits.depth),
            "evaluations": evaluations,
            "gradients": gradients,
        }

    # -- states, from which circuits, masks and encoders are rebuilt ---------------------------------------------------

    def state(self) -> dict[str, Array]:
        """Return what :meth:`restore` needs after a step or a reset; not after two."""
        arrays = {name: self.library.copy(getattr(self, name)) for name in _CHANGING}
        return arrays | {"angles": self.library.copy(self.circuits.angles)}

    def restore(self, state: Mapping[str, Array]) -> None:
        """Return to a state; circuits, masks and encoders are rebuilt from the actions."""
        self.reset(self.library.arange(len(self.over)), NEVER)
        number = state["num_actions"]
        for place in range(int(number.max())):
            rows = self.library.nonzero(number > place)
            self._play(rows, self.actions[rows, place])
        self.circuits.angles[:] = state["angles"]
        for name in _CHANGING:
            getattr(self, name)[:] = state[name]

    def _play(self, rows: Array, actions: Array) -> None:
        """Append and record actions that may be legal."""
        self._append(rows, actions)
        self._record(rows, actions)

    def replay(self, actions: Array, number: Array) -> bool:
        """Begin episodes again with the first ``number`` actions of each; return whether these are legal in turn."""
        self.reset(self.library.arange(len(self.over)), NEVER)
        for place in range(int(number.max())):
            rows = self.library.nonzero(number > place)
            own = actions[rows, place]
            may_add = (self.masks.array[rows, own] != 0) & (self.used_gates(rows) < self.rules.max_gates)
            if not bool((may_add & (own != self._stop)).all()):
                return False
            self._play(rows, own)
        return True

    def load(self, snapshots: Sequence[Snapshot]) -> None:
        """Read the episodes of single environments."""
        columns: dict[str, Any] = {
            name: np.array([getattr(one, name) for one in snapshots])
            for name in ("energy", "first_energy", "threshold", "wasted", "over")
        }
        halts = [NEVER if one.halt_at is None else one.halt_at for one in snapshots]
        columns |= {"halt_at": np.array(halts), "num_actions": np.array([len(one.actions) for one in snapshots])}
        angles, actions = self.library.host(self.circuits.angles).copy(), self.library.host(self.actions).copy()
        for row, one in enumerate(snapshots):
            params = np.asarray(one.params)
            angles[row, : len(params)] = params
            actions[row, : len(one.actions)] = one.actions
        self.actions[:] = self.library.shared(actions)
        self.restore({name: self.library.shared(column) for name, column in (columns | {"angles": angles}).items()})

    def snapshot(self, row: int) -> Snapshot:
        """Return the episode of one environment."""
        host = {name: self.library.host(getattr(self, name))[row].item() for name in _CHANGING}
        counts = self.library.host(self.circuits.counts)[row]
        return Snapshot(
            problem=self.problem,
            context=(),
            actions=self.library.host(self.actions)[row, : host.pop("num_actions")].tolist(),
            params=self.library.host(self.circuits.angles)[row, : counts[PARAMS]].copy(),
            **{name: value for name, value in host.items() if name != "halt_at"},
            halt_at=None if host["halt_at"] == NEVER else host["halt_at"],
            truncation={},
        )
