"""Observables of other libraries as Pauli sums; libraries are recognised by the names of their classes, not imported.

Which end is qubit 0:

- labels (mappings, pairs, Qiskit): the last letter;
- matrices (NumPy, SciPy, Qiskit's ``Operator``): the least significant bit of the index;
- PennyLane, OpenFermion, Cirq: wire, qubit or ``LineQubit`` 0, although it is the most significant bit of their
  matrices' index.
"""

from __future__ import annotations

import operator as arithmetic
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from qas_simulators.errors import must
from qas_simulators.flat_circuit import MASK_QUBITS
from qas_simulators.memory import check_memory
from qas_simulators.pauli import PauliSum
from qas_simulators.pauli_strings import walsh_hadamard

Factors = Iterable[tuple[Any, str]]
"""Qubit and letter of every factor that is not the identity."""

READABLE: Final = (
    "be a PauliSum, a mapping or a list of labels and coefficients, a matrix (Hermitian; NumPy, SciPy sparse), an "
    "operator of Qiskit, PennyLane, OpenFermion or Cirq"
)
_ROUNDING: Final = 1e-12  # of the largest coefficient: imaginary parts that a library's rounding may leave
_DENSE_BYTES: Final = 96  # bytes for each entry of a matrix: complex copies and indices


def read_operator(operator: Any, num_qubits: int | None = None) -> PauliSum:
    """Return an observable of any format as a Pauli sum.

    Args:
        operator: A ``PauliSum``; labels with coefficients, as a mapping or as pairs, or Qiskit's sparse triples
            ``("ZZ", [0, 1], -1.0)``; a Hermitian matrix ``(2**n, 2**n)``, dense or SciPy's sparse; Qiskit's
            ``SparsePauliOp``, ``Pauli``, ``PauliList``, ``SparseObservable`` or ``Operator``; PennyLane's operators,
            also as the pair with the number of qubits that ``qml.qchem`` returns, and molecules of ``qml.qchem``;
            OpenFermion's ``QubitOperator``; Cirq's ``PauliSum`` or ``PauliString`` on ``LineQubit`` objects.
        num_qubits: Size of the register, for formats without it; by default the highest qubit used plus one.

    Raises:
        ValueError: Another format, not Hermitian, or a qubit outside the register.

    Examples:
        >>> read_operator([("ZI", -1.0), ("IX", 0.5)]).terms()
        {'ZI': -1.0, 'IX': 0.5}
    """
    if type(operator).__name__ == "Molecule" and package_of(operator) == "pennylane":
        import pennylane as qml

        operator = qml.qchem.molecular_hamiltonian(operator)
    if isinstance(operator, tuple) and len(operator) == 2 and package_of(operator[0]) == "pennylane":
        operator, num_qubits = operator[0], operator[1] if num_qubits is None else num_qubits
    if num_qubits is not None and not (isinstance(num_qubits, int | np.integer) and 1 <= num_qubits <= MASK_QUBITS):
        raise ValueError(must("num_qubits", f"be an integer from 1 to {MASK_QUBITS}", num_qubits))
    result = _reader(operator)(operator, num_qubits)
    if num_qubits is not None and result.num_qubits != num_qubits:
        raise ValueError(must("num_qubits", f"be the {result.num_qubits} of the Hamiltonian", num_qubits))
    return result


def package_of(value: Any) -> str:
    """Return the library of a value's class, or of one of its base classes; empty if no library is known."""
    packages = (kind.__module__.partition(".")[0] for kind in type(value).__mro__)
    return next((package for package in packages if package in _READERS), "")


def _reader(operator: Any) -> Callable[[Any, int | None], PauliSum]:
    if isinstance(operator, PauliSum):
        return lambda known, _: known
    if isinstance(operator, np.ndarray):
        return _from_dense
    if hasattr(operator, "tocoo"):
        return _from_sparse
    if package := package_of(operator):
        return _READERS[package]
    if isinstance(operator, Mapping):
        return _from_mapping
    if isinstance(operator, list | tuple) and operator and all(map(_is_labelled, operator)):
        return _from_rows
    return _from_dense


def _is_labelled(row: Any) -> bool:
    return isinstance(row, list | tuple) and len(row) in (2, 3) and isinstance(row[0], str)


