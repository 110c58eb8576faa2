"""A comparison of two simulators' kernels, which the tests of GPUs share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from qas_simulators.circuit_batch import CircuitBatch
from qas_simulators.program import scan_each, solve_each
from tests.conftest import random_pauli_sum


def assert_same_minima(
    simulators: Sequence[Any], batches: Sequence[CircuitBatch], new: Sequence[int], rows: Any, descent: Any
) -> None:
    """Compare scans, or minimisations of some rows, by two simulators: energies, counts and angles."""
    observable = random_pauli_sum(2, 5, 1)
    results = []
    for simulator, batch in zip(simulators, batches, strict=True):
        program = simulator.batch_program(batch, observable)
        if descent is None:
            own = batch.sizes(range(len(new)), new)
            results.append((scan_each(program, batch.angles, own), np.zeros(0)))  # type: ignore[arg-type]
        else:
            sizes = batch.sizes(rows.tolist(), [new[row] for row in rows])
            results.append(solve_each(program, batch.angles, rows, sizes, descent))  # type: ignore[arg-type]
    np.testing.assert_allclose(results[1][0], results[0][0], atol=1e-12)
    np.testing.assert_array_equal(results[1][1], results[0][1])
    np.testing.assert_allclose(batches[1].angles, batches[0].angles, atol=1e-9)
