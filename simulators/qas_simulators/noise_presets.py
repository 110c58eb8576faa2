"""Named noise models with their settings, as functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from qas_simulators.channels import depolarizing
from qas_simulators.noise import TWO_QUBIT_GATES, NoiseModel


def kanqas(p_bit_flip: float = 0.3, p_depolarizing: float = 0.2) -> NoiseModel:
    """Bit flips after one-qubit gates, two-qubit depolarising after CX: arXiv:2406.17630, the released setting."""
    return NoiseModel.bit_flip(p_bit_flip).add(depolarizing(p_depolarizing, 2), ["cx"])


def product_depolarizing(p1: float = 1e-3, p2: float = 5e-3) -> NoiseModel:
    """``p1`` after one-qubit gates, ``p2`` on each qubit of a two-qubit gate: arXiv:2402.03500, "0p001_0p005"."""
    return NoiseModel.depolarizing(p1=p1).add(depolarizing(p2), TWO_QUBIT_GATES)


def none() -> NoiseModel:
    """No noise."""
    return NoiseModel()


NOISE_MODELS: Final[dict[str, Callable[..., NoiseModel]]] = {
    "none": none,
    "depolarizing": NoiseModel.depolarizing,
    "product_depolarizing": product_depolarizing,
    "bit_flip": NoiseModel.bit_flip,
    "kanqas": kanqas,
}