def sum_of_factors(
    terms: Iterable[tuple[Factors, Any]], num_qubits: int | None, rounding: float = _ROUNDING
) -> PauliSum:
    """Build from products of letters on numbered qubits with their coefficients; equal products add up.

    Args:
        terms: The factors and the coefficient of each.
        num_qubits: Size of the register; ``None`` for the highest qubit used plus one.
        rounding: Largest imaginary part that counts as rounding, relative to the largest coefficient.

    Raises:
        ValueError: Not Hermitian, a coefficient that is not a number, or a qubit outside the register.
    """
    rows = [([(_qubit(place), letter) for place, letter in factors], _number(weight)) for factors, weight in terms]
    touched = max((qubit for factors, _ in rows for qubit, _ in factors), default=0) + 1
    size = touched if num_qubits is None else num_qubits
    if touched > size or size > MASK_QUBITS:
        raise ValueError(must("num_qubits", f"be at least {touched} and at most {MASK_QUBITS}", size))
    x, z = np.zeros(len(rows), np.int64), np.zeros(len(rows), np.int64)
    for k, (factors, _) in enumerate(rows):
        for qubit, letter in factors:
            if letter not in ("I", "X", "Y", "Z"):
                raise ValueError(must("hamiltonian", "have the letters I, X, Y, Z", letter))
            x[k] |= (letter in "XY") << qubit
            z[k] |= (letter in "ZY") << qubit
    return _from_complex(size, x, z, np.array([weight for _, weight in rows], dtype=np.complex128), rounding)


def _from_complex(
    num_qubits: int, x: NDArray[np.int64], z: NDArray[np.int64], weights: NDArray[np.complex128], rounding: float
) -> PauliSum:
    """Build from masks and coefficients; imaginary parts are checked after equal strings are added."""
    if len(weights) == 0:
        raise ValueError(must("hamiltonian", "have at least one term", "empty"))
    imaginary = PauliSum.from_masks(num_qubits, x, z, weights.imag)
    largest = np.abs(imaginary.coefficients).argmax()
    if abs(imaginary.coefficients[largest]) > rounding * np.abs(weights).max():
        label, part = list(imaginary)[largest]
        raise ValueError(
            must("hamiltonian", "be Hermitian", f"{label} with a coefficient of imaginary part {part:.3g}")
        )
    return PauliSum.from_masks(num_qubits, x, z, weights.real)


def _qubit(place: Any) -> int:
    try:
        number = -1 if isinstance(place, bool) else arithmetic.index(place)
    except TypeError:
        number = -1
    if number < 0:
        raise ValueError(must("hamiltonian", "act on qubits that are numbered from 0", str(place)))
    return number


def _number(weight: Any) -> complex:
    try:
        if not isinstance(weight, str | bytes):
            return complex(weight)
    except (TypeError, ValueError, RuntimeError):
        pass
    raise ValueError(must("hamiltonian", "have numbers as coefficients", str(weight)))


def _from_mapping(terms: Mapping[Any, Any], num_qubits: int | None) -> PauliSum:
    return _from_rows(list(terms.items()), num_qubits)


def _from_rows(rows: Iterable[tuple[Any, ...]], num_qubits: int | None) -> PauliSum:
    """Read ``(label, coefficient)``, and Qiskit's ``(letters, qubits, coefficient)`` with a letter for each qubit."""
    products = []
    lengths: set[int] = set()
    for label, *places, weight in rows:
        if not isinstance(label, str):
            raise ValueError(must("hamiltonian", "have labels such as 'ZZI'", label))
        if not places:
            lengths.add(len(label))
        qubits = places[0] if places else range(len(label))[::-1]
        if not isinstance(qubits, Sequence) or not len(set(qubits)) == len(qubits) == len(label):
            raise ValueError(must("hamiltonian", "have one qubit for each letter", (label, *places)))
        products.append((list(zip(qubits, label, strict=True)), weight))
    if len(lengths) > 1:
        raise ValueError(must("hamiltonian", "have labels of one length", sorted(lengths)))
    size = lengths.pop() if lengths else num_qubits
    return sum_of_factors(products, size, rounding=0.0)


def _from_dense(operator: Any, num_qubits: int | None) -> PauliSum:
    try:
        matrix = np.asarray(operator)
    except Exception:  # the conversion of a foreign object may raise anything
        matrix = np.empty(0)
    if matrix.ndim != 2 or not (np.issubdtype(matrix.dtype, np.number) or matrix.dtype == bool):
        shown = operator if isinstance(operator, str | int | float | None) else type(operator)
        raise ValueError(must("hamiltonian", READABLE, shown))
    check_memory("hamiltonian", _DENSE_BYTES * matrix.size, f"a matrix of shape {matrix.shape}")
    return PauliSum.from_matrix(matrix)


