"""The choice between vector instructions and plain loops.

``lanes`` and ``sharing`` are built on a private interface of numba and llvmlite, which may change with any release.
Where it is missing, or fails its trial, the kernels use ``loops`` instead: the same numbers to rounding, more slowly,
and batches of different circuits on one thread. The environment variable ``QAS_ENVS_PLAIN_KERNELS=1`` asks for them.
"""

from __future__ import annotations

import os
from typing import Any, Final

import numba
import numpy as np

from qas_simulators.kernels import loops
from qas_simulators.kernels.loops import INNER_MASKS as INNER_MASKS

PLAIN_VARIABLE: Final = "QAS_ENVS_PLAIN_KERNELS"
TESTED: Final = (0, 61), (0, 69)  # first numba version, and the first beyond, that need no trial; see pyproject.toml
PRIVATE_OPTIONS: Final = {"_nrt": False}


def private_api_works() -> bool:
    """Return whether vector passes compile, and give the right numbers in a trial of each kind of instruction."""
    try:
        from qas_simulators.kernels import lanes, sharing

        @numba.njit(**loops.OPTIONS, **PRIVATE_OPTIONS)
        def trial(vector, other, sums, block, columns, offsets, cursor):
            sharing.claim(cursor)
            lanes.mix_runs(vector, block, 0, True, 16)
            lanes.mix2_scattered(vector, columns, 0, offsets, 4, 4, 1)
            lanes.exchange_runs4(vector, 16, 16, 4, 4, 8, -1.0, 2.0)
            lanes.correlate_lanes1(other, vector, sums, block, 0)

        rng, cursor = np.random.default_rng(0), np.zeros(1, dtype=np.int64)  # a register of three qubits
        vector, other, sums = rng.normal(size=64), rng.normal(size=64), np.empty(96)
        block, matrix = rng.normal(size=(4, 4)), rng.normal(size=(16, 16))
        expected = (block.T @ vector.reshape(4, 16) @ matrix.T).ravel()
        expected[4:12] = [*(-expected[8:12]), *(2.0 * expected[4:8])]
        products = (expected * other).reshape(4, 16).sum(axis=0)
        pulled = np.einsum("qp,aqb->apb", block, other.reshape(4, 4, 4)).ravel()
        trial(vector, other, sums, block, matrix.T.copy(), np.arange(16), cursor)
    except Exception:  # whatever a changed interface raises: plain loops need none of it
        return False
    pairs = (vector, expected), (sums[:16], products), (other, pulled), (cursor, 1)
    return all(np.allclose(found, wanted, rtol=0.0, atol=1e-12) for found, wanted in pairs)


def _is_plain() -> bool:
    if os.environ.get(PLAIN_VARIABLE, "0") not in ("", "0"):
        return True
    try:
        version = tuple(int(part) for part in numba.__version__.split(".")[:2])
        from qas_simulators.kernels import lanes, sharing  # noqa: F401
    except (ImportError, AttributeError, ValueError):
        return True
    return not (TESTED[0] <= version < TESTED[1] or private_api_works())


IS_PLAIN: Final = _is_plain()
passes: Any
claim: Any
if IS_PLAIN:
    passes, claim = loops, loops.claim
else:
    from qas_simulators.kernels import lanes
    from qas_simulators.kernels.sharing import claim as _claim

    passes, claim = lanes, _claim
