"""Fast energies of products of exponentials, on the few basis states that they reach."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qas_simulators import kernels
from qas_simulators.circuit import Circuit
from qas_simulators.errors import must
from qas_simulators.exponentials import Exponential, Move
from qas_simulators.kernels.tasks import ENERGY, GRADIENT, MINIMIZE
from qas_simulators.memory import check_memory
from qas_simulators.pauli import PauliSum
from qas_simulators.program import UNLINKED, FloatArray
from qas_simulators.statevector import StatevectorSimulator

_SMALLEST = 1e-14  # amplitudes and matrix elements, beside the largest: rounding
_ITERATIONS, _SLOPE = 1000, 1e-7  # where L-BFGS stops; the gradient in the Hamiltonian's own unit
_NO_PLACES: Final = np.empty(0, dtype=np.int32)


class Minimum(NamedTuple):
    """A minimum over all angles.

    Attributes:
        energy: In the unit of the Hamiltonian.
        angles: In radians, one for each exponential.
        evaluations: How many energies, each with its gradient, this took.
    """

    energy: float
    angles: FloatArray
    evaluations: int


class _Pairs(NamedTuple):
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    factors: NDArray[Any]


class Subspace:
    """The basis states that the exponentials of a pool reach from a reference, and the Hamiltonian on them.

    For excitations that keep the numbers of electrons these are few, 225 of 4096 for LiH in all orbitals. If
    Hamiltonian, reference and generators are real, so is the arithmetic. Energies are exact.

    Args:
        hamiltonian: The operator whose energy is computed.
        reference: The initial circuit.
        pool: Exponentials on the same register; other methods name them by their places here.

    Raises:
        ValueError: An empty pool, a Hamiltonian with a preparation, a reference of another size, an exponential outside
            the register, or more memory than there is.

    Examples:
        >>> from qas_simulators.exponentials import qubit_excitation
        >>> hamiltonian = PauliSum({"XX": 1.0, "YY": 1.0, "ZI": 0.5})
        >>> subspace = Subspace(hamiltonian, Circuit(2).x(0), [qubit_excitation([0], [1])])
        >>> subspace.states.tolist(), round(subspace.minimize([0], [0.0]).energy, 6)
        ([1, 2], -2.061553)
    """

    def __init__(self, hamiltonian: PauliSum, reference: Circuit, pool: Sequence[Exponential]) -> None:
        hamiltonian.require_no_preparation("a subspace")
        size = hamiltonian.num_qubits
        if reference.num_qubits != size:
            raise ValueError(must("reference", f"have {size} qubits", reference.num_qubits))
        if not pool or any(max(exponential.qubits) >= size for exponential in pool):
            raise ValueError(must("pool", f"hold exponentials on {size} qubits", [item.label for item in pool][:3]))
        check_memory("pool", 20 << size, f"a table of the basis states of {size} qubits")
        self._pool = tuple(pool)
        self._owners = np.repeat(np.arange(len(pool)), [len(exponential.moves) for exponential in pool])
        moves = [move for exponential in pool for move in exponential.moves]
        self._masks = np.array([move[:4] for move in moves], dtype=np.int64)
        state = _without_phase(StatevectorSimulator().statevector(reference))
        self.states = _reached(state, self._masks[:, :3])
        self._places = np.full(1 << size, -1, dtype=np.int32)
        self._places[self.states] = np.arange(len(self.states))
        ordinary, self._unit = hamiltonian.in_unit()
        factors, matrix = np.array([move.factor for move in moves]), self._matrix(ordinary)
        self._is_real = not any(np.iscomplex(part).any() for part in (state, factors, matrix.data))
        self._factors, self._reference = self._cast(factors), self._cast(state[self.states])
        self._rows = matrix.indptr.astype(np.int64), matrix.indices.astype(np.int32), self._cast(matrix.data)
        self._pairs: dict[int, _Pairs] = {}

    def _cast(self, values: NDArray[Any]) -> NDArray[Any]:
        """Return the values in the arithmetic of this subspace, real or complex."""
        return np.ascontiguousarray(values.real if self._is_real else values.astype(np.complex128))

    def _matrix(self, hamiltonian: PauliSum) -> Any:
        """Return the Hamiltonian's matrix on the states, in compressed sparse rows."""
        from scipy.sparse import csr_array

        flips, group = np.unique(hamiltonian.x, return_inverse=True)
        check_memory("pool", 48 * len(flips) * len(self.states), f"the Hamiltonian on {len(self.states)} basis states")
        rows, columns, entries = [], [], []
        smallest = _SMALLEST * np.abs(hamiltonian.coefficients).max()
        for k, flip in enumerate(flips):
            places = self._places[self.states ^ flip]
            inside = np.flatnonzero(places >= 0)
            values = np.zeros(len(inside), dtype=np.complex128)
            for term in np.flatnonzero(group == k):
                x, z = int(hamiltonian.x[term]), int(hamiltonian.z[term])
                values += hamiltonian.coefficients[term] * 1j ** (x & z).bit_count() * _signs(self.states[inside], z)
            kept = np.abs(values) > smallest
            rows.append(places[inside][kept])
            columns.append(inside[kept])
            entries.append(values[kept])
        where = np.concatenate(rows), np.concatenate(columns)
        return csr_array((np.concatenate(entries), where), shape=(len(self.states),) * 2)

    def energy(self, sequence: Sequence[int], angles: ArrayLike) -> float:
        """Return the energy after exponentials of the pool.

        Args:
            sequence: Their places in the pool, in order.
            angles: One for each, in radians.
        """
        return self._run(sequence, _angles(angles), ENERGY)[0]

    def energy_and_gradient(self, sequence: Sequence[int], angles: ArrayLike) -> tuple[float, FloatArray]:
        """Return the energy and its derivatives by all angles, ``(len(sequence),)``; see :meth:`energy`."""
        params = _angles(angles)
        gradient = np.empty(len(params))
        return self._run(sequence, params, GRADIENT, gradient)[0], self._unit * gradient

    def slopes(self, sequence: Sequence[int], angles: ArrayLike) -> FloatArray:
        """Return the derivative of the energy by the angle of each exponential of the pool, were it appended.

        Args:
            sequence: Exponentials before it.
            angles: Their angles.
        """
        memory = self._run(sequence, _angles(angles), ENERGY)[2]
        ket, bra = memory.reshape(2, -1)
        by_move = np.empty(len(self._factors))
        kernels.pair_rotations.slopes_of_moves(bra, ket, self.states, self._places, self._masks, self._factors, by_move)
        return np.asarray(self._unit * np.bincount(self._owners, by_move), dtype=np.float64)

    def minimize(self, sequence: Sequence[int], angles: ArrayLike, tolerance: float = 1e-13) -> Minimum:
        """Minimise the energy over all angles by L-BFGS with exact gradients.

        Args:
            sequence: Places of the exponentials in the pool, in order.
            angles: One for each, in radians: the start.
            tolerance: Stop when an iteration gains no more than this; for very small and very large operators in their
                own unit, see :meth:`PauliSum.in_unit`.
        """
        params = _angles(angles)
        energy, evaluations, _ = self._run(sequence, params, MINIMIZE, tolerance=tolerance)
        return Minimum(energy, params, evaluations)

    def _run(
        self,
        sequence: Sequence[int],
        params: FloatArray,
        task: int,
        gradient: FloatArray | None = None,
        tolerance: float = 0.0,
    ) -> tuple[float, int, NDArray[Any]]:
        """Run the kernel; return the energy, the number of evaluations, and the memory."""
        pairs = [self._pairs_of(k) for k in sequence]
        if len(params) != len(pairs):
            raise ValueError(must("angles", f"be {len(pairs)}, one for each exponential", len(params)))
        memory = np.empty(2 * len(self.states), dtype=self._reference.dtype)
        energy, evaluations = kernels.entries.solve_pairs(
            np.cumsum([0, *(len(one.left) for one in pairs)]),
            np.concatenate([_NO_PLACES, *(one.left for one in pairs)]),
            np.concatenate([_NO_PLACES, *(one.right for one in pairs)]),
            np.concatenate([self._factors[:0], *(one.factors for one in pairs)]),
            self._reference,
            *self._rows,
            memory,
            UNLINKED,
            task,
            params,
            np.empty(0) if gradient is None else gradient,
            (_ITERATIONS, _SLOPE, tolerance),
        )
        return self._unit * energy, evaluations, memory

    def _pairs_of(self, k: int) -> _Pairs:
        """Return the pairs of amplitudes that an exponential of the pool turns."""
        if k not in self._pairs:
            parts = [self._pairs_of_move(move) for move in self._pool[k].moves]
            self._pairs[k] = _Pairs(*(np.concatenate(part) for part in zip(*parts, strict=True)))
        return self._pairs[k]

    def _pairs_of_move(self, move: Move) -> _Pairs:
        left = np.flatnonzero(self.states & move.mask == move.value).astype(np.int32)
        right = self._places[self.states[left] ^ move.flip]
        factor = move.factor if move.flip else 2.0 * move.factor
        return _Pairs(left, right, self._cast(factor * _signs(self.states[left], move.signs)))


def _angles(angles: ArrayLike) -> FloatArray:
    """Return a copy, which the kernel may change."""
    return np.array(angles, dtype=np.float64).reshape(-1)


def _signs(states: NDArray[np.int64], mask: int) -> NDArray[np.int64]:
    """Return -1 for each state with an odd number of the mask's bits, else 1."""
    return np.asarray(1 - 2 * (np.bitwise_count(states & mask).astype(np.int64) & 1))


def _without_phase(statevector: NDArray[np.complex128]) -> NDArray[np.complex128]:
    """Return the state with a real largest amplitude, and without rounding errors that would make it complex."""
    largest = statevector[np.abs(statevector).argmax()]
    turned = np.asarray(statevector * (np.abs(largest) / largest))
    for part in (turned.real, turned.imag):
        part[np.abs(part) < _SMALLEST] = 0.0
    return turned


def _reached(state: NDArray[np.complex128], masks: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return all basis states that moves reach from those of a state, ascending."""
    found = state != 0.0
    queue = np.empty(len(state), dtype=np.int64)
    first = np.flatnonzero(found)
    queue[: len(first)] = first
    count = kernels.pair_rotations.reach(np.unique(masks, axis=0), found, queue, len(first))
    return np.sort(queue[:count])
