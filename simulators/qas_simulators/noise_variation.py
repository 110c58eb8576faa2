"""Noise models in which every place has a multiple of its noise."""

from __future__ import annotations

import copy
from collections.abc import Mapping

from qas_simulators.noise import NoiseModel

Place = tuple[str, int, tuple[int, ...]]
"""What can vary on its own: ``"channel"`` or ``"readout"``, number of the rule, qubits in order."""


def places_of(noise: NoiseModel, num_qubits: int) -> list[Place]:
    """Return what can vary on its own in a register of this size."""
    of_gates = [("channel", *place) for place in noise._channels.places(num_qubits)]
    return of_gates + [("readout", *place) for place in noise._readout.places(num_qubits)]


def varied(noise: NoiseModel, factors: Mapping[Place, float], num_qubits: int) -> NoiseModel:
    """Return the model of a register of this size in which each place has a multiple of its noise.

    Args:
        noise: The model with the noise once.
        factors: By each of :func:`places_of`; see :meth:`Channel.scaled`. For thermal relaxation, a factor divides T1
            and T2.
        num_qubits: Size of the register.

    Raises:
        ValueError: A probability would exceed 1, or a power is not a channel.

    Examples:
        >>> noise = NoiseModel.depolarizing(p1=0.01)
        >>> factors = {place: 1.0 + place[2][0] for place in places_of(noise, 2)}
        >>> [round(float(1 - varied(noise, factors, 2).transfer_matrix("x", (q,))[3, 3]), 6) for q in (0, 1)]
        [0.01, 0.02]
    """
    twin = copy.copy(noise)
    of_kind: dict[str, dict[tuple[int, tuple[int, ...]], float]] = {"channel": {}, "readout": {}}
    for (kind, number, qubits), factor in factors.items():
        of_kind[kind][number, qubits] = factor
    try:
        twin._channels = noise._channels.varied(of_kind["channel"], num_qubits)
        twin._readout = noise._readout.varied(of_kind["readout"], num_qubits)
    except ValueError as error:
        raise ValueError(f"Noise cannot be varied. {error}") from None
    twin._restrictions = copy.deepcopy(noise._restrictions)
    return twin
