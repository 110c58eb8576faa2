"""Episode: the state of one episode as data, which environments, planners and vector environments drive."""

from __future__ import annotations

import copy
import operator
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, pairwise
from typing import Any, NamedTuple

import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from numpy.typing import ArrayLike

from qas_envs.copies import copy_of
from qas_envs.encodings import ContextEncoder, Encoder, NoiseEncoder, Observation, View
from qas_envs.families import check_member
from qas_envs.masks import Mask, new_mask
from qas_envs.problems import Problem
from qas_envs.rules import Rules
from qas_simulators import Circuit, NoiseModel, Simulator
from qas_simulators.errors import must

FIGURES = (
    "energy",
    "energy_error",
    "success",
    "threshold",
    "num_gates",
    "num_two_qubit_gates",
    "num_params",
    "depth",
    "evaluations",
    "gradients",
)
"""The numbers in ``info``."""
_REALS = ("energy", "energy_error", "threshold")


def _as_numpy(name: str, value: float) -> Any:
    """Return a number as a NumPy scalar, and ``success`` as an array without axes.

    Gymnasium's vector environments collect NumPy's scalars of booleans as objects, but arrays as booleans.
    """
    if name == "success":
        return np.array(bool(value))
    return np.float64(value) if name in _REALS else np.int64(value)


def info_of(*figures: Sequence[float]) -> dict[str, Any]:
    """Return the numbers of :data:`FIGURES`, given in this order, by name, as environments return them."""
    return {name: _as_numpy(name, value) for name, value in zip(FIGURES, chain(*figures), strict=True)}


_ANY = 1e38  # no energy is beyond; Gymnasium's checker takes infinite bounds of observations for a mistake


class Snapshot(NamedTuple):
    """What an episode can be rebuilt from; see :class:`Episode` for the fields.

    ``params`` are the circuit's parameters. Circuit, mask and encoder follow from ``actions``.
    """

    problem: Problem
    context: tuple[float, ...]
    actions: Sequence[int]
    params: ArrayLike
    energy: float
    first_energy: float
    wasted: int
    halt_at: int | None
    over: bool
    threshold: float
    truncation: Mapping[str, float]


