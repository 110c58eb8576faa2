"""Bit masks of qubits: 64-bit integers to 60 qubits, Python's own integers above."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qas_simulators.checks import whole_numbers
from qas_simulators.errors import must
from qas_simulators.flat_circuit import MASK_QUBITS

Masks = NDArray[Any]
"""``int64``; with more than 60 qubits objects, which NumPy's operators work on too."""


def mask_type(num_qubits: int) -> type:
    """Return the type of arrays of masks."""
    return np.int64 if num_qubits <= MASK_QUBITS else object


def checked_masks(name: str, values: ArrayLike, num_qubits: int) -> Masks:
    """Return a list of masks as an array.

    Raises:
        ValueError: Not a list of integers, or one outside the register.
    """
    if num_qubits <= MASK_QUBITS:
        return whole_numbers(name, values, 1 << num_qubits)
    masks = np.asarray(values)
    entries = masks.tolist()
    if masks.ndim != 1 or not all(isinstance(entry, int) and not isinstance(entry, bool) for entry in entries):
        raise ValueError(must(name, "be a list of integers", values))
    outside = [entry for entry in entries if not 0 <= entry < 1 << num_qubits]
    if outside:
        raise ValueError(must(name, f"hold integers from 0 to 2**{num_qubits} - 1", outside[0]))
    return np.array(entries, dtype=object)
