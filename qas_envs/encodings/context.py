"""The context of a family, appended to another encoding."""

from __future__ import annotations

import copy

import numpy as np
from gymnasium import spaces

from qas_envs.copies import copy_of
from qas_envs.encodings.encoding import Encoder, Observation, View
from qas_envs.families import Family
from qas_envs.problems import Problem
from qas_simulators.errors import must


class ContextEncoder:
    """Another encoder's vector with the context of a family appended."""

    def __init__(self, encoder: Encoder, family: Family) -> None:
        inner = encoder.space
        if not isinstance(inner, spaces.Box):
            raise ValueError(must("encoding", "give vectors where instances vary, to append the context", inner))
        self._encoder = encoder
        bounds = np.concatenate([inner.low, family.low]), np.concatenate([inner.high, family.high])
        self.space: spaces.Space[Observation] = spaces.Box(*bounds, dtype=np.float32)

    def reset(self, problem: Problem) -> None:
        """See :class:`Encoder`."""
        self._encoder.reset(problem)

    def copy(self) -> ContextEncoder:
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

    def observe(self, view: View) -> Observation:
        """See :class:`Encoder`."""
        return np.concatenate([self._encoder.observe(view), np.array(view.context, dtype=np.float32)])