@dataclass(slots=True)
class Episode:
    """The state of one episode. Methods change this data only: they evaluate no energy and draw no random number.

    Appending an action takes three steps, because the angles are optimised in between: :meth:`check` the action,
    :meth:`append` its gates to the circuit, and, once the angles are set, :meth:`record` it.

    Attributes:
        rules: The rules of the environment.
        problem: The instance.
        initial: The circuit that the episode starts with; never changed.
        circuit: The circuit with its angles.
        mask: The legal actions.
        encoder: Follows the circuit to observe it.
        context: The values that identify the member of a family; empty without a family.
        actions: The actions that appended gates, in order.
        energy: Energy of the circuit, in the problem's unit.
        first_energy: Energy of the initial circuit.
        threshold: The success threshold that the last step was judged by.
        truncation: Figures of the energy's truncation, where the simulator truncates; see ``Simulator.truncation``.
        wasted: Illegal actions that were skipped; each uses one gate of the budget, whatever the action would append.
        halt_at: 0-based index of the last action before random halting; ``None`` without halting.
        over: Whether the episode has ended, or none has begun.

    Examples:
        A clone is independent of the environment, so that a planner can look ahead:

        >>> import gymnasium as gym, qas_envs
        >>> env = gym.make("QAS-TFIM-v0", num_qubits=2).unwrapped
        >>> _ = env.reset(seed=0)
        >>> clone = env.episode.clone()
        >>> num_new = clone.append(3)
        >>> clone.record(3)
        >>> clone.actions, num_new, env.episode.actions
        ([3], 1, [])
    """

    rules: Rules
    problem: Problem
    initial: Circuit
    circuit: Circuit
    mask: Mask
    encoder: Encoder
    context: tuple[float, ...] = ()
    actions: list[int] = field(default_factory=list)
    energy: float = float("nan")
    first_energy: float = float("nan")
    threshold: float = float("nan")
    truncation: Mapping[str, float] = field(default_factory=dict)
    wasted: int = 0
    halt_at: int | None = None
    over: bool = True

    @classmethod
    def new(cls, problem: Problem, rules: Rules) -> Episode:
        """Return an episode that has not begun.

        Raises:
            ValueError: The rules do not fit the problem.
        """
        family = rules.family
        is_bounded = rules.is_bounded and family is None
        energies = (problem.lower_bound, problem.upper_bound) if is_bounded else (-_ANY, _ANY)
        encoder = rules.encoding.bind(problem, rules.catalogue, rules.capacity, energies)
        shows_device, is_shown = getattr(encoder, "shows_device", False), rules.drift is None or rules.drift.shown
        if shows_device:
            noise = getattr(rules.simulator, "noise", None) if is_shown else None
            encoder.see_noise(problem, noise)  # type: ignore[attr-defined]
        if family is not None and not getattr(encoder, "shows_instance", False):
            encoder = ContextEncoder(encoder, family)
        if rules.drift is not None and is_shown and not shows_device:
            encoder = NoiseEncoder(encoder, rules.catalogue.operations, problem.num_qubits)
        mask = new_mask(rules.mask, rules.catalogue)
        initial = rules.initial.copy() if rules.initial is not None else Circuit(problem.num_qubits)
        if initial.num_qubits != problem.num_qubits:
            raise ValueError(must("initial", f"have {problem.num_qubits} qubits", initial.num_qubits))
        context = () if family is None else family.first()
        return cls(rules, problem, initial, initial.copy(), mask, encoder, context)

    def clone(self) -> Episode:
        """Return an independent copy; rules, problem and initial circuit are shared."""
        twin = copy.copy(self)
        twin.circuit = self.circuit.copy()
        twin.mask = copy_of(self.mask)
        twin.encoder = copy_of(self.encoder)
        twin.actions = self.actions.copy()
        return twin

    def snapshot(self) -> Snapshot:
        """Return what :meth:`restore` needs; quicker to take than a clone, slower to return to."""
        return Snapshot(
            self.problem,
            self.context,
            self.actions.copy(),
            self.circuit.params,
            self.energy,
            self.first_energy,
            self.wasted,
            self.halt_at,
            self.over,
            self.threshold,
            self.truncation,
        )

    def restore(self, snapshot: Snapshot) -> None:
        """Return to a snapshot; circuit, mask and encoder are rebuilt in place from the actions."""
        self.problem, self.context = snapshot.problem, snapshot.context
        self.reset(snapshot.threshold)
        for action in snapshot.actions:
            self.append(action)
            self.record(action)
        self.circuit.params = snapshot.params
        self.energy, self.first_energy = snapshot.energy, snapshot.first_energy
        self.wasted, self.halt_at, self.over = snapshot.wasted, snapshot.halt_at, snapshot.over
        self.truncation = snapshot.truncation

    # -- changing it ---------------------------------------------------------------------------------------------------

    def reset(self, threshold: float) -> None:
        """Begin with the initial circuit and its energy :attr:`first_energy`."""
        self.circuit.assign(self.initial)
        self.encoder.reset(self.problem)
        self.mask.reset()
        self.actions.clear()
        self.energy = self.first_energy
        self.threshold = threshold
        self.wasted = 0
        self.halt_at = None
        self.over = False

    def see_noise(self, noise: NoiseModel | None) -> None:
        """Show the present noise model of a drift, before a reset; nothing where the drift or the device is hidden."""
        drift = self.rules.drift
        if drift is not None and drift.shown and getattr(self.encoder, "shows_device", False):
            self.encoder.see_noise(self.problem, noise)  # type: ignore[attr-defined]

    def switch(self, context: tuple[float, ...]) -> None:
        """Switch to a member of the family, before a reset.

        Raises:
            ValueError: The member has another number of qubits or another kind of observations.
        """
        family = self.rules.family
        assert family is not None
        problem = family.at(context)
        check_member(self.problem, problem)
        self.problem, self.context = problem, context

    def check(self, action: np.int64 | int) -> int:
        """Return an action as an index.

        Raises:
            ValueError: The action is out of range or masked.
            ResetNeeded: The episode is over.
        """
        if self.over:
            raise ResetNeeded("The episode is over (or none has begun): call reset() before step().")
        highest = len(self.rules.catalogue) - 1
        try:
            index = operator.index(action)
        except TypeError:
            hint = " The number of a gate: env.unwrapped.catalogue.index('cx', 0, 1)."
            raise ValueError(must("action", f"be an integer in 0..{highest}", action) + hint) from None
        if not 0 <= index <= highest:
            raise ValueError(must("action", f"be an integer in 0..{highest}", action))
        if not self.mask.array[index] and self.rules.illegal != "skip":
            raise ValueError(
                f"Action {index} ({self.rules.catalogue.actions[index]}) is masked: an earlier gate makes it "
                'pointless. Choose an action with info["action_mask"] == 1, or leave out illegal="raise".'
            )
        return index

    def adds_gates(self, action: int) -> bool:
        """Return whether a checked action appends gates: not if it stops the episode, or is illegal and skipped."""
        return bool(self.mask.array[action]) and action != self.rules.catalogue.stop

    def surely_ends(self, action: int) -> bool:
        """Return whether a checked action ends the episode whatever its energy: a stop, the budget, or random halting.

        Args:
            action: Its gates, if it has any, were appended to the circuit, but it was not recorded.
        """
        used = self.used_gates + (not self.mask.array[action])
        is_halted = self.halt_at is not None and self.halt_at < used
        return action == self.rules.catalogue.stop or used >= self.rules.max_gates or is_halted

    def append(self, action: int) -> int:
        """Append the gates of an action to the circuit, angles 0, and return how many angles they have."""
        return self.rules.catalogue.append(self.circuit, action)

    def record(self, action: int) -> None:
        """Update mask, encoder and actions for an action whose gates were appended."""
        encoder = self.encoder
        encoder.begin(action)
        for operation in self.rules.catalogue.parts[action]:
            encoder.append(operation)
        self.mask.update(action)
        self.actions.append(action)

    # -- reading it ----------------------------------------------------------------------------------------------------

    @property
    def used_gates(self) -> int:
        """Gates of the budget that are used."""
        return self.circuit.num_gates - self.initial.num_gates + self.wasted

    @property
    def is_exhausted(self) -> bool:
        """Whether the gate budget is exhausted."""
        return self.used_gates >= self.rules.max_gates

    @property
    def error(self) -> float:
        """Energy minus the exact ground energy; with shots it may be negative."""
        return self.energy - self.problem.ground_energy

    @property
    def angles(self) -> list[tuple[float, ...]]:
        """Angles of each of :attr:`actions`, in radians."""
        params, num_angles = self.circuit.params.tolist(), self.rules.catalogue.num_angles
        ends = np.cumsum([self.initial.num_params, *(num_angles[action] for action in self.actions)]).tolist()
        return [tuple(params[first:end]) for first, end in pairwise(ends)]

    @property
    def space(self) -> spaces.Space[Any]:
        """The space of observations."""
        keys, space = self.rules.mask_keys, self.encoder.space
        mask = spaces.Box(0, 1, (len(self.rules.catalogue),), np.int8)
        return space if keys is None else spaces.Dict({keys[0]: space, keys[1]: mask})

    def observe(self, simulator: Simulator, threshold: float) -> Observation:
        """Return the encoder's observation, with the mask if the rules say so; see :meth:`view`."""
        keys, observation = self.rules.mask_keys, self.encoder.observe(self.view(simulator, threshold))
        return observation if keys is None else {keys[0]: observation, keys[1]: self.mask.array.copy()}

    def view(self, simulator: Simulator, threshold: float) -> View:
        """Return what encoders may use.

        Args:
            simulator: The environment's.
            threshold: The curriculum's, which may have moved since the last step was judged.
        """
        return View(self.energy, threshold, self.circuit, simulator, self.context)

    def figures(self, success: bool, evaluations: int, gradients: int) -> tuple[float, ...]:
        """Return the numbers of :data:`FIGURES`."""
        circuit = self.circuit
        return (
            self.energy,
            self.error,
            success,
            self.threshold,
            circuit.num_gates,
            circuit.num_two_qubit_gates,
            circuit.num_params,
            circuit.depth(),
            evaluations,
            gradients,
        )

    def info(self, figures: Sequence[float]) -> dict[str, Any]:
        """Return the ``info`` of an environment, given what :meth:`figures` returned."""
        family = self.rules.family
        numbers = info_of(figures)
        names = () if family is None else family.names
        context = {name: np.asarray(value)[()] for name, value in zip(names, self.context, strict=True)}
        numbers |= {name: np.float64(value) for name, value in self.truncation.items()}
        return {"action_mask": self.mask.array.copy(), **numbers, **context}
