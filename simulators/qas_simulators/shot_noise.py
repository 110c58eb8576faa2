"""Shot noise: the variance of each Pauli term's measurement, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
TermVariances = Callable[[FloatArray, Callable[[], FloatArray]], FloatArray]
"""A function of the coefficients ``(num_terms,)`` and of a function that computes the terms' means ``(num_terms,)``.

It returns the variance of one measurement of each term, ``(num_terms,)``. The identity's is never used: a constant is
not measured.
"""


def exact(_coefficients: FloatArray, term_means: Callable[[], FloatArray]) -> FloatArray:
    """Return ``1 - <P>**2``, the variance of a measurement whose outcomes are -1 and +1."""
    return np.clip(1.0 - term_means() ** 2, 0.0, None)


def crlqas(coefficients: FloatArray, _term_means: Callable[[], FloatArray]) -> FloatArray:
    """Return the rule of CRLQAS's noiseless code: 1 for every state, 1/10 for terms with ``|c| > 0.05``.

    The latter get ten times the shots.

    References:
        Patel et al., arXiv:2402.03500, released code. Deviation: the identity has no noise; there it has where the
        released file stores a part of the constant as a term.
    """
    return np.where(np.abs(coefficients) > 0.05, 0.1, 1.0)


def crlqas_noisy(coefficients: FloatArray, _term_means: Callable[[], FloatArray]) -> FloatArray:
    """Return the rule of CRLQAS's noisy code: 1 for every state and term.

    References:
        As for :func:`crlqas`, with the same deviation.
    """
    return np.ones_like(coefficients)


SHOT_NOISES: Final[dict[str, TermVariances]] = {"exact": exact, "crlqas": crlqas, "crlqas_noisy": crlqas_noisy}
