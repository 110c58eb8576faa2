"""The lowest eigenvalues of an operator that is too large for a matrix."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from qas_simulators.pauli import GroupedPauliSum

_RESTARTS: Final = 100
_QUIET: Final = 10.0  # seconds between lines of progress


def lowest_eigenvalues(grouped: GroupedPauliSum, count: int) -> NDArray[np.float64]:
    """Return the ``count`` lowest eigenvalues in ascending order by ARPACK's restarted Lanczos iteration.

    The arithmetic is real where all diagonals are. Every ten seconds, a line of progress goes to standard error.

    Raises:
        ValueError: Not converged after 100 restarts.
    """
    from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh

    flips, size = grouped.flips, grouped.diagonals.shape[1]
    is_real = not grouped.diagonals.imag.any()
    diagonals: NDArray[np.inexact] = grouped.diagonals.real if is_real else grouped.diagonals
    index = np.arange(size)
    progress = _ProductCounter(size.bit_length() - 1)

    def multiply(vector: NDArray[np.inexact]) -> NDArray[np.inexact]:
        progress.count()
        vector = vector.reshape(-1)
        out = np.zeros(size, dtype=np.result_type(diagonals, vector))
        for flip, diagonal in zip(flips, diagonals, strict=True):
            out += (diagonal * vector)[index ^ flip] if flip else diagonal * vector
        return out

    start = np.random.default_rng(0).normal(size=size)  # Lanczos must not start orthogonal to the ground state
    operator = LinearOperator((size, size), matvec=multiply, dtype=diagonals.dtype)
    settings = {"which": "SA", "v0": start, "tol": 1e-12, "maxiter": _RESTARTS, "return_eigenvectors": False}
    try:
        return np.sort(eigsh(operator, k=count, ncv=min(size, 2 * count + 30), **settings))
    except ArpackNoConvergence:
        raise ValueError(
            f"The ground energy did not converge in {progress.products} products with the Hamiltonian: "
            "give it as `ground_energy`."
        ) from None


class _ProductCounter:
    """Counts products with the operator, and reports their number every ten seconds."""

    def __init__(self, num_qubits: int) -> None:
        self.products = 0
        self._num_qubits = num_qubits
        self._started = self._reported = time.monotonic()

    def count(self) -> None:
        self.products += 1
        now = time.monotonic()
        if now - self._reported > _QUIET:
            self._reported = now
            sys.stderr.write(
                f"Exact ground energy of {self._num_qubits} qubits: {self.products} products with the Hamiltonian "
                f"after {now - self._started:.0f} s (`ground_energy` spares this).\n"
            )
            sys.stderr.flush()
