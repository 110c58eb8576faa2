"""Scouts: long circuits that are played before a search, of which the better ones are optimised further."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from qas_agents.searchers.blocks import FloatArray, Skeleton
from qas_simulators.errors import must

LENGTH: Final = 5.0  # blocks per qubit
_ITERATIONS: Final = 40  # after which the better scouts are chosen, if nothing else is given
_MORE: Final = 4  # times as many in every further round
_MOST: Final = 16  # of a further round


class Scout(Protocol):
    """A circuit that was played."""

    @property
    def skeleton(self) -> Skeleton:
        """Its blocks."""

    @property
    def params(self) -> FloatArray:
        """Its angles."""

    @property
    def success(self) -> bool:
        """Whether it is a solution."""


_Scout = TypeVar("_Scout", bound=Scout)
_Begin = tuple[Skeleton, FloatArray | None]
"""A skeleton and its angles; ``None`` for random ones."""


@dataclass(frozen=True)
class Scouting:
    """How scouts are played.

    Attributes:
        scouts: Circuits of the first round; 0 for none.
        iterations: L-BFGS iterations of all circuits, of the better quarter, of the better quarter of these, and more.
            The first solution ends them. Without any: 40, then ``last``, whatever is found. Up to 16 circuits are
            optimised together; those after the first solution are neither reported nor counted.
        rounds: Most rounds, each with four times as many circuits, up to 16; a solution ends them.
        repeats: How often the skeleton that is drawn is repeated in a circuit.
        last: See ``iterations``.

    Raises:
        ValueError: A number out of range.
    """

    scouts: int
    iterations: tuple[int, ...]
    rounds: int
    repeats: int
    last: int

    def __post_init__(self) -> None:
        if self.scouts < 0:
            raise ValueError(must("scouts", "not be negative", self.scouts))
        if any(number < 1 for number in self.iterations):
            raise ValueError(must("scout_iterations", "hold numbers of at least 1", [*self.iterations]))
        for name in ("rounds", "repeats"):
            if getattr(self, name) < 1:
                raise ValueError(must(f"scout_{name}", "be at least 1", getattr(self, name)))

    def best(
        self,
        drawn: Callable[[int], list[Skeleton]],
        played: Callable[[Sequence[_Begin], int], Iterator[_Scout]],
        size: Callable[[_Scout], float],
    ) -> _Scout | None:
        """Return the first solution, or else the best circuit of the last round; ``None`` if there is none.

        Args:
            drawn: Returns this number of legal skeletons.
            played: Optimises circuits by a number of iterations and yields them in order, fewer if the search must end.
            size: Size of a circuit's error.
        """
        best = None
        for number in range(self.rounds):
            scouts = min(max(self.scouts, _MOST), self.scouts * _MORE**number)
            best = self._round([(one, None) for one in drawn(scouts)], played, size)
            if best is None or best.success:
                break
        return best

    def _round(
        self,
        begins: Sequence[_Begin],
        played: Callable[[Sequence[_Begin], int], Iterator[_Scout]],
        size: Callable[[_Scout], float],
    ) -> _Scout | None:
        """Return the best circuit of all stages, or the first solution; ``None`` if the search must end."""
        best: list[_Scout] = []
        for iterations in self.iterations or (_ITERATIONS, self.last):
            found = []
            for one in played(begins, iterations):
                found.append(one)
                if one.success and self.iterations:
                    return one
            if len(found) < len(begins):
                return None
            best = sorted(found, key=size)[: max(1, len(found) // 4)]
            begins = [(one.skeleton, one.params) for one in best]
        return best[0] if best else None
