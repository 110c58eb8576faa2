"""Noise that drifts: the noise model of an environment changes between episodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from qas_envs.catalogue import ActionCatalogue
from qas_envs.components import Rule, is_number, is_whole, of_kinds
from qas_envs.couplings import Pairs, couplings_of, require_connected
from qas_envs.devices import noise_of
from qas_envs.masks import Mask, RestrictedMask
from qas_simulators import Circuit, NoiseModel, Simulator
from qas_simulators.errors import must
from qas_simulators.noise_presets import NOISE_MODELS
from qas_simulators.noise_variation import places_of, varied

_MODEL: Final = Rule("", None, noise_of, NOISE_MODELS, kind="noise", makes=of_kinds(NoiseModel), name="models")
_MOST_STEPS: Final = 10_000


@dataclass(frozen=True)
class NoiseDrift:
    """Noise models that follow each other.

    Attributes:
        models: The noise models in their order: objects, names or mappings ``{"name": ..., settings}``; the
            calibrations of a device on successive days are such a list.
        every: Episodes with each model; ``None`` to change the model by ``reset(options={"noise": number})`` only.
        shown: Whether observations show the present noise.
        cycle: Whether the first model follows the last one; otherwise the last one stays.

    Raises:
        ValueError: No models, or models without any noise.

    Examples:
        >>> from qas_envs import make_env
        >>> models = [NoiseModel.depolarizing(p2=p) for p in (0.01, 0.02)]
        >>> env = make_env("bell", drift=NoiseDrift(models, every=1), gates="clifford", optimizer="none")
        >>> [int(env.reset(seed=seed)[1]["noise"]) for seed in (0, None, None)]
        [0, 1, 1]
    """

    models: Sequence[NoiseModel]
    every: int | None = 100
    shown: bool = False
    cycle: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.models, str | Mapping) or not isinstance(self.models, Sequence) or not len(self.models):
            raise ValueError(must("models", "be a list of noise models", self.models))
        models = tuple(_MODEL.resolve(model) for model in self.models)
        for model in models:
            if not isinstance(model, NoiseModel):
                raise ValueError(must("models", "be noise models of this library", model))
        if all(model.is_noiseless and not model.is_restricted for model in models):
            raise ValueError(must("models", "have noise", f"{len(models)} without noise"))
        if self.every is not None and not is_whole(self.every, 1):
            raise ValueError(must("every", "be an integer of at least 1, or None", self.every))
        for name in ("shown", "cycle"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(must(name, "be True or False", getattr(self, name)))
        object.__setattr__(self, "models", models)

    @property
    def noisiest(self) -> NoiseModel:
        """A model with noise or restrictions, by which a simulator is chosen."""
        return max(self.models, key=lambda model: (not model.is_noiseless, model.is_restricted))

    def couplings(self) -> Pairs | None:
        """Return the pairs of qubits that some model couples; ``None`` for all."""
        found: set[tuple[int, int]] = set()
        for model in self.models:
            if model.couplings is None:
                return None
            found |= model.couplings
        return frozenset(found)

    def check(self, catalogue: ActionCatalogue, initial: Circuit) -> None:
        """Raise ``ValueError`` unless each model allows the initial circuit, and some model each of the actions."""
        for model in self.models:
            model.check(initial.table, initial.num_qubits)
            if model.couplings is not None:
                require_connected(model.couplings, catalogue.num_qubits)
        never = ~np.any([allowed_actions(model, catalogue) for model in self.models], axis=0)
        if never.any():
            action = catalogue.actions[int(never.argmax())]
            raise ValueError(must("drift", "allow every action in some model", f"refusing {action}"))


def sequence(
    noise: NoiseModel | None,
    num_qubits: int,
    couplings: Pairs | None,
    models: Sequence[Any],
    every: int | None = 100,
    shown: bool = False,
    cycle: bool = False,
) -> NoiseDrift:
    """Noise models from a list, in their order.

    Raises:
        ValueError: The environment has another noise model too.
    """
    if noise is not None and not noise.is_noiseless:
        raise ValueError(must("noise", "be None where `drift` lists the noise models", noise))
    return NoiseDrift(models, every, shown, cycle)


def walk(
    noise: NoiseModel | None,
    num_qubits: int,
    couplings: Pairs | None,
    steps: int = 20,
    seed: int = 0,
    size: float = 0.2,
    bound: float = 4.0,
    dropout: float = 0.0,
    recovery: float = 0.5,
    every: int | None = 100,
    shown: bool = False,
    cycle: bool = False,
) -> NoiseDrift:
    """A random walk of all error rates that begins with the environment's noise model.

    The noise after the gates on each qubit and on each pair, and the readout error of each qubit, is multiplied by a
    factor of its own. The logarithms of the factors are random walks with normal steps. For thermal relaxation a factor
    divides T1 and T2.

    Args:
        noise: The first model.
        num_qubits: Size of the register.
        couplings: Pairs of the environment; ``None`` for all.
        steps: Number of models.
        seed: Decides the whole walk.
        size: Standard deviation of a step of the logarithm.
        bound: Factors stay between ``1 / bound`` and ``bound``; steps beyond are reflected.
        dropout: Probability per step that a coupling drops out. One that is needed to connect all qubits stays.
        recovery: Probability per step that a coupling that dropped out comes back.
        every: As in :class:`NoiseDrift`.
        shown: As in :class:`NoiseDrift`.
        cycle: As in :class:`NoiseDrift`.

    Raises:
        ValueError: No noise to begin with, a setting out of range, or an error probability that would exceed 1.
    """
    _check_walk(noise, steps, seed, size, bound, {"dropout": dropout, "recovery": recovery})
    assert noise is not None
    rng, places = np.random.default_rng(seed), places_of(noise, num_qubits)
    pairs = _pairs(noise.couplings if couplings is None else couplings, num_qubits)
    logs, lost, models = np.zeros(len(places)), frozenset[tuple[int, int]](), [noise]
    for _ in range(steps - 1):
        logs = _reflected(logs + rng.normal(0.0, size, len(places)), np.log(bound))
        model = varied(noise, dict(zip(places, np.exp(logs).tolist(), strict=True)), num_qubits)
        if dropout > 0:
            lost = _after_dropouts(pairs, lost, rng.random(len(pairs)), (dropout, recovery), num_qubits)
            left = [pair for pair in pairs if pair not in lost]
            both_ways = frozenset(left) | frozenset(pair[::-1] for pair in left)
            model.couplings = both_ways if noise.couplings is None else both_ways & noise.couplings
        models.append(model)
    return NoiseDrift(models, every, shown, cycle)


def _check_walk(
    noise: NoiseModel | None, steps: int, seed: int, size: float, bound: float, shares: Mapping[str, float]
) -> None:
    """Raise ``ValueError`` for settings out of range; see :func:`walk`."""
    if noise is None or noise.is_noiseless:
        raise ValueError(must("noise", "be the noise model with which the walk begins", noise))
    if not is_whole(steps, 1, _MOST_STEPS):
        raise ValueError(must("steps", f"be an integer from 1 to {_MOST_STEPS}", steps))
    if not is_whole(seed, 0):
        raise ValueError(must("seed", "be an integer of at least 0", seed))
    if not is_number(size) or not size >= 0:
        raise ValueError(must("size", "be a number of at least 0", size))
    if not is_number(bound) or not bound >= 1:
        raise ValueError(must("bound", "be a number of at least 1", bound))
    for name, value in shares.items():
        if not is_number(value) or not 0 <= value <= 1:
            raise ValueError(must(name, "lie in [0, 1]", value))


def _pairs(couplings: Pairs | None, num_qubits: int) -> list[tuple[int, int]]:
    """Return the pairs of qubits, in ascending order, that are coupled in some direction."""
    every = [*combinations(range(num_qubits), 2)]
    return every if couplings is None else [pair for pair in every if pair in couplings or pair[::-1] in couplings]


def _reflected(values: NDArray[np.float64], bound: float) -> NDArray[np.float64]:
    """Return values reflected at both ends of ``[-bound, bound]`` until they lie inside."""
    if bound == 0:
        return np.zeros_like(values)
    folded: NDArray[np.float64] = np.abs((values - bound) % (4 * bound) - 2 * bound) - bound
    return folded


def _after_dropouts(
    pairs: Sequence[tuple[int, int]],
    lost: frozenset[tuple[int, int]],
    drawn: NDArray[np.float64],
    chances: tuple[float, float],
    num_qubits: int,
) -> frozenset[tuple[int, int]]:
    """Return which pairs are lost one step later; some of the qubits are never cut off from the others."""
    dropout, recovery = chances
    found = {pair for pair, value in zip(pairs, drawn, strict=True) if pair in lost and value >= recovery}
    for pair, value in zip(pairs, drawn, strict=True):
        if pair in lost or value >= dropout:
            continue
        left = [other for other in pairs if other not in found and other != pair]
        if _connects(left, num_qubits):
            found.add(pair)
    return frozenset(found)


def _connects(pairs: Sequence[tuple[int, int]], num_qubits: int) -> bool:
    try:
        require_connected(pairs, num_qubits)
    except ValueError:
        return False
    return True


DRIFTS: Final[dict[str, Callable[..., NoiseDrift]]] = {"sequence": sequence, "walk": walk}
"""Drifts by name: functions of the noise, the register and their settings."""


def drift_of(
    rule: NoiseDrift | Callable[..., NoiseDrift] | None,
    noise: NoiseModel | None,
    couplings: Pairs | Callable[[int], Pairs | None] | None,
    num_qubits: int,
) -> NoiseDrift | None:
    """Return the drift of an environment, given its resolved rules.

    Raises:
        ValueError: The noise is given twice, or the drift does not fit it.
    """
    if isinstance(rule, NoiseDrift):
        return sequence(noise, num_qubits, None, rule.models, rule.every, rule.shown, rule.cycle)
    return (
        None
        if rule is None
        else rule(noise=noise, num_qubits=num_qubits, couplings=couplings_of(couplings, num_qubits))
    )


def allowed_actions(noise: NoiseModel, catalogue: ActionCatalogue) -> NDArray[np.bool_]:
    """Return which actions consist of gates that a noise model allows, ``(num_actions,)``; a stop is always allowed."""
    allowed = [noise.reason_against(operation.gate, operation.qubits) is None for operation in catalogue.operations]
    actions = [all(allowed[part] for part in parts) for parts in catalogue.parts]
    return np.array(actions + [True] * (len(catalogue) - len(actions)))


class PresentNoise:
    """Which noise model of a drift an environment has.

    Args:
        drift: The models.
        catalogue: The actions of the environment.

    Attributes:
        number: Of the model, from 0.
        episodes: Episodes that began with it.
        allowed: Actions that it allows, ``(num_actions,)``; changed in place.
    """

    def __init__(self, drift: NoiseDrift, catalogue: ActionCatalogue) -> None:
        self.drift, self.number, self.episodes = drift, 0, 0
        self._allowed = np.array([allowed_actions(model, catalogue) for model in drift.models])
        self.allowed = self._allowed[0].copy()
        self._simulators: dict[int, Simulator] = {}

    @property
    def model(self) -> NoiseModel:
        """The present noise model."""
        return self.drift.models[self.number]

    def restricted(self, mask: Mask) -> Mask:
        """Return a mask that forbids what the present model refuses; the mask itself if no model refuses anything."""
        return mask if self._allowed.all() else RestrictedMask(mask, self.allowed)

    def begin_episode(self, is_new: bool, number: Any = None) -> None:
        """Count an episode, and change the model if it is time.

        Args:
            is_new: Whether the drift starts again.
            number: Of the model of this episode; ``None`` for what the schedule says.

        Raises:
            ValueError: There is no such model.
        """
        last = len(self.drift.models) - 1
        if number is not None:
            if not is_whole(number, 0, last):
                raise ValueError(must("noise", f"be the number of a noise model in 0..{last}", number))
            self.restore((int(number), 1))
        elif is_new:
            self.restore((0, 1))
        elif self.drift.every is None or self.episodes < self.drift.every:
            self.episodes += 1
        elif self.number < last or self.drift.cycle:
            self.restore(((self.number + 1) % (last + 1), 1))

    def state(self) -> tuple[int, int]:
        """Return what :meth:`restore` needs."""
        return self.number, self.episodes

    def restore(self, state: tuple[int, int]) -> None:
        """Return to a state."""
        self.number, self.episodes = state
        self.allowed[:] = self._allowed[self.number]

    def simulator(self, before: Simulator) -> Simulator:
        """Return the simulator of the present model; it continues the random generator and the count of shots."""
        if self.number not in self._simulators:
            self._simulators[self.number] = before.with_noise(self.drift.models[self.number])  # type: ignore[attr-defined]
        found = self._simulators[self.number]
        found.rng, found.shots, found.shots_used = before.rng, before.shots, before.shots_used
        return found
