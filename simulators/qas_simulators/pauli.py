"""PauliSum: a Hermitian operator as a weighted sum of Pauli strings, kept as bit masks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qas_simulators.bit_masks import Masks, checked_masks, mask_type
from qas_simulators.checks import real_array, real_number, whole_numbers
from qas_simulators.errors import must
from qas_simulators.flat_circuit import MAX_QUBITS
from qas_simulators.lanczos import lowest_eigenvalues
from qas_simulators.memory import check_memory
from qas_simulators.pauli_strings import (
    coefficients_of_matrix,
    label_of,
    masks_of,
    masks_of_indices,
    means_of_strings,
    pauli_indices,
    popcount,
    summed_terms,
)

if TYPE_CHECKING:
    from qiskit.quantum_info import SparsePauliOp

    from qas_simulators.preparation import Preparation

_DENSE_LIMIT = 10  # qubits; above, the ground energy comes from Lanczos
NEGLIGIBLE = 1e-12  # part of an operator's largest coefficient that is rounding
_ORDINARY = 0.5, 1024.0  # norms for which the cut-offs of optimisers and of Lanczos are chosen
_SPARE_VECTORS = 20  # vectors that Lanczos and the simulators need beside the diagonals


class GroupedPauliSum(NamedTuple):
    """The operator grouped by the bits its strings flip: ``(H psi)[i ^ flips[k]] += diagonals[k, i] * psi[i]``."""

    flips: NDArray[np.int64]  # (groups,)
    diagonals: NDArray[np.complex128]  # (groups, 2**n)


class RealRows(NamedTuple):
    """The entries of a real matrix in compressed rows: row ``i`` has those from ``rows[i]`` to ``rows[i + 1]``."""

    rows: NDArray[np.int64]  # (2**n + 1,)
    columns: NDArray[np.int32]  # (entries,)
    entries: NDArray[np.float64]  # (entries,)


class PauliSum:
    """A real combination of Pauli strings, ``H = sum_k c_k P_k``.

    A string is stored as two masks, ``x`` (bits that it flips) and ``z`` (bits that give a sign), so that
    ``P |j> = i**popcount(x & z) * (-1)**popcount(z & j) |j ^ x>``. Terms are unique and sorted by ``(x, z)``.

    Args:
        terms: Coefficient of each label. Labels read right to left like Qiskit's: the last letter is qubit 0.

    Attributes:
        preparation: What prepares the state in which circuits start; ``None`` for ``|0...0>``. See :meth:`prepared`.

    Raises:
        ValueError: No terms, labels of different lengths or with letters other than I, X, Y, Z, or a coefficient that
            is not a finite real number.

    Examples:
        >>> h = PauliSum({"ZZ": -1.0, "XI": -0.5, "IX": -0.5})
        >>> h.num_qubits, round(h.ground_energy(), 6)
        (2, -1.414214)
    """

    def __init__(self, terms: Mapping[str, float]) -> None:
        if not terms:
            raise ValueError(must("terms", "hold at least one Pauli string", dict(terms)))
        lengths = {len(label) for label in terms}
        if len(lengths) != 1 or not 1 <= (num_qubits := lengths.pop()) <= MAX_QUBITS:
            raise ValueError(must("terms", f"have labels of one length, 1 to {MAX_QUBITS}", list(terms)[:4]))
        masks, coefficients = [], []
        for label, coefficient in terms.items():
            if set(label) - set("IXYZ"):
                raise ValueError(must("terms", "have labels of the letters I, X, Y, Z", label))
            masks.append(masks_of(label))
            coefficients.append(real_number(f"terms[{label!r}]", coefficient))
        x, z = np.array(masks, dtype=mask_type(num_qubits)).T
        self._set(num_qubits, x, z, np.array(coefficients, dtype=np.float64))

    @classmethod
    def from_masks(cls, num_qubits: int, x: ArrayLike, z: ArrayLike, coefficients: ArrayLike) -> PauliSum:
        """Build from bit masks and coefficients; equal strings add up.

        Args:
            num_qubits: 1 to 128.
            x: Masks of the bits that the strings flip, integers ``(num_terms,)``.
            z: Masks of the bits that give a sign, integers ``(num_terms,)``.
            coefficients: Real numbers ``(num_terms,)``.

        Raises:
            ValueError: Another shape, no terms, a mask that is not an integer or outside the register, or a coefficient
                that is not a finite real number.
        """
        size = _checked_size(num_qubits)
        masks = checked_masks("x", x, size), checked_masks("z", z, size)
        values = real_array("coefficients", coefficients)
        shapes = {masks[0].shape, masks[1].shape, values.shape}
        if len(shapes) != 1 or values.size == 0:
            raise ValueError(must("x, z and coefficients", "have one length, at least 1", sorted(shapes)))
        result = cls.__new__(cls)
        result._set(num_qubits, *masks, values)
        return result

    @classmethod
    def from_indices(cls, num_qubits: int, indices: ArrayLike, vector: ArrayLike) -> PauliSum:
        """Build from the entries ``vector[indices]`` of a Pauli vector ``(4**n,)``; without any, from the identity.

        Raises:
            ValueError: A vector of another length, or indices that are not integers or outside the vector.
        """
        values = real_array("vector", vector)
        if values.shape != (4 ** _checked_size(num_qubits),):
            raise ValueError(must("vector", f"have shape ({4**num_qubits},)", values.shape))
        indices = whole_numbers("indices", indices, len(values))
        indices = indices if len(indices) else np.zeros(1, dtype=np.int64)
        return cls.from_masks(num_qubits, *masks_of_indices(indices, num_qubits), values[indices])

    def _set(self, num_qubits: int, x: Masks, z: Masks, c: NDArray[np.float64]) -> None:
        if not np.isfinite(c).all():
            raise ValueError(must("terms", "have finite coefficients", c[~np.isfinite(c)][0]))
        self.num_qubits = num_qubits
        self.preparation: Preparation | None = None
        self.x, self.z, self.coefficients = summed_terms(x, z, c)
        self._grouped: GroupedPauliSum | None = None
        self._indices: NDArray[np.int64] | None = None
        self._in_unit: tuple[float, PauliSum | None] | None = None
        self._rows: RealRows | None = None
        self._slices: Any = None  # of stabilizers.slices_of
        self._operators: Any = None  # of matrix_product_operators.operators_of

    @classmethod
    def from_matrix(cls, matrix: ArrayLike, tolerance: float = NEGLIGIBLE) -> PauliSum:
        """Decompose a Hermitian matrix ``(2**n, 2**n)``.

        Args:
            matrix: Hermitian up to 1e-8 of its largest entry.
            tolerance: Coefficients up to this part of the largest are dropped.

        Raises:
            ValueError: Not square of a power of two, not finite, or not Hermitian.
        """
        coefficients = coefficients_of_matrix(np.asarray(matrix, dtype=np.complex128))
        x, z = np.nonzero(np.ones_like(coefficients))
        return cls.from_masks(len(coefficients).bit_length() - 1, x, z, coefficients.ravel()).without_small(tolerance)

    def without_small(self, tolerance: float = NEGLIGIBLE) -> PauliSum:
        """Return the operator without terms of at most ``tolerance`` times the largest coefficient in magnitude.

        If nothing is left, because all coefficients are 0, the result is 0 times the identity.
        """
        magnitudes = np.abs(self.coefficients)
        if not (kept := magnitudes > tolerance * magnitudes.max()).any():
            return PauliSum({"I" * self.num_qubits: 0.0})
        return PauliSum.from_masks(self.num_qubits, self.x[kept], self.z[kept], self.coefficients[kept])

    @classmethod
    def from_qiskit(cls, operator: Any) -> PauliSum:
        """Convert a ``SparsePauliOp``, ``Pauli``, ``SparseObservable`` or ``Operator``; labels carry over unchanged."""
        from qas_simulators.bridges.operators import read_qiskit  # here, because bridges build Pauli sums

        return read_qiskit(operator)

    def to_qiskit(self) -> SparsePauliOp:
        """Return the same terms as a ``qiskit.quantum_info.SparsePauliOp``."""
        from qas_simulators.bridges.qiskit import pauli_sum_to_qiskit

        return pauli_sum_to_qiskit(self)

    @classmethod
    def projector(cls, statevector: ArrayLike) -> PauliSum:
        """Return ``|psi><psi|`` as Pauli strings: its expectation in a state is the fidelity with ``psi``.

        Raises:
            ValueError: ``statevector`` is not a vector of length ``2**n`` with norm 1 (the norm is in the message).
        """
        vector = np.asarray(statevector, dtype=np.complex128)
        norm = float(np.linalg.norm(vector))
        if vector.ndim != 1 or not abs(norm - 1) <= 1e-9:  # also refuses NaN
            raise ValueError(must("statevector", "be a vector of norm 1", f"of shape {vector.shape}, norm {norm:.12g}"))
        return cls.from_matrix(np.outer(vector, vector.conj()))

    def __len__(self) -> int:
        return len(self.coefficients)

    def __iter__(self) -> Iterator[tuple[str, float]]:
        for x, z, coefficient in zip(self.x.tolist(), self.z.tolist(), self.coefficients.tolist(), strict=True):
            yield label_of(x, z, self.num_qubits), coefficient

    def terms(self) -> dict[str, float]:
        """Return the coefficient of each label."""
        return dict(self)

    def prepared(self, preparation: Preparation | None) -> PauliSum:
        """Return the same operator, measured after circuits that start with a preparation; sums of it have none.

        Raises:
            ValueError: The preparation has another number of qubits.
        """
        if preparation is not None and preparation.circuit.num_qubits != self.num_qubits:
            raise ValueError(must("preparation", f"have {self.num_qubits} qubits", preparation.circuit))
        twin = PauliSum.from_masks(self.num_qubits, self.x, self.z, self.coefficients)
        twin.preparation = preparation
        return twin

    @property
    def circuit_qubits(self) -> int:
        """Number of qubits that circuits have: all, unless a preparation has others."""
        return self.num_qubits if self.preparation is None else self.preparation.num_qubits

    def require_no_preparation(self, who: str) -> None:
        """Raise ``ValueError`` if circuits do not start in ``|0...0>``, as ``who`` assumes."""
        if self.preparation is not None:
            raise ValueError(must("hamiltonian", f"be of circuits that start in |0...0> for {who}", self))

    def __repr__(self) -> str:
        start = "" if self.preparation is None else f", after circuits of {self.circuit_qubits} qubits"
        return f"<PauliSum: {self.num_qubits} qubits, {len(self)} terms{start}>"

    def _repr_html_(self) -> str:
        from qas_simulators.tables import terms_table

        return terms_table(self)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PauliSum):
            return NotImplemented
        return self.preparation == other.preparation and len(self) == len(other) and self.terms() == other.terms()

    __hash__ = None  # type: ignore[assignment]

    def __add__(self, other: PauliSum) -> PauliSum:
        if not isinstance(other, PauliSum):
            return NotImplemented
        if other.num_qubits != self.num_qubits:
            raise ValueError(must("other", f"have {self.num_qubits} qubits", other.num_qubits))
        x, z = np.concatenate([self.x, other.x]), np.concatenate([self.z, other.z])
        return PauliSum.from_masks(self.num_qubits, x, z, np.concatenate([self.coefficients, other.coefficients]))

    def __mul__(self, factor: float) -> PauliSum:
        if isinstance(factor, PauliSum):
            return NotImplemented
        return PauliSum.from_masks(self.num_qubits, self.x, self.z, real_number("factor", factor) * self.coefficients)

    __rmul__ = __mul__

    def check_memory(self) -> None:
        """Refuse an operator that does not fit into memory.

        Raises:
            ValueError: :meth:`grouped` would need more memory than is available; both figures are in the message.
        """
        if self._grouped is None:
            groups = len(np.unique(self.x))
            needed = (groups + _SPARE_VECTORS) << self.num_qubits + 4
            check_memory("hamiltonian", needed, f"{groups} groups of terms on {self.num_qubits} qubits")

    def grouped(self) -> GroupedPauliSum:
        """Return the operator grouped by flipped bits, for matrix-free products; computed once."""
        if self._grouped is None:
            flips, group = np.unique(self.x, return_inverse=True)
            self.check_memory()
            diagonals = np.zeros((len(flips), 1 << self.num_qubits), dtype=np.complex128)
            index = np.arange(1 << self.num_qubits)
            for k, x, z, coefficient in zip(group, self.x, self.z, self.coefficients, strict=True):
                diagonals[k] += coefficient * 1j ** popcount(x & z) * (1 - 2 * (popcount(z & index) & 1))
            self._grouped = GroupedPauliSum(flips, diagonals)
        return self._grouped

    def apply(self, vector: NDArray[np.complex128]) -> NDArray[np.complex128]:
        """Return ``H @ vector`` for a vector ``(2**n,)`` without building the matrix."""
        out = np.zeros(1 << self.num_qubits, dtype=np.complex128)
        index = np.arange(len(out))
        for flip, diagonal in zip(*self.grouped(), strict=True):
            out[index ^ flip] += diagonal * vector
        return out

    def to_matrix(self) -> NDArray[np.complex128]:
        """Return the matrix ``(2**n, 2**n)``, qubit 0 the least significant bit of the index."""
        matrix = np.zeros((1 << self.num_qubits, 1 << self.num_qubits), dtype=np.complex128)
        index = np.arange(len(matrix))
        for flip, diagonal in zip(*self.grouped(), strict=True):
            matrix[index ^ flip, index] += diagonal
        return matrix

    def basis_energies(self) -> NDArray[np.float64]:
        """Return the energy of every computational basis state, shape ``(2**n,)``.

        Raises:
            ValueError: They would not fit into memory; both figures are in the message.
        """
        check_memory("hamiltonian", 32 << self.num_qubits, f"the basis states of {self.num_qubits} qubits")
        index, is_diagonal = np.arange(1 << self.num_qubits), self.x == 0
        signed = zip(self.z[is_diagonal], self.coefficients[is_diagonal], strict=True)
        return sum((c * (1 - 2 * (popcount(z & index) & 1)) for z, c in signed), np.zeros(len(index)))

    def eigenvalues(self, count: int) -> NDArray[np.float64]:
        """Return the ``count`` lowest eigenvalues in ascending order: dense to 10 qubits, Lanczos above."""
        if self.num_qubits <= _DENSE_LIMIT:
            return np.asarray(np.linalg.eigvalsh(self.to_matrix())[:count], dtype=np.float64)
        ordinary, unit = self.in_unit()
        return unit * lowest_eigenvalues(ordinary.grouped(), count)

    @property
    def is_real(self) -> bool:
        """Whether the matrix is real: every term has an even number of Y, so that real ground states exist.

        Examples:
            >>> PauliSum({"YY": 1.0, "XZ": 0.5}).is_real, PauliSum({"YX": 1.0}).is_real
            (True, False)
        """
        return not (popcount(self.x & self.z) % 2).any()

    def in_unit(self) -> tuple[PauliSum, float]:
        """Return the operator in a unit in which its size is ordinary, and that unit; itself and 1 if it is already.

        Numerical methods stop at absolute cut-offs. Operators whose coefficients, the identity's aside, sum up to less
        than 0.5 or more than 1024 in magnitude are divided by a power of two, which loses no digit, so that they sum up
        to at least 1 and less than 2.
        """
        if self._in_unit is None:
            norm = float(np.abs(self.coefficients[(self.x | self.z) != 0]).sum())
            is_ordinary = norm == 0.0 or _ORDINARY[0] <= norm <= _ORDINARY[1]
            power = 0 if is_ordinary else int(np.frexp(norm)[1]) - 1
            scaled = np.ldexp(self.coefficients, -power)
            ordinary = None if is_ordinary else PauliSum.from_masks(self.num_qubits, self.x, self.z, scaled)
            self._in_unit = float(np.ldexp(1.0, power)), ordinary and ordinary.prepared(self.preparation)
        unit, ordinary = self._in_unit
        return self if ordinary is None else ordinary, unit

    def ground_energy(self) -> float:
        """Return the lowest eigenvalue."""
        return float(self.eigenvalues(1)[0])

    def pauli_indices(self) -> NDArray[np.int64]:
        """Return each term's position in a Pauli vector: base-4 digits I, X, Y, Z = 0..3, qubit 0 least significant."""
        if self._indices is None:
            self._indices = pauli_indices(self.x, self.z, self.num_qubits)
        return self._indices

    def term_means(self, statevector: NDArray[np.complex128]) -> NDArray[np.float64]:
        """Return ``<psi|P|psi>`` of every term, ``(num_terms,)``."""
        return means_of_strings(self.x, self.z, statevector)


def _checked_size(num_qubits: int) -> int:
    is_integer = isinstance(num_qubits, int | np.integer) and not isinstance(num_qubits, bool)
    if not is_integer or not 1 <= num_qubits <= MAX_QUBITS:
        raise ValueError(must("num_qubits", f"be an integer from 1 to {MAX_QUBITS}", num_qubits))
    return int(num_qubits)


def real_rows(observable: PauliSum) -> RealRows:
    """Return the matrix of an operator that :attr:`PauliSum.is_real`, without its zeros; computed once."""
    if observable._rows is None:
        flips, diagonals = observable.grouped()
        index = np.arange(diagonals.shape[1])
        present = np.abs(diagonals.real) > NEGLIGIBLE * np.abs(observable.coefficients).max(initial=0.0)
        group, column = np.nonzero(present)
        row = index[column] ^ flips[group]
        order = np.lexsort((column, row))
        rows = np.searchsorted(row[order], np.arange(len(index) + 1))
        observable._rows = RealRows(rows, column[order].astype(np.int32), diagonals.real[present][order])
    return observable._rows
