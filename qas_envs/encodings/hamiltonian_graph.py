"""The Hamiltonian and the circuit as numbers of qubits and of pairs of qubits: the same features for every size."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from qas_envs.catalogue import ActionCatalogue
from qas_envs.encodings.device_features import PAIR_DEVICE_FEATURES, QUBIT_DEVICE_FEATURES, device_features
from qas_envs.encodings.encoding import Encoder, Encoders, Observation, Range, View, Views
from qas_envs.problems import Problem
from qas_simulators import NoiseModel
from qas_simulators.arrays import NUMPY, Array, ArrayLibrary
from qas_simulators.errors import unknown_name

FloatArray = NDArray[np.float32]

QUBIT_FEATURES: Final = (
    *("z", "x", "y"),  # coefficient of the one-qubit term, over the largest coefficient of all terms
    *("relative_z", "relative_x", "relative_y"),  # the same, over the largest one-qubit coefficient of this letter
    "strength",  # sum of |coefficients| of the terms on the qubit, over that of the qubit with the largest sum
    "count",  # a quarter of the number of two-qubit gates on the qubit
    "recency",  # exp(-k / 3), k two-qubit gates after the last one on the qubit; 0 before the first
    "is_latest",  # whether the last two-qubit gate acts on the qubit
)
_STATIC: Final = ("zz", "xx", "yy", "mixed", "diagonal", "flips", "flip_sign")
PAIR_FEATURES: Final = (
    *_STATIC,  # sums over the terms on the pair, over the largest coefficient of all terms; see below
    *(f"relative_{name}" for name in _STATIC),  # the same sums, over the largest one of any pair
    "has_action",  # whether some action has a two-qubit gate on the pair
    "count",  # half of the number of two-qubit gates on the pair
    "recency",  # as of a qubit
    "is_last_of_both",  # whether the last two-qubit gate on either qubit is one on this pair
)
CIRCUIT_FEATURES: Final = (
    "progress",  # two-qubit gates over the length
    "remaining",  # two-qubit gates until the length, over three times the number of qubits
    "length",  # the length over three times the number of qubits
    "inverse_size",  # 4 / number of qubits
    "interacting",  # share of pairs on which some term acts
    "is_spin_model",
    "is_molecule",
    "is_other",
)
DEVICE: Final = ("hidden", "couplings", "full")
"""What is shown of the device."""
_NAMES: Final = ("qubits", "pairs", "circuit")
_MEMORY: Final = 3.0  # two-qubit gates in which a recency falls by a factor e


@dataclass(frozen=True)
class HamiltonianGraphEncoding:
    """The Hamiltonian and the circuit so far as a graph of qubits: one row per qubit, one row per pair.

    The rows have the same features for every number of qubits, and permuting the qubits permutes the rows, so that a
    policy can be trained on small instances and play large ones. The observation is a dictionary:

    - ``"qubits"``, ``(num_qubits, 10)``, see :data:`QUBIT_FEATURES`;
    - ``"pairs"``, ``(num_pairs, 18)``, see :data:`PAIR_FEATURES`, pairs ``i < j`` in lexicographic order;
    - ``"circuit"``, ``(8,)``, see :data:`CIRCUIT_FEATURES`.

    Terms on two qubits count by their letters, with their signs: ``zz``, ``xx``, ``yy``, and ``mixed`` for the sizes of
    all others. Terms on more qubits count for each of their pairs with their sizes: ``diagonal`` if both letters are Z,
    ``flips`` if both are X or Y, ``flip_sign`` otherwise.

    One-qubit gates are not shown: the encoding is made for blocks, whose one-qubit gates follow from the pair. The
    length is the gate budget over the number of gates of the largest action.

    Attributes:
        device: What is shown of the device, one of :data:`DEVICE`. ``"couplings"``: the pairs that have an action.
            ``"full"``: also distances on the coupling map and error rates, as further columns
            :data:`QUBIT_DEVICE_FEATURES` and :data:`PAIR_DEVICE_FEATURES`. ``"hidden"``: nothing; every pair is shown
            as if it had an action, and only the mask shows which has one. Of noise that drifts, ``"full"`` shows the
            present model if the drift is shown, couplings that have dropped out as pairs without an action; else it
            shows a device without noise, on which every coupling of the drift is present.

    Raises:
        ValueError: Another ``device``.
    """

    device: str = "couplings"

    def __post_init__(self) -> None:
        if self.device not in DEVICE:
            raise ValueError(unknown_name("device", self.device, DEVICE))

    def bind(self, problem: Problem, catalogue: ActionCatalogue, max_gates: int, energies: Range) -> Encoder:
        """See :class:`Encoding`."""
        return HamiltonianGraphEncoder(problem, catalogue, max_gates, self.device)


class CircuitGraphs:
    """The features of several circuits on the same qubits, updated together gate by gate.

    Args:
        fixed: Features of the Hamiltonian: of qubits ``(num_qubits, 7)``, of pairs ``(num_pairs, 15)`` and of the
            problem ``(5,)``.
        size: Number of circuits.
        length: Number of two-qubit gates at which the circuits are to end.
        library: Of the arrays.
        device: Features of the device, of qubits ``(num_qubits, .)`` and of pairs ``(num_pairs, .)``, shown last.
    """

    def __init__(
        self,
        fixed: tuple[FloatArray, FloatArray, FloatArray],
        size: int,
        length: int,
        library: ArrayLibrary = NUMPY,
        device: tuple[FloatArray, FloatArray] | None = None,
    ) -> None:
        self._library, self.length = library, length
        self._fixed = [library.constant(features) for features in fixed]
        self._device = [None, None] if device is None else [library.constant(features) for features in device]
        num_qubits = len(fixed[0])
        ends = np.array([*combinations(range(num_qubits), 2)], dtype=np.int64).reshape(-1, 2)
        self._ends = library.constant(ends)  # (pairs, 2)
        self._counts = library.zeros((size, num_qubits), "float64")
        self._last = library.zeros((size, num_qubits), "int64") - 1  # number of the last gate on each qubit
        self._pair_counts = library.zeros((size, len(ends)), "float64")
        self._pair_last = library.zeros((size, len(ends)), "int64") - 1
        self.used = library.zeros(size, "int64")  # two-qubit gates so far, (size,)

    def copy(self) -> CircuitGraphs:
        """Return an independent copy."""
        twin = copy.copy(self)
        for name in ("_counts", "_last", "_pair_counts", "_pair_last", "used"):
            setattr(twin, name, self._library.copy(getattr(self, name)))
        return twin

    def reset(self, rows: Array | None = None) -> None:
        """Start again with empty circuits, in all rows or in some."""
        own: Any = slice(None) if rows is None else rows
        self._counts[own], self._pair_counts[own], self.used[own] = 0, 0, 0
        self._last[own], self._pair_last[own] = -1, -1

    def append(self, pairs: Array, rows: Array | None = None) -> None:
        """Note a two-qubit gate of every circuit, or of some: the numbers of their pairs, -1 for none."""
        acts = self._library.nonzero(pairs >= 0)
        chosen = pairs[acts]
        rows = acts if rows is None else rows[acts]
        for end in self._ends[chosen].T:
            self._counts[rows, end] += 1
            self._last[rows, end] = self.used[rows]
        self._pair_counts[rows, chosen] += 1
        self._pair_last[rows, chosen] = self.used[rows]
        self.used[rows] += 1

    def observe(self) -> dict[str, Array]:
        """Return the features of all circuits; the arrays of an observation with a leading axis ``size``."""
        (qubits, pairs, problem), to = self._fixed, self._library
        latest = self.used[:, None] - 1
        first, second = (self._last[:, end] for end in self._ends.T)
        is_last = (self._pair_last >= 0) & (self._pair_last == first) & (self._pair_last == second)
        of_qubits = [
            self._counts / 4,
            self._recency(self._last, latest),
            (self._last == latest) & (self._last >= 0),
        ]
        of_pairs = [self._pair_counts / 2, self._recency(self._pair_last, latest), is_last]
        used, usual = to.cast(self.used, "float64"), 3.0 * len(qubits)
        of_circuit = to.zeros((len(used), len(CIRCUIT_FEATURES)), "float32")
        of_circuit[:, 0] = to.cast(used / self.length, "float32")
        of_circuit[:, 1] = to.cast(to.clip(self.length - used, 0, None) / usual, "float32")
        of_circuit[:, 2] = self.length / usual
        of_circuit[:, 3:] = problem
        return {
            "qubits": self._joined(qubits, of_qubits, self._device[0]),
            "pairs": self._joined(pairs, of_pairs, self._device[1]),
            "circuit": of_circuit,
        }

    def _recency(self, last: Array, latest: Array) -> Array:
        to = self._library
        return to.where(last >= 0, to.exp(to.cast(last - latest, "float64") / _MEMORY), 0.0)

    def _joined(self, fixed: Array, columns: list[Array], device: Array | None) -> Array:
        """Return fixed features ``(rows, k)``, columns ``(size, rows)``, and features of the device ``(rows, l)``."""
        size, first = len(columns[0]), fixed.shape[1]
        last = first + len(columns)
        width = last + (0 if device is None else device.shape[1])
        result = self._library.zeros((size, len(fixed), width), "float32")
        result[..., :first] = fixed
        for number, column in enumerate(columns):
            result[..., first + number] = self._library.cast(column, "float32")
        if device is not None:
            result[..., last:] = device
        return result


class HamiltonianGraphEncoder:
    """The encoder of :class:`HamiltonianGraphEncoding`; it needs no context of a family, because it shows the instance.

    Args:
        problem: The instance.
        catalogue: The actions.
        max_gates: The most gates of an episode.
        device: What is shown of the device, one of :data:`DEVICE`.

    Attributes:
        shows_device: Whether :meth:`see_noise` changes what is observed.
    """

    shows_instance: Final = True

    def __init__(self, problem: Problem, catalogue: ActionCatalogue, max_gates: int, device: str = "couplings") -> None:
        pairs = [*combinations(range(problem.num_qubits), 2)]
        numbers = {pair: number for number, pair in enumerate(pairs)}
        self._pair_of = np.array(
            [
                numbers.get(tuple(sorted(operation.qubits)), -1)  # type: ignore[arg-type]
                for operation in catalogue.operations
            ]
        )
        self._acts_on_pair = (self._pair_of >= 0).tolist()
        self.pairs_of_actions = [
            [int(self._pair_of[part]) for part in parts if self._pair_of[part] >= 0] for parts in catalogue.parts
        ]
        self._has_action = self._with_action = np.isin(np.arange(len(pairs)), self._pair_of)
        self._is_hidden, self.shows_device = device == "hidden", device == "full"
        self._operations = catalogue.operations
        self._device: tuple[FloatArray, FloatArray] | None = None
        self._seen: dict[int, tuple[NoiseModel | None, NDArray[np.bool_], tuple[FloatArray, FloatArray]]] = {}
        self._length = max(1, max_gates // max(catalogue.num_gates))
        more = (len(QUBIT_DEVICE_FEATURES), len(PAIR_DEVICE_FEATURES)) if self.shows_device else (0, 0)
        shapes = (
            (problem.num_qubits, len(QUBIT_FEATURES) + more[0]),
            (len(pairs), len(PAIR_FEATURES) + more[1]),
            (len(CIRCUIT_FEATURES),),
        )
        high = float(max(len(problem.hamiltonian), max_gates, 2))
        self.space: spaces.Space[Observation] = spaces.Dict(
            {name: spaces.Box(-high, high, shape, np.float32) for name, shape in zip(_NAMES, shapes, strict=True)}
        )
        self.see_noise(problem, None)

    def reset(self, problem: Problem) -> None:
        """See :class:`Encoder`."""
        shown = np.ones_like(self._has_action) if self._is_hidden else self._has_action
        self._fixed = fixed_features(problem, shown)
        self._graph = CircuitGraphs(self._fixed, 1, self._length, device=self._device)

    def see_noise(self, problem: Problem, noise: NoiseModel | None) -> None:
        """Start again with an empty circuit on a device with this noise, which is shown if ``device`` is ``"full"``."""
        if self.shows_device:
            found = self._seen.get(id(noise))  # the models of a drift come back
            if found is None or found[0] is not noise:
                has_action = self._with_action & self._allowed_pairs(noise)
                features = device_features(noise, self._operations, has_action, problem.num_qubits)
                found = self._seen[id(noise)] = noise, has_action, features
            _, self._has_action, self._device = found
        self.reset(problem)

    def _allowed_pairs(self, noise: NoiseModel | None) -> NDArray[np.bool_]:
        """Return on which pairs a noise model allows some gate of the actions, ``(num_pairs,)``."""
        allowed = [
            self._pair_of[number]
            for number, operation in enumerate(self._operations)
            if noise is None or noise.reason_against(operation.gate, operation.qubits) is None
        ]
        return np.isin(np.arange(len(self._with_action)), allowed)

    def copy(self) -> HamiltonianGraphEncoder:
        """See :class:`Encoder`."""
        twin = copy.copy(self)
        twin._graph = self._graph.copy()
        return twin

    def begin(self, action: int) -> None:
        """See :class:`Encoder`; gadgets are shown as their gates."""

    def append(self, operation: int) -> None:
        """See :class:`Encoder`."""
        if self._acts_on_pair[operation]:
            self._graph.append(self._pair_of[operation : operation + 1])

    def observe(self, view: View) -> Observation:
        """See :class:`Encoder`."""
        return {name: array[0] for name, array in self._graph.observe().items()}

    def for_many(self, size: int, library: ArrayLibrary) -> Encoders:
        """See :class:`Encoder`."""
        graphs = CircuitGraphs(self._fixed, size, self._length, library, self._device)
        return _HamiltonianGraphEncoders(graphs, library.constant(self._pair_of))

    def graphs(self, size: int, length: int | None = None, library: ArrayLibrary = NUMPY) -> CircuitGraphs:
        """Return the features of ``size`` empty circuits of the same instance, to be extended together.

        Args:
            size: Number of circuits.
            length: Two-qubit gates at which they are to end; by default that of the gate budget.
            library: Of the arrays.
        """
        own = self._length if length is None else length
        return CircuitGraphs(self._fixed, size, own, library, self._device)


class _HamiltonianGraphEncoders:
    """Does what :class:`HamiltonianGraphEncoder` does for many circuits."""

    def __init__(self, graphs: CircuitGraphs, pair_of: Array) -> None:
        self._graphs, self._pair_of = graphs, pair_of

    def reset(self, rows: Array) -> None:
        self._graphs.reset(rows)

    def begin(self, rows: Array, actions: Array) -> None:
        pass

    def append(self, rows: Array, operations: Array) -> None:
        self._graphs.append(self._pair_of[operations], rows)

    def observe(self, views: Views, rows: Array | None = None) -> Observation:
        own: Any = slice(None) if rows is None else rows
        return {name: array[own] for name, array in self._graphs.observe().items()}


# -- features of the Hamiltonian ---------------------------------------------------------------------------------------


def fixed_features(problem: Problem, has_action: NDArray[np.bool_]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the features that do not depend on the circuit: of qubits, of pairs, and of the problem.

    Args:
        problem: The instance.
        has_action: Whether some action acts on each pair, ``(num_pairs,)``.
    """
    hamiltonian, n = problem.hamiltonian, problem.num_qubits
    hamiltonian.require_no_preparation("the encoding 'hamiltonian_graph'")
    bits = np.arange(n)
    x = (np.asarray(hamiltonian.x)[:, None] >> bits) & 1  # (terms, qubits)
    z = (np.asarray(hamiltonian.z)[:, None] >> bits) & 1
    acts = (x | z).astype(np.bool_)
    weight = acts.sum(axis=1)
    coefficients = np.where(weight > 0, np.asarray(hamiltonian.coefficients, dtype=np.float64), 0.0)
    scale = float(np.abs(coefficients).max(initial=0.0)) or 1.0
    letters = np.stack([z & (1 - x), x & (1 - z), x & z])  # Z, X, Y: (3, terms, qubits)
    one = np.einsum("ktq,t->kq", letters, np.where(weight == 1, coefficients, 0.0))  # (3, qubits)
    strength = np.abs(coefficients) @ acts
    qubits = [*one / scale, *map(_relative, one), _relative(strength)]
    pairs = _pair_sums(letters, coefficients, weight)
    ends = np.array([*combinations(range(n), 2)], dtype=np.int64).reshape(-1, 2)
    touches = (acts[:, ends[:, 0]] & acts[:, ends[:, 1]]).any(axis=0)  # (pairs,)
    kinds = "model" in problem.provenance, "molecule" in problem.provenance
    kind = [float(kinds[0]), float(kinds[1]), float(not any(kinds))]
    of_problem = [4.0 / n, float(touches.mean()) if len(ends) else 0.0, *kind]
    return (
        np.stack(qubits, axis=-1).astype(np.float32),
        np.stack([*pairs / scale, *map(_relative, pairs), has_action], axis=-1).astype(np.float32),
        np.array(of_problem, dtype=np.float32),
    )


def _pair_sums(
    letters: NDArray[np.int64], coefficients: NDArray[np.float64], weight: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return the sums of :data:`PAIR_FEATURES`, ``(7, num_pairs)``."""
    n = letters.shape[-1]
    two, many = np.where(weight == 2, coefficients, 0.0), np.where(weight > 2, np.abs(coefficients), 0.0)
    is_z, flips = letters[0].astype(np.float64), (letters[1] + letters[2]).astype(np.float64)
    acts = is_z + flips
    same = [(one * two[:, None]).T @ one for one in letters.astype(np.float64)]  # ZZ, XX, YY
    alike = sum((one * np.abs(two)[:, None]).T @ one for one in letters.astype(np.float64))
    mixed = (acts * np.abs(two)[:, None]).T @ acts - alike
    diagonal, both = ((one * many[:, None]).T @ one for one in (is_z, flips))
    others = (acts * many[:, None]).T @ acts - diagonal - both
    upper = np.triu_indices(n, 1)
    return np.stack([matrix[upper] for matrix in (*same, mixed, diagonal, both, others)])


def _relative(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return values over the largest of their sizes."""
    largest = float(np.abs(values).max(initial=0.0))
    return values / largest if largest > 1e-12 else np.zeros_like(values)