def _from_sparse(matrix: Any, num_qubits: int | None) -> PauliSum:
    """Read a sparse matrix by its bit flips: the entries ``[i ^ x, i]`` of one ``x`` are a vector over ``i``."""
    size = matrix.shape[0]
    width = size.bit_length() - 1
    if matrix.shape != (1 << width, 1 << width) or not 1 <= width <= MASK_QUBITS:
        raise ValueError(must("hamiltonian", "have shape (2**n, 2**n) with n >= 1", matrix.shape))
    entries = matrix.tocoo()
    entries.sum_duplicates()
    if not np.isfinite(entries.data).all():
        raise ValueError(must("hamiltonian", "be finite", "a matrix with NaN or infinity"))
    flips, group = np.unique(entries.row.astype(np.int64) ^ entries.col, return_inverse=True)
    check_memory("hamiltonian", 48 * len(flips) << width, f"a sparse matrix with {len(flips)} kinds of bit flips")
    if len(flips) == 0:
        return PauliSum.from_masks(width, [0], [0], [0.0])
    vectors = np.zeros((len(flips), size), dtype=np.complex128)
    vectors[group, entries.col] = entries.data
    vectors = walsh_hadamard(vectors, width) / size  # (flips, z)
    k, z = np.nonzero(np.abs(vectors) >= _ROUNDING * np.abs(vectors).max())
    x = flips[k]
    return _from_complex(width, x, z, vectors[k, z] * (-1j) ** np.bitwise_count(x & z), _ROUNDING)


def read_qiskit(operator: Any) -> PauliSum:
    """Return an operator of Qiskit; labels carry over unchanged.

    Raises:
        ValueError: Another class, or not Hermitian.
    """
    from qiskit import quantum_info

    from qas_simulators.bridges.qiskit import pauli_sum_from_qiskit

    if isinstance(operator, quantum_info.SparseObservable):
        operator = quantum_info.SparsePauliOp.from_sparse_observable(operator)
    elif isinstance(operator, quantum_info.Pauli | quantum_info.PauliList):
        operator = quantum_info.SparsePauliOp(operator)
    elif isinstance(operator, quantum_info.Operator | quantum_info.ScalarOp):
        return _from_dense(quantum_info.Operator(operator).data, None)
    if not isinstance(operator, quantum_info.SparsePauliOp):
        choices = "be a SparsePauliOp, Pauli, PauliList, SparseObservable or Operator"
        raise ValueError(must("operator", choices, type(operator).__name__))
    if operator.coeffs.dtype == object:
        raise ValueError(must("operator", "have bound parameters", [str(weight) for weight in operator.coeffs][:4]))
    return pauli_sum_from_qiskit(operator)


def _from_pennylane(operator: Any, num_qubits: int | None) -> PauliSum:
    """Read an operator by its Pauli representation; others (``Hermitian``, ``Projector``) by their matrix."""
    sentence = operator if hasattr(operator, "items") else getattr(operator, "pauli_rep", None)
    if sentence is None:
        return _from_matrix_of_pennylane(operator, num_qubits)
    if type(sentence).__name__ == "PauliWord":
        sentence = {sentence: 1.0}
    return sum_of_factors(((word.items(), weight) for word, weight in sentence.items()), num_qubits)


def _from_matrix_of_pennylane(operator: Any, num_qubits: int | None) -> PauliSum:
    import pennylane as qml

    if not isinstance(operator, qml.operation.Operator):
        raise ValueError(must("hamiltonian", READABLE, type(operator)))
    wires = [_qubit(wire) for wire in operator.wires]
    size = max(wires, default=0) + 1 if num_qubits is None else num_qubits
    try:
        matrix = qml.matrix(operator, wire_order=range(size)[::-1])
    except (qml.operation.MatrixUndefinedError, qml.exceptions.WireError, ValueError) as error:
        raise ValueError(must("hamiltonian", "be an operator with a matrix on its wires", f"{error}")) from None
    return PauliSum.from_matrix(matrix)


def _from_openfermion(operator: Any, num_qubits: int | None) -> PauliSum:
    if type(operator).__name__ != "QubitOperator":
        raise ValueError(must("hamiltonian", "be a QubitOperator or an operator of fermions", type(operator)))
    return sum_of_factors(operator.terms.items(), num_qubits)


def _from_cirq(operator: Any, num_qubits: int | None) -> PauliSum:
    """Read a ``PauliSum`` or a single ``PauliString``."""
    strings = [operator] if hasattr(operator, "coefficient") and hasattr(operator, "items") else operator
    if strings is operator and type(operator).__name__ != "PauliSum":
        raise ValueError(must("hamiltonian", READABLE, type(operator)))
    terms = [
        ([(_line_position(qubit), str(gate)) for qubit, gate in string.items()], string.coefficient)
        for string in strings
    ]
    return sum_of_factors(terms, num_qubits)


def _line_position(qubit: Any) -> Any:
    return qubit.x if type(qubit).__name__ == "LineQubit" else qubit


_READERS: Final[dict[str, Callable[[Any, int | None], PauliSum]]] = {
    "qiskit": lambda operator, _: read_qiskit(operator),
    "pennylane": _from_pennylane,
    "openfermion": _from_openfermion,
    "cirq": _from_cirq,
}
