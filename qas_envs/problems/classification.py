"""Classification of points in two classes by the sign of one qubit's mean after a circuit."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qas_envs.problems.linear_costs import MOST_QUBITS, linear_cost
from qas_envs.problems.problem import Problem
from qas_simulators import Circuit, PauliSum, StatevectorSimulator
from qas_simulators.checks import real_array
from qas_simulators.errors import must, unknown_name
from qas_simulators.preparation import Preparation

FloatArray = NDArray[np.float64]
_ACCURACY: Final = 1e-3
_CENTRES: Final[dict[str, dict[int, list[tuple[float, float]]]]] = {
    "blobs": {1: [(0.75, 0.75)], -1: [(-0.75, -0.75)]},
    "xor": {1: [(1.0, 1.0), (-1.0, -1.0)], -1: [(1.0, -1.0), (-1.0, 1.0)]},
}
_DEVIATION: Final = 0.5
DATA_SETS: Final = tuple(_CENTRES)
"""Names of data sets: two normal distributions, and four of which a straight line separates no two from the others."""


def classifier(
    kind: str = "blobs",
    num_qubits: int = 2,
    num_points: int = 80,
    seed: int = 0,
    points: ArrayLike | None = None,
    labels: ArrayLike | None = None,
) -> Problem:
    """Two classes of points: the energy is the mean of ``(1 - y <Z>) / 2`` over the points.

    A point x with label y = 1 or -1 is encoded by RY on every qubit, feature ``k mod (number of features)`` in radians
    on qubit k. Then the circuit acts, and ``<Z>`` is the mean of qubit 0, whose sign is the answer. At most twice the
    energy is the share of wrong answers, because each has a loss above 1/2. The loss is linear, so that only the
    difference of the classes' mean states counts, and the lowest energy over all unitaries follows from its
    eigenvalues. The published tasks of circuit search minimise the mean of ``(y - <Z>)**2``; see :func:`outputs`.

    Args:
        kind: ``"blobs"`` or ``"xor"``; see :func:`data_set`.
        num_qubits: 1 to 4.
        num_points: Size of the data set, at least 2.
        seed: Of the data set.
        points: Other points, ``(N, features)``, in place of ``kind``.
        labels: Their labels, 1 or -1, ``(N,)``.

    Raises:
        ValueError: An unknown kind, an impossible size, points without labels, or classes with equal mean states.

    Examples:
        >>> problem = classifier(num_qubits=1, points=[[0.0], [3.141592653589793]], labels=[1, -1])
        >>> round(problem.empty_energy, 9) + 0.0, round(problem.ground_energy, 9) + 0.0
        (0.0, 0.0)
    """
    if not 1 <= num_qubits <= MOST_QUBITS:
        raise ValueError(must("num_qubits", f"lie in 1..{MOST_QUBITS}", num_qubits))
    if (points is None) != (labels is None):
        raise ValueError(must("points and labels", "be given together", "one without the other"))
    if points is None or labels is None:
        data = data_set(kind, num_points, seed)
        name = f"classifier ({kind}, {num_qubits} qubits, {num_points} points, seed {seed})"
    else:
        data = _checked(points, labels)
        name = f"classifier ({num_qubits} qubits, {len(data[0])} points)"
    states = np.array([StatevectorSimulator().statevector(encoded(point, num_qubits)) for point in data[0]])
    difference = (states.T * data[1]) @ states.conj() / len(states)
    if not np.abs(difference).max() > 1e-12:
        raise ValueError(must("points", "have different mean states in both classes", "the same for both"))
    measured = PauliSum({"I" * (num_qubits - 1) + "Z": -0.5})
    return linear_cost(name, difference, measured, 0.5, _ACCURACY, "loss", provenance={"target": "labels"})


def data_set(kind: str = "blobs", num_points: int = 80, seed: int = 0) -> tuple[FloatArray, FloatArray]:
    """Return points ``(num_points, 2)`` and labels 1 and -1 by turns, ``(num_points,)``.

    ``"blobs"``: a normal distribution for each class, around (0.75, 0.75) and (-0.75, -0.75). ``"xor"``: two for each,
    around (1, 1) and (-1, -1), and around (1, -1) and (-1, 1). The deviation is 0.5 in each feature.

    Raises:
        ValueError: An unknown kind, or fewer than two points.

    Examples:
        >>> points, labels = data_set("xor", 4)
        >>> points.shape, labels.tolist()
        ((4, 2), [1.0, -1.0, 1.0, -1.0])
    """
    if kind not in _CENTRES:
        raise ValueError(unknown_name("kind", kind, DATA_SETS))
    if num_points < 2:
        raise ValueError(must("num_points", "be at least 2", num_points))
    rng = np.random.default_rng(seed)
    labels = np.where(np.arange(num_points) % 2 == 0, 1.0, -1.0)
    centres = [_CENTRES[kind][int(label)] for label in labels]
    chosen = np.array([own[k // 2 % len(own)] for k, own in enumerate(centres)])
    return chosen + _DEVIATION * rng.normal(size=(num_points, 2)), labels


def _checked(points: ArrayLike, labels: ArrayLike) -> tuple[FloatArray, FloatArray]:
    rows, signs = real_array("points", points), real_array("labels", labels)
    if rows.ndim != 2 or rows.shape[0] < 2 or rows.shape[1] < 1 or not np.isfinite(rows).all():
        raise ValueError(must("points", "be finite with shape (N, features), N at least 2", rows.shape))
    if signs.shape != (len(rows),) or not (np.abs(signs) == 1).all():
        raise ValueError(must("labels", f"be {len(rows)} numbers, 1 or -1", labels))
    return rows, signs


def encoded(point: ArrayLike, num_qubits: int) -> Circuit:
    """Return the circuit that encodes a point, RY on every qubit."""
    features = real_array("point", point)
    circuit = Circuit(num_qubits)
    for qubit in range(num_qubits):
        circuit.ry(float(features[qubit % len(features)]), qubit)
    return circuit


def outputs(circuit: Circuit, points: ArrayLike) -> FloatArray:
    """Return the mean ``<Z>`` of qubit 0 for each point, ``(N,)``; its sign is the class.

    Args:
        circuit: What acts on encoded points.
        points: ``(N, features)``.

    Examples:
        >>> outputs(Circuit(1), [[0.0], [3.141592653589793]]).round(9).tolist()
        [1.0, -1.0]
    """
    n = circuit.num_qubits
    observable, simulator = PauliSum({"I" * (n - 1) + "Z": 1.0}), StatevectorSimulator()
    begins = [Preparation(encoded(point, n), n) for point in real_array("points", points)]
    return np.array([simulator.expectation(circuit, observable.prepared(begin)) for begin in begins])
