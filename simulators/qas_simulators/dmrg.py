"""Ground states of chains by the density-matrix renormalisation group (DMRG)."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qas_simulators.errors import must
from qas_simulators.matrix_product_operators import Operators, operators_of, shifted
from qas_simulators.matrix_product_states import Limit, MatrixProductState, Tensor, extended
from qas_simulators.pauli import PauliSum

_FIRST_BOND: Final = 8  # of the first sweep; each later one has twice the bond dimension of the one before
_KRYLOV: Final = 6  # vectors of the local eigenvalue problem, which starts with the state at hand
_CUTOFF: Final = 1e-10  # singular values below it are dropped
_TURN: Final = 1e-9  # norm below which a Krylov space is complete


class GroundState(NamedTuple):
    """The lowest state that DMRG found.

    Attributes:
        energy: Its energy; the lowest eigenvalue is not above it.
        deviation: Standard deviation of the observable in the state: an eigenvalue lies within it around the energy.
        discarded: The largest squared singular values that were dropped in the last sweep, summed for one cut.
        state: The state.
        sweeps: Number of sweeps, from one end and back.
    """

    energy: float
    deviation: float
    discarded: float
    state: MatrixProductState
    sweeps: int


def dmrg(
    observable: PauliSum, max_bond: int = 64, tolerance: float = 1e-10, max_sweeps: int = 20, seed: int = 0
) -> GroundState:
    """Return the ground state of an observable, by sweeps over pairs of neighbours.

    Each pair of tensors becomes the lowest vector of the observable between the tensors to the left and to the right.
    The bond dimension grows from 8 on. There is no symmetry: degenerate ground states come out as any of them.

    Args:
        observable: At least two qubits; fast where its strings are short along the line of qubits.
        max_bond: Largest bond dimension.
        tolerance: Sweeps end when the energy falls by less, as a part of the sum of all coefficients.
        max_sweeps: Most sweeps.
        seed: Of the random initial state.

    Raises:
        ValueError: The observable has one qubit, or a number is out of range.

    References:
        S. R. White: Density matrix formulation for quantum renormalization groups. Physical Review Letters 69 (1992).
        U. Schollwoeck: The density-matrix renormalization group in the age of matrix product states, arXiv:1008.3477,
        section 6.

    Examples:
        >>> ring = PauliSum({"IIXX": 1.0, "IIYY": 1.0, "IIZZ": 1.0, "IXXI": 1.0, "IYYI": 1.0, "IZZI": 1.0,
        ...                  "XXII": 1.0, "YYII": 1.0, "ZZII": 1.0, "XIIX": 1.0, "YIIY": 1.0, "ZIIZ": 1.0})
        >>> found = dmrg(ring)
        >>> round(found.energy, 9), found.deviation < 1e-6  # four spins on a ring: -2 in spin operators
        (-8.0, True)
    """
    if observable.num_qubits < 2:
        raise ValueError(must("observable", "act on at least 2 qubits", observable.num_qubits))
    for name, value in (("max_bond", max_bond), ("max_sweeps", max_sweeps)):
        if value < 1:
            raise ValueError(must(name, "be at least 1", value))
    operators, rng = operators_of(observable), np.random.default_rng(seed)
    is_complex = any(np.iscomplexobj(operator) for operator in operators)
    lattice = _Lattice(operators, _random_state(observable.num_qubits, min(4, max_bond), is_complex, rng))
    scale = float(np.abs(observable.coefficients).sum())
    energy, bond = np.inf, min(_FIRST_BOND, max_bond)
    sweeps = 0
    while sweeps < max_sweeps:
        sweeps += 1
        lower = lattice.sweep(Limit(bond, _CUTOFF))
        is_done = bond == max_bond and energy - lower <= tolerance * scale
        energy, bond = lower, min(2 * bond, max_bond)
        if is_done:
            break
    state = lattice.state
    energy = state.expectation(operators)
    return GroundState(energy, state.norm_after(shifted(operators, energy)), lattice.discarded, state, sweeps)


class _Lattice:
    """A state between sweeps: right-canonical, and the contractions of the observable to the right of each qubit."""

    def __init__(self, operators: Operators, state: MatrixProductState) -> None:
        size = len(operators)
        self.state, self._operators = state, operators
        self._both = [_joined(*operators[k : k + 2]) for k in range(size - 1)]
        self._left: list[Tensor] = [np.ones((1, 1, 1))] * (size + 1)
        self._right: list[Tensor] = [np.ones((1, 1, 1))] * (size + 1)
        for site in range(size - 1, 1, -1):
            self._right[site] = self._extended_right(site)
        self.discarded = 0.0

    def sweep(self, limit: Limit) -> float:
        """Optimise all pairs from the first to the last and back; return the last energy."""
        size, self.discarded = self.state.num_qubits, 0.0
        energy = 0.0
        for site in range(size - 2):
            energy = self._optimise(site, limit, moves_right=True)
            self._left[site + 1] = extended(self._left[site], self.state.tensors[site], self._operators[site])
        for site in range(size - 2, -1, -1):
            energy = self._optimise(site, limit, moves_right=False)
            self._right[site + 1] = self._extended_right(site + 1)
        return energy

    def _optimise(self, site: int, limit: Limit, moves_right: bool) -> float:
        """Replace two tensors by the lowest vector; the one behind becomes canonical."""
        tensors = self.state.tensors
        pair = self.state.pair(site)
        left, both, right = self._left[site], self._both[site], self._right[site + 2]

        def multiplied(vector: Tensor) -> Tensor:
            return _multiplied(vector.reshape(pair.shape), left, both, right).ravel()

        energy, vector = _lowest(multiplied, pair.ravel())
        matrix = vector.reshape(2 * pair.shape[0], -1)
        first, values, second, dropped = limit.split(matrix)
        values = values / np.linalg.norm(values)
        if moves_right:
            second = values[:, None] * second
        else:
            first = first * values
        tensors[site] = first.reshape(pair.shape[0], 2, -1)
        tensors[site + 1] = second.reshape(-1, 2, pair.shape[2])
        self.state.values[site + 1] = values
        self.discarded = max(self.discarded, dropped)
        return energy

    def _extended_right(self, site: int) -> Tensor:
        """Return the contraction ``(bra, operator, ket)`` of a qubit and those after it."""
        tensor, operator = self.state.tensors[site], self._operators[site]
        return extended(self._right[site + 1], tensor.transpose(2, 1, 0), operator.transpose(3, 1, 2, 0))


def _multiplied(pair: Tensor, left: Tensor, both: Tensor, right: Tensor) -> Tensor:
    """Return the observable times a pair of tensors ``(left, 4, right)``."""
    bra, bond, ket = left.shape
    size, grown = pair.shape[2], both.shape[1] // 4
    found = (left.reshape(-1, ket) @ pair.reshape(ket, -1)).reshape(bra, 4 * bond, size)
    found = both.T @ found  # bra, (operator, out), ket
    found = found.reshape(bra, grown, 4, size).transpose(0, 2, 1, 3).reshape(4 * bra, -1)
    return np.asarray(found @ right.reshape(len(right), -1).T).reshape(bra, 4, -1)


def _joined(first: Tensor, second: Tensor) -> Tensor:
    """Return two operators as a matrix ``((operator, in), (operator, out))``; the second qubit is least significant."""
    both = np.einsum("aijb,bklc->ajlcik", first, second)
    left, _, _, right, _, _ = both.shape
    return np.ascontiguousarray(both.reshape(4 * left, 4 * right))


def _lowest(multiply: Any, vector: NDArray[Any]) -> tuple[float, NDArray[Any]]:
    """Return the lowest eigenvalue and vector in a small Krylov space, by Lanczos with all vectors orthogonalised."""
    basis: list[NDArray[Any]] = [vector / np.linalg.norm(vector)]
    images: list[NDArray[Any]] = []
    while True:
        images.append(multiply(basis[-1]))
        rows = np.array(basis)
        matrix = rows.conj() @ np.array(images).T
        values, vectors = np.linalg.eigh(0.5 * (matrix + matrix.conj().T))
        rest = images[-1] - rows.T @ (rows.conj() @ images[-1])
        rest -= rows.T @ (rows.conj() @ rest)
        size = float(np.linalg.norm(rest))
        if len(basis) == _KRYLOV or size * abs(vectors[-1, 0]) <= _TURN:
            return float(values[0]), rows.T @ vectors[:, 0]
        basis.append(rest / size)


def _random_state(num_qubits: int, bond: int, is_complex: bool, rng: np.random.Generator) -> MatrixProductState:
    """Return a random right-canonical state."""
    state = MatrixProductState.zeros(num_qubits)
    carry: Tensor = np.ones((1, 1))
    for site in range(num_qubits - 1, -1, -1):
        left = bond if site else 1
        tensor: Tensor = rng.normal(size=(left, 2, bond if site < num_qubits - 1 else 1))
        if is_complex:
            tensor = tensor + 1j * rng.normal(size=tensor.shape)
        matrix = (tensor @ carry).reshape(left, -1)
        isometry, rest = np.linalg.qr(matrix.conj().T)
        state.tensors[site] = isometry.conj().T.reshape(-1, 2, len(carry.T))
        carry = rest.conj().T
    return state
