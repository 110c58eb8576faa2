"""Rewards: small functions of one transition.

A reward may have a second method, ``of_each``, which takes a :class:`Transition` of arrays, one entry per environment,
and returns an array. Vector environments use it; without it they call the reward once for each environment. Decimal
logarithms and powers are those of NumPy in both methods, because those of ``math`` differ in the last bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import Any, Final, NamedTuple, Protocol

import numpy as np

from qas_simulators.arrays import Array, library_of
from qas_simulators.errors import must


class Transition(NamedTuple):
    """The data that a reward may use; for ``of_each``, arrays ``(num_envs,)`` except ``max_gates``.

    Attributes:
        previous_energy: Energy before the gate.
        energy: Energy after the gate, angles re-optimised.
        reference_energy: The curriculum's reference minimum.
        success: Whether the error is below the curriculum's threshold.
        exhausted: Whether this gate used up the budget, or the agent stopped.
        two_qubit_gates: Two-qubit gates this action added.
        one_qubit_gates: One-qubit gates this action added.
        empty_energy: Energy at the beginning of the episode.
        total_two_qubit_gates: Two-qubit gates of the whole circuit, its initial part included.
        total_one_qubit_gates: One-qubit gates of the whole circuit, its initial part included.
        depth: Depth of the whole circuit.
        max_gates: The gate budget.
    """

    previous_energy: float
    energy: float
    reference_energy: float
    success: bool
    exhausted: bool
    two_qubit_gates: int
    one_qubit_gates: int
    empty_energy: float = 0.0
    total_two_qubit_gates: int = 0
    total_one_qubit_gates: int = 0
    depth: int = 0
    max_gates: int = 0


class Reward(Protocol):
    """Maps a transition to a number."""

    def __call__(self, transition: Transition) -> float:
        """Return the reward of one step."""
        ...


def _check_prices(
    reward: Any, positive: tuple[str, ...] = (), not_negative: tuple[str, ...] = (), optional: tuple[str, ...] = ()
) -> None:
    """Check the settings of a reward, all of them numbers; those that are ``optional`` may be ``None``.

    Raises:
        ValueError: One that is not a finite real number, or of the wrong sign.
    """
    for name, value in vars(reward).items():
        if name in optional and value is None:
            continue
        if not isinstance(value, Real) or isinstance(value, bool) or not math.isfinite(value):
            raise ValueError(must(name, "be a finite number", value))
        if name in not_negative and value < 0:
            raise ValueError(must(name, "not be negative", value))
        if name in positive and value <= 0:
            raise ValueError(must(name, "be positive", value))


@dataclass(frozen=True)
class FixedEnds:
    """CRLQAS: ``+bonus`` on success, ``-bonus`` when the budget ends, else the relative gain clipped to [-1, 1].

    The relative gain is ``(E_before - E_after) / |E_before - E_reference|``. An episode cut by random halting gets the
    gain, as in the released code.

    References:
        Patel et al., arXiv:2402.03500; Ostaszewski et al., arXiv:2103.16089.
    """

    bonus: float = 5.0

    def __post_init__(self) -> None:
        _check_prices(self)

    def __call__(self, transition: Transition) -> float:
        """See :class:`Reward`."""
        if transition.success:
            return self.bonus
        if transition.exhausted:
            return -self.bonus
        distance = abs(transition.previous_energy - transition.reference_energy)
        if distance == 0.0:
            return 0.0
        return max(-1.0, min(1.0, (transition.previous_energy - transition.energy) / distance))

    def of_each(self, transition: Transition) -> Array:
        """Return the rewards of several environments."""
        to = library_of(transition.energy)
        distance = abs(transition.previous_energy - transition.reference_energy)
        gain = (transition.previous_energy - transition.energy) / to.where(distance == 0.0, 1.0, distance)
        clipped = to.where(distance == 0.0, 0.0, to.clip(gain, -1.0, 1.0))
        return to.where(transition.success, self.bonus, to.where(transition.exhausted, -self.bonus, clipped))


@dataclass(frozen=True)
class Fidelity:
    """KANQAS: the fidelity ``F = 1 - energy`` at every step, ``bonus * F`` on success.

    References:
        Kundu et al., "KANQAS", arXiv:2406.17630.
    """

    bonus: float = 50.0

    def __post_init__(self) -> None:
        _check_prices(self)

    def __call__(self, transition: Transition) -> float:
        """See :class:`Reward`."""
        fidelity = 1.0 - transition.energy
        return self.bonus * fidelity if transition.success else fidelity

    def of_each(self, transition: Transition) -> Array:
        """Return the rewards of several environments."""
        fidelity = 1.0 - transition.energy
        return library_of(fidelity).where(transition.success, self.bonus * fidelity, fidelity)


@dataclass(frozen=True)
class PricedGates:
    """Progress in orders of magnitude minus a price for every gate, so that cheap solutions have the highest return.

    The reward is ``progress * log10(error_before / error_after) - price of the gate``, plus ``bonus`` on success, minus
    ``bonus`` when the budget ends. The sum of the logarithms over an episode depends only on the first and the last
    error; the sum of the relative gains of :class:`FixedEnds` is larger for circuits that waste gates. Errors are
    measured from the curriculum's reference and are at least ``floor``.

    Attributes:
        bonus: As in :class:`FixedEnds`.
        two_qubit: Price of a two-qubit gate.
        one_qubit: Price of a one-qubit gate.
        progress: Reward of one order of magnitude.
        floor: Smallest error that is distinguished, in the problem's unit.
    """

    bonus: float = 5.0
    two_qubit: float = 0.3
    one_qubit: float = 0.05
    progress: float = 1.0
    floor: float = 1e-8

    def __post_init__(self) -> None:
        _check_prices(self, positive=("floor",), not_negative=("two_qubit", "one_qubit", "progress"))

    def __call__(self, transition: Transition) -> float:
        """See :class:`Reward`."""
        before = max(abs(transition.previous_energy - transition.reference_energy), self.floor)
        after = max(abs(transition.energy - transition.reference_energy), self.floor)
        price = self.two_qubit * transition.two_qubit_gates + self.one_qubit * transition.one_qubit_gates
        ending = self.bonus * (transition.success - (transition.exhausted and not transition.success))
        return float(ending + self.progress * np.log10(before / after) - price)

    def of_each(self, transition: Transition) -> Array:
        """Return the rewards of several environments."""
        to = library_of(transition.energy)
        before = to.clip(abs(transition.previous_energy - transition.reference_energy), self.floor, None)
        after = to.clip(abs(transition.energy - transition.reference_energy), self.floor, None)
        pairs, singles = (to.cast(one, "float64") for one in (transition.two_qubit_gates, transition.one_qubit_gates))
        price = self.two_qubit * pairs + self.one_qubit * singles
        fails = transition.exhausted & (transition.success == 0)
        ending = self.bonus * (to.cast(transition.success, "float64") - to.cast(fails, "float64"))
        return ending + self.progress * to.log10(before / after) - price


@dataclass(frozen=True)
class Sparse:
    """``bonus`` on success, else 0."""

    bonus: float = 1.0

    def __post_init__(self) -> None:
        _check_prices(self)

    def __call__(self, transition: Transition) -> float:
        """See :class:`Reward`."""
        return self.bonus if transition.success else 0.0

    def of_each(self, transition: Transition) -> Array:
        """Return the rewards of several environments."""
        to = library_of(transition.energy)
        return self.bonus * to.cast(transition.success, "float64")


@dataclass(frozen=True)
class LogError:
    """``-log10`` of the error, which counts as at least ``floor``, at every step; plus ``bonus`` on success."""

    bonus: float = 0.0
    floor: float = 1e-8

    def __post_init__(self) -> None:
        _check_prices(self, positive=("floor",))

    def __call__(self, transition: Transition) -> float:
        """See :class:`Reward`."""
        error = max(abs(transition.energy - transition.reference_energy), self.floor)
        return float(self.bonus * transition.success - np.log10(error))

    def of_each(self, transition: Transition) -> Array:
        """Return the rewards of several environments."""
        to = library_of(transition.energy)
        error = to.clip(abs(transition.energy - transition.reference_energy), self.floor, None)
        return self.bonus * to.cast(transition.success, "float64") - to.log10(error)


@dataclass(frozen=True)
class Qaser:
    """QASER with a corrected energy term: ``(D_max / (D + 1) + C_max / C) ** progress``, ``bonus`` on success.

    ``D`` is the depth and ``C`` the cost of the circuit's gates; ``D_max`` and ``C_max`` are those of an exhausted
    budget, not the largest seen so far, so that the reward of a circuit never changes. ``progress`` is the fraction of
    the distance from the first energy to the reference, between 0 and 1. The released exponent ``E / E_min`` depends on
    the unit and on the constant in the Hamiltonian.

    Attributes:
        two_qubit: Cost of a two-qubit gate.
        one_qubit: Cost of a one-qubit gate.
        bonus: The reward on success instead, 400 in the "tweaked" variant; ``None`` for the "untweaked" one.

    References:
        The published rule and its weights: QASER, released code (see docs/environments.md).
    """

    two_qubit: float = 5.0
    one_qubit: float = 1.0
    bonus: float | None = 400.0

    def __post_init__(self) -> None:
        _check_prices(self, positive=("two_qubit", "one_qubit"), optional=("bonus",))

    def __call__(self, transition: Transition) -> float:
        """See :class:`Reward`."""
        if transition.success and self.bonus is not None:
            return self.bonus
        way = transition.empty_energy - transition.reference_energy
        progress = (transition.empty_energy - transition.energy) / way if way > 0 else 0.0
        cost = self.two_qubit * transition.total_two_qubit_gates + self.one_qubit * transition.total_one_qubit_gates
        dearest = max(self.two_qubit, self.one_qubit) * transition.max_gates
        economy = transition.max_gates / (transition.depth + 1) + dearest / max(cost, self.one_qubit)
        return float(np.power(economy, min(1.0, max(0.0, progress))))

    def of_each(self, transition: Transition) -> Array:
        """Return the rewards of several environments."""
        to = library_of(transition.energy)
        way = transition.empty_energy - transition.reference_energy
        progress = (transition.empty_energy - transition.energy) / to.where(way > 0, way, 1.0)
        progress = to.clip(to.where(way > 0, progress, 0.0), 0.0, 1.0)
        totals = transition.total_two_qubit_gates, transition.total_one_qubit_gates, transition.depth
        pairs, singles, depth = (to.cast(one, "float64") for one in totals)
        cost = self.two_qubit * pairs + self.one_qubit * singles
        dearest = max(self.two_qubit, self.one_qubit) * transition.max_gates
        economy = transition.max_gates / (depth + 1) + dearest / to.clip(cost, self.one_qubit, None)
        reward = economy**progress
        return reward if self.bonus is None else to.where(transition.success, self.bonus, reward)


REWARDS: Final = {
    "crlqas": FixedEnds,
    "kanqas": Fidelity,
    "priced": PricedGates,
    "sparse": Sparse,
    "log_error": LogError,
    "qaser": Qaser,
}
