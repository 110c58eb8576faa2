"""Families of instances: an environment draws a member at every reset, and the observation identifies it.

Unlike a search, a learned policy can build a circuit for an unseen instance in one rollout.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final, get_type_hints

import numpy as np
from numpy.typing import NDArray

from qas_envs.components import chosen, is_number
from qas_envs.problems import Problem
from qas_simulators.errors import must, unknown_name

SPLITS: Final = ("train", "test")
Choice = tuple[float, float] | Sequence[float]
_KEPT: Final = 256  # members that are cached


class Family:
    """Instances of one problem function that differ in some of its arguments.

    Args:
        build: Returns the member with the given arguments.
        vary: Arguments that vary: names with ``{"train": ..., "test": ...}``, each a range ``(low, high)`` or a list
            of three or more values. Without splits, ``train`` and ``test`` are the same. Ranges of whole numbers, such
            as seeds, hold both ends.
        fixed: The other arguments.

    Raises:
        ValueError: An empty or unordered range, or an unknown split.

    Examples:
        >>> from qas_envs.problems import tfim
        >>> family = Family(tfim, {"field": {"train": (0.5, 1.5), "test": (1.5, 2.0)}}, {"num_qubits": 3})
        >>> family.at((1.0,)).name
        'TFIM (n=3, h=1)'
    """

    def __init__(
        self, build: Callable[..., Problem], vary: Mapping[str, Any], fixed: Mapping[str, Any] | None = None
    ) -> None:
        if not isinstance(vary, Mapping) or not vary:
            raise ValueError(must("vary", 'name at least one argument, such as {"field": (0.5, 1.5)}', vary))
        self.names = tuple(vary)
        self._choices = {name: _splits(name, choice) for name, choice in vary.items()}
        self._fixed = dict(fixed or {})
        self._build = build
        hints = get_type_hints(build)
        self._whole = frozenset(name for name in vary if hints.get(name) is int)
        self.at = lru_cache(_KEPT)(self._at)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "at"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.at = lru_cache(_KEPT)(self._at)

    def _at(self, context: tuple[float, ...]) -> Problem:
        return self._build(**self._fixed, **dict(zip(self.names, context, strict=True)))

    @property
    def low(self) -> NDArray[np.float32]:
        """Smallest values of the context, ``(num_names,)``."""
        return self._extremes(min)

    @property
    def high(self) -> NDArray[np.float32]:
        """Largest values of the context, ``(num_names,)``."""
        return self._extremes(max)

    def _extremes(self, which: Callable[..., float]) -> NDArray[np.float32]:
        both = [which(which(splits[split]) for split in SPLITS) for splits in self._choices.values()]
        return np.array(both, dtype=np.float32)

    def first(self) -> tuple[float, ...]:
        """Return the context of one member, the same every time."""
        return self.ends()[0]

    def ends(self) -> list[tuple[float, ...]]:
        """Return the members at both ends of the ranges and lists of the splits, the first one first."""
        return [
            tuple(
                int(splits[split][end]) if name in self._whole else float(splits[split][end])
                for name, splits in self._choices.items()
            )
            for split in SPLITS
            for end in (0, -1)
        ]

    def check(self, values: Mapping[str, float]) -> None:
        """Raise ``ValueError`` if a name does not vary, or a value lies outside the range of the observations."""
        for name, value in values.items():
            if name not in self.names:
                raise ValueError(unknown_name("number that varies", name, self.names))
            place = self.names.index(name)
            low, high = float(self.low[place]), float(self.high[place])
            if not is_number(value) or not low <= np.float32(value) <= high:
                raise ValueError(must(name, f"lie in [{low:g}, {high:g}], where `vary` has it", value))

    def draw(self, rng: np.random.Generator, options: Mapping[str, Any]) -> tuple[float, ...]:
        """Return the context of the next member.

        Args:
            rng: Source of randomness.
            options: ``split`` ("train" by default) and values of arguments that are not drawn.

        Raises:
            ValueError: Something else in ``options``, or a value outside all ranges.
        """
        for name in options:
            if name not in (*self.names, "split"):
                raise ValueError(unknown_name("reset option", name, [*self.names, "split"]))
        self.check({name: value for name, value in options.items() if name != "split"})
        split = chosen("split", options.get("split", "train"), SPLITS)
        context = []
        for name, splits in self._choices.items():
            choice = splits[split]
            if name in options:
                value = options[name]
            elif len(choice) > 2:
                value = choice[int(rng.integers(len(choice)))]
            elif name in self._whole:
                value = rng.integers(int(choice[0]), int(choice[1]), endpoint=True)
            else:
                value = rng.uniform(choice[0], choice[1])
            context.append(int(value) if name in self._whole else float(value))
        return tuple(context)


def _splits(name: str, choice: Any) -> dict[str, Sequence[float]]:
    """Return the choices of both splits."""
    splits = choice if isinstance(choice, Mapping) else dict.fromkeys(SPLITS, choice)
    for split in splits:
        chosen("split", split, SPLITS)
    if "train" not in splits:
        raise ValueError(must(f"vary[{name!r}]", "have a split 'train'", choice))
    return {split: _values(name, splits.get(split, splits["train"])) for split in SPLITS}


def _values(name: str, choice: Any) -> tuple[float, ...]:
    """Return a range or list of numbers."""
    values = tuple(choice) if isinstance(choice, Sequence | np.ndarray) else ()
    if not all(map(is_number, values)) or len(values) < 2 or (len(values) == 2 and not values[0] < values[1]):
        raise ValueError(must(f"vary[{name!r}]", "be (low, high) or a list of three or more values", choice))
    return values


def check_member(first: Problem, other: Problem) -> None:
    """Raise ``ValueError`` if an environment of one member cannot show the other."""
    if other.num_qubits != first.num_qubits or len(other.hamiltonian) != len(first.hamiltonian):
        raise ValueError(must("vary", "keep the qubits and the number of terms", other.name))
