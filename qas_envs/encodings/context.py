"""The context of a family, appended to another encoding."""

from __future__ import annotations

import numpy as np
from gymnasium import spaces

from qas_envs.encodings.encoding import Encoder, Observation, View
from qas_envs.encodings.wrapper import EncoderWrapper
from qas_envs.families import Family
from qas_simulators.errors import must


class ContextEncoder(EncoderWrapper):
    """Another encoder's vector with the context of a family appended."""

    def __init__(self, encoder: Encoder, family: Family) -> None:
        inner = encoder.space
        if not isinstance(inner, spaces.Box):
            raise ValueError(must("encoding", "give vectors where instances vary, to append the context", inner))
        super().__init__(encoder)
        bounds = np.concatenate([inner.low, family.low]), np.concatenate([inner.high, family.high])
        self.space: spaces.Space[Observation] = spaces.Box(*bounds, dtype=np.float32)

    def observe(self, view: View) -> Observation:
        """See :class:`Encoder`."""
        return np.concatenate([self._encoder.observe(view), np.array(view.context, dtype=np.float32)])
