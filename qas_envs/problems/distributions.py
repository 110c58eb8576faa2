"""Loading of probability distributions: states whose amplitudes are square roots of probabilities."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qas_envs.problems.problem import Problem
from qas_envs.problems.states import state_preparation
from qas_simulators import Circuit
from qas_simulators.errors import must, unknown_name

FloatArray = NDArray[np.float64]


def _log_normal(values: FloatArray) -> FloatArray:
    """Log-normal with mu = sigma = 1; no mass at 0."""
    positive = np.maximum(values, 1e-300)
    return np.where(values > 0, np.exp(-0.5 * (np.log(positive) - 1.0) ** 2) / positive, 0.0)


def _triangular(values: FloatArray) -> FloatArray:
    """Rising from 0 to its mode at 2/7 of the interval, and falling to its end."""
    last = float(values[-1])
    mode = 2.0 * last / 7.0
    return np.minimum(values / mode, (last - values) / (last - mode))


def _bimodal(values: FloatArray) -> FloatArray:
    """Equal parts of two normal distributions, with means 0.5 and 3.5 and deviations 1 and 0.5."""
    return np.asarray(np.exp(-0.5 * (values - 0.5) ** 2) + 2.0 * np.exp(-0.5 * ((values - 3.5) / 0.5) ** 2))


DISTRIBUTIONS: Final[dict[str, Callable[[FloatArray], FloatArray]]] = {
    "log_normal": _log_normal,
    "triangular": _triangular,
    "bimodal": _bimodal,
}
"""Densities, not normalised. On three qubits they have the parameters of Zoufal et al. (arXiv:1904.00043)."""


def distribution(kind: str = "log_normal", num_qubits: int = 3, probabilities: ArrayLike | None = None) -> Problem:
    """A state that holds a probability distribution: the amplitude of ``|k>`` is the square root of the mass at ``k``.

    Args:
        kind: ``"log_normal"``, ``"triangular"`` or ``"bimodal"``: a density on the integers from 0 to
            ``2**num_qubits - 1``, normalised to a mass of 1.
        num_qubits: 2 to 10.
        probabilities: The masses, ``(2**num_qubits,)``, in place of ``kind``.

    Raises:
        ValueError: An unknown kind, an impossible size, or masses that are negative or do not add up to 1.

    Examples:
        >>> problem = distribution("bimodal")
        >>> problem.num_qubits, problem.ground_energy
        (3, 0.0)
    """
    if not 2 <= num_qubits <= 10:
        raise ValueError(must("num_qubits", "lie in 2..10", num_qubits))
    if probabilities is None:
        masses = masses_of(kind, num_qubits)
        return state_preparation(f"{kind} distribution ({num_qubits} qubits)", np.sqrt(masses))
    masses = np.asarray(probabilities, dtype=np.float64)
    if masses.shape != (1 << num_qubits,) or not (masses >= 0).all() or not abs(masses.sum() - 1.0) <= 1e-9:
        raise ValueError(must("probabilities", f"be {1 << num_qubits} masses that add up to 1", probabilities))
    return state_preparation(f"distribution ({num_qubits} qubits)", np.sqrt(masses))


def masses_of(kind: str, num_qubits: int) -> FloatArray:
    """Return the masses of a named distribution, ``(2**num_qubits,)``.

    Raises:
        ValueError: An unknown kind.
    """
    if kind not in DISTRIBUTIONS:
        raise ValueError(unknown_name("kind", kind, DISTRIBUTIONS))
    density = DISTRIBUTIONS[kind](np.arange(1 << num_qubits, dtype=np.float64))
    return np.asarray(density / density.sum())


def multiplexed_ry(probabilities: ArrayLike) -> Circuit:
    """Return the exact circuit for a distribution: uniformly controlled RY gates, ``2**n - 2`` CNOTs.

    The baseline that an agent must beat, by the construction of Mottonen et al. (quant-ph/0407010) with Gray codes.

    Args:
        probabilities: ``(2**n,)``, adding up to 1.
    """
    masses = np.asarray(probabilities, dtype=np.float64)
    num_qubits = len(masses).bit_length() - 1
    circuit = Circuit(num_qubits)
    for controls in range(num_qubits):  # from the most significant qubit to the least
        target = num_qubits - 1 - controls
        halves = masses.reshape(1 << controls, 2, -1).sum(axis=2)
        angles = 2.0 * np.arctan2(np.sqrt(halves[:, 1]), np.sqrt(halves[:, 0]))
        append_multiplexed(circuit, "ry", target, angles)
    return circuit


def append_multiplexed(circuit: Circuit, gate: str, target: int, angles: FloatArray) -> None:
    """Append a rotation whose angle depends on the qubits above it: rotations and CX in the order of a Gray code.

    Args:
        circuit: Is extended.
        gate: ``"ry"`` or ``"rz"``.
        target: Its qubit; the controls are the next ones, the first of them the least significant bit.
        angles: In radians, for each basis state of the controls, ``(2**controls,)``.
    """
    size = len(angles)
    codes = np.arange(size) ^ (np.arange(size) >> 1)
    signs = 1.0 - 2.0 * (np.bitwise_count(codes[:, None] & np.arange(size)[None, :]) % 2)
    for step, angle in enumerate((signs @ angles / size).tolist()):
        circuit.append(gate, (target,), angle)
        if size > 1:
            flipped = int(codes[step] ^ codes[(step + 1) % size]).bit_length() - 1
            circuit.cx(target + 1 + flipped, target)
