"""Checks of numbers that users pass: imaginary parts, text and truth values are no real numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qas_simulators.errors import must


def real_number(argument: str, value: Any) -> float:
    """Return a real number of any numeric type as a float; NaN and infinity pass.

    Args:
        argument: The argument's name in the message.
        value: Python, NumPy and SymPy numbers, ``Fraction``, ``Decimal``, arrays without dimensions.

    Raises:
        ValueError: An imaginary part that is not 0, a truth value, text, a symbol, or an array with dimensions.

    Examples:
        >>> real_number("p", np.complex64(0.5))
        0.5
        >>> real_number("p", 0.5j)
        Traceback (most recent call last):
        ValueError: Argument `p` must be a real number, but is 0.5j.
    """
    if type(value) is float:
        return value
    refused = isinstance(value, bool | np.bool_ | str | bytes) or getattr(value, "ndim", 0) != 0
    try:
        number = complex("nan" if refused else value)
    except (TypeError, ValueError, OverflowError):
        refused = True
    if refused or number.imag != 0:  # also refuses an imaginary part that is NaN
        raise ValueError(must(argument, "be a real number", value))
    return number.real


def finite_number(argument: str, value: Any) -> float:
    """Return a finite real number of any numeric type as a float.

    Raises:
        ValueError: As for :func:`real_number`, and NaN and infinity.
    """
    number = real_number(argument, value)
    if not np.isfinite(number):
        raise ValueError(must(argument, "be finite", value))
    return number


def real_array(argument: str, values: ArrayLike) -> NDArray[np.float64]:
    """Return real numbers of any numeric type as a float64 array; the same array if it is one already.

    Raises:
        ValueError: Rows of different lengths, or an entry that :func:`real_number` refuses.
    """
    try:
        array = np.asarray(values)
    except ValueError:
        raise ValueError(must(argument, "have rows of one length", values)) from None
    if array.dtype.kind in "fiu":
        return np.asarray(array, dtype=np.float64)
    if array.dtype.kind == "c" and not array.imag.any():
        return np.asarray(array.real, dtype=np.float64)
    entries = [real_number(argument, entry) for entry in array.ravel().tolist()]
    return np.array(entries, dtype=np.float64).reshape(array.shape)


def whole_numbers(argument: str, values: ArrayLike, stop: int) -> NDArray[np.int64]:
    """Return a list of integers in ``0..stop - 1`` as an array ``(len(values),)``.

    Raises:
        ValueError: Not one-dimensional, not of an integer type, or outside the range.
    """
    array = np.asarray(values)
    if array.ndim != 1 or (array.size and array.dtype.kind not in "iu"):
        raise ValueError(must(argument, "be a list of integers", values))
    outside = (array < 0) | (array >= stop)
    if outside.any():
        raise ValueError(must(argument, f"hold integers from 0 to {stop - 1}", array[outside][0].item()))
    return array.astype(np.int64)


def distinct_qubits(argument: str, values: Sequence[int], num_qubits: int | None = None) -> tuple[int, ...]:
    """Return different qubit numbers as a tuple of Python integers.

    Args:
        argument: The argument's name in the message.
        values: One or more integers.
        num_qubits: Size of the register; ``None`` for any.

    Raises:
        ValueError: Not a list of integers, an empty list, a qubit twice, or one outside the register.
    """
    where = "" if num_qubits is None else f" in 0..{num_qubits - 1}"
    try:
        qubits = tuple(whole_numbers(argument, list(values), num_qubits or 1 << 31).tolist())
    except (TypeError, ValueError):
        raise ValueError(must(argument, f"be a list of different qubits{where}", values)) from None
    if not qubits or len(set(qubits)) < len(qubits):
        raise ValueError(must(argument, f"be a list of different qubits{where}", values))
    return qubits
