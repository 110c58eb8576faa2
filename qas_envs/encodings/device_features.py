"""Features of a device for the graph of qubits: distances on its coupling map, error rates of gates and of readout."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qas_envs.encodings.noise import misread_probability, noise_by_place
from qas_simulators import NoiseModel

FloatArray = NDArray[np.float32]

QUBIT_DEVICE_FEATURES: Final = (
    "one_qubit_error",  # average gate infidelity, the mean over the one-qubit gates of actions; see `log_scaled`
    "relaxation",  # pull of these gates towards |0>: the length of the shift of the Bloch vector; see `log_scaled`
    "misread",  # probability that the qubit is misread, the mean over 0 and 1; see `log_scaled`
)
PAIR_DEVICE_FEATURES: Final = (
    "distance",  # gates on the shortest path of coupled pairs between the two qubits, less one, a third of it
    "two_qubit_error",  # average gate infidelity, the mean over the two-qubit gates of actions; see `log_scaled`
    "two_qubit_relaxation",  # as of a qubit
)
_DECADES: Final = 5.0


def log_scaled(rates: ArrayLike) -> FloatArray:
    """Return ``1 + log10(rate) / 5``, between 0 for rates of at most 1e-5 and 1.

    Examples:
        >>> log_scaled([0.0, 1e-5, 1e-3, 1e-2, 1.0]).round(3).tolist()
        [0.0, 0.0, 0.4000000059604645, 0.6000000238418579, 1.0]
    """
    values = np.clip(np.asarray(rates, dtype=np.float64), 10.0**-_DECADES, 1.0)
    result: FloatArray = (1.0 + np.log10(values) / _DECADES).astype(np.float32)
    return result


def device_features(
    noise: NoiseModel | None, operations: Sequence[Any], has_action: NDArray[np.bool_], num_qubits: int
) -> tuple[FloatArray, FloatArray]:
    """Return the features of qubits ``(num_qubits, 3)`` and of pairs ``(num_pairs, 3)``.

    All are 0 without noise and with gates on all pairs. A pair without a two-qubit gate has no error rate: its features
    are its distance, and 0.

    Args:
        noise: The noise model; ``None`` for none.
        operations: Gates of the actions, with the attributes ``gate`` and ``qubits``.
        has_action: Whether some gate acts on each pair, pairs in lexicographic order.
        num_qubits: Size of the register.
    """
    model = NoiseModel() if noise is None else noise
    matrices = noise_by_place(model, operations)
    pairs = [*combinations(range(num_qubits), 2)]
    one = np.array([_rates(matrices.get((qubit,), [])) for qubit in range(num_qubits)])
    two = np.array([_rates(matrices.get(pair, [])) for pair in pairs]).reshape(-1, 2)
    misread = [misread_probability(model, qubit, num_qubits) for qubit in range(num_qubits)]
    away = (distances(has_action, num_qubits) - 1.0) / 3.0
    of_qubits = np.stack([*log_scaled(one.T), log_scaled(misread)], axis=-1)
    of_pairs = np.stack([away.astype(np.float32), *log_scaled(two.T)], axis=-1)
    return of_qubits, of_pairs


def _rates(matrices: Sequence[NDArray[np.float64]]) -> tuple[float, float]:
    """Return the mean average gate infidelity of channels, and the mean length of what they add to the Bloch vector.

    The average gate infidelity is ``d / (d + 1)`` times the process infidelity, d = 2 or 4 (Nielsen,
    arXiv:quant-ph/0205035, equation 3).
    """
    if not matrices:
        return 0.0, 0.0
    size = len(matrices[0])
    dimension = np.sqrt(size)
    infidelity = np.mean([1.0 - np.trace(one) / size for one in matrices])
    shift = np.mean([np.linalg.norm(one[1:, 0]) for one in matrices])
    return float(infidelity * dimension / (dimension + 1.0)), float(shift)


def distances(has_action: NDArray[np.bool_], num_qubits: int) -> NDArray[np.float64]:
    """Return the number of gates on the shortest path between the qubits of each pair, ``(num_pairs,)``.

    Qubits without a path have the distance ``num_qubits``.
    """
    first, second = np.triu_indices(num_qubits, 1)
    steps = np.full((num_qubits, num_qubits), float(num_qubits))
    steps[first[has_action], second[has_action]] = 1.0
    steps = np.minimum(steps, steps.T)
    for middle in range(num_qubits):  # Floyd and Warshall
        steps = np.minimum(steps, steps[:, middle, None] + steps[None, middle])
    result: NDArray[np.float64] = np.minimum(steps, num_qubits)[first, second]
    return result
