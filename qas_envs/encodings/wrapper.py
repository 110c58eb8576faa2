"""EncoderWrapper: the base of encodings that append something to another one."""

from __future__ import annotations

import copy
from typing import Self

from qas_envs.copies import copy_of
from qas_envs.encodings.encoding import Encoder
from qas_envs.problems import Problem
from qas_simulators import NoiseModel


class EncoderWrapper:
    """Another encoder, which gets every gate; a subclass has the space and the observations.

    Args:
        encoder: The other encoder.
    """

    def __init__(self, encoder: Encoder) -> None:
        self._encoder = encoder

    @property
    def shows_device(self) -> bool:
        """Whether the other encoder shows the device; see :class:`Encoder`."""
        return bool(getattr(self._encoder, "shows_device", False))

    def see_noise(self, problem: Problem, noise: NoiseModel | None) -> None:
        """See :class:`Encoder`."""
        self._encoder.see_noise(problem, noise)  # type: ignore[attr-defined]

    def reset(self, problem: Problem) -> None:
        """See :class:`Encoder`."""
        self._encoder.reset(problem)

    def copy(self) -> Self:
        """See :class:`Encoder`."""
        twin = copy.copy(self)
        twin._encoder = copy_of(self._encoder)
        return twin

    def begin(self, action: int) -> None:
        """See :class:`Encoder`."""
        self._encoder.begin(action)

    def append(self, operation: int) -> None:
        """See :class:`Encoder`."""
        self._encoder.append(operation)
