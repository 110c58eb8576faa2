"""The present noise, appended to another encoding."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from qas_envs.encodings.encoding import Encoder, Observation, View
from qas_envs.encodings.wrapper import EncoderWrapper
from qas_simulators import NoiseModel, PauliSum
from qas_simulators.errors import must


def noise_features(noise: NoiseModel, operations: Sequence[Any], num_qubits: int) -> NDArray[np.float32]:
    """Return the square roots of error rates, so that small rates can be distinguished.

    First the process infidelity of gates on each qubit, or pair of qubits, on which operations act, in ascending order:
    the mean over the gates there that the model allows, 1 where it allows none. Then the probability that each qubit is
    misread, the mean over both outcomes.

    Args:
        noise: The noise model.
        operations: Gates with the attributes ``gate`` and ``qubits``.
        num_qubits: Size of the register.

    Returns:
        Numbers in [0, 1], ``(num_places + num_qubits,)``.
    """
    matrices = noise_by_place(noise, operations)
    ordered = [
        float(np.mean([1 - np.trace(one) / len(one) for one in matrices[place]])) if matrices[place] else 1.0
        for place in sorted(matrices, key=lambda p: (len(p), p))
    ]
    misread = [misread_probability(noise, qubit, num_qubits) for qubit in range(num_qubits)]
    features: NDArray[np.float32] = np.sqrt(np.clip([*ordered, *misread], 0.0, 1.0)).astype(np.float32)
    return features


def noise_by_place(noise: NoiseModel, operations: Sequence[Any]) -> dict[tuple[int, ...], list[NDArray[np.float64]]]:
    """Return the Pauli transfer matrices of the noise of all gates that the model allows, by their qubits.

    Args:
        noise: The noise model.
        operations: Gates with the attributes ``gate`` and ``qubits``.

    Returns:
        By qubits in ascending order; an empty list where operations act but the model allows none of them.
    """
    found: dict[tuple[int, ...], list[NDArray[np.float64]]] = {}
    for operation in operations:
        own = found.setdefault(tuple(sorted(operation.qubits)), [])
        if noise.reason_against(operation.gate, operation.qubits) is None:
            own.append(noise.transfer_matrix(operation.gate, operation.qubits))
    return found


def misread_probability(noise: NoiseModel, qubit: int, num_qubits: int) -> float:
    """Return the probability that a qubit is misread, the mean over 0 and 1."""
    letters = "".join("Z" if other == qubit else "I" for other in reversed(range(num_qubits)))
    seen = noise.measured(PauliSum({letters: 1.0}))
    scale = sum(c for z, c in zip(seen.z.tolist(), seen.coefficients.tolist(), strict=True) if z == 1 << qubit)
    return (1 - float(scale)) / 2


class NoiseEncoder(EncoderWrapper):
    """Another encoder's observation with :func:`noise_features` of the present noise.

    They are appended to a vector; a dictionary gets the key ``"noise"``.

    Args:
        encoder: The other encoder.
        operations: Gates of the actions.
        num_qubits: Size of the register.

    Raises:
        ValueError: Observations of another kind.
    """

    def __init__(self, encoder: Encoder, operations: Sequence[Any], num_qubits: int) -> None:
        super().__init__(encoder)
        self._operations, self._num_qubits = operations, num_qubits
        self._seen: tuple[NoiseModel | None, NDArray[np.float32]] = None, np.empty(0, dtype=np.float32)
        size = len(noise_features(NoiseModel(), operations, num_qubits))
        inner, own = encoder.space, spaces.Box(0.0, 1.0, (size,), np.float32)
        if isinstance(inner, spaces.Box):
            bounds = np.concatenate([inner.low, own.low]), np.concatenate([inner.high, own.high])
            self.space: spaces.Space[Observation] = spaces.Box(*bounds, dtype=np.float32)
        elif isinstance(inner, spaces.Dict):
            self.space = spaces.Dict({**inner.spaces, "noise": own})
        else:
            raise ValueError(must("encoding", "give vectors or dictionaries where the noise is shown", inner))

    @property
    def shows_instance(self) -> bool:
        """Whether the other encoder shows the instance."""
        return bool(getattr(self._encoder, "shows_instance", False))

    def observe(self, view: View) -> Observation:
        """See :class:`Encoder`."""
        noise: NoiseModel = view.simulator.noise  # type: ignore[attr-defined]
        if self._seen[0] is not noise:
            self._seen = noise, noise_features(noise, self._operations, self._num_qubits)
        observation, features = self._encoder.observe(view), self._seen[1]
        if isinstance(observation, dict):
            return {**observation, "noise": features.copy()}
        return np.concatenate([observation, features])
