"""Flat programs of real gates and real observables, and the slopes of exponentials inserted into such circuits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from qas_simulators import kernels
from qas_simulators.circuit import Circuit
from qas_simulators.flat_circuit import Table
from qas_simulators.gates import GATES
from qas_simulators.kernels.tasks import NOT_REAL, REAL_CX, REAL_CZ, REAL_MATRIX, REAL_SWAP, REAL_TURN
from qas_simulators.pauli import PauliSum, real_rows
from qas_simulators.program import UNLINKED, FloatArray, KernelProgram, Links


def _real_tables() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    kinds = np.full(len(GATES), NOT_REAL)
    matrices = np.zeros((len(GATES), 2, 2))
    pairs = {"cx": REAL_CX, "cz": REAL_CZ, "swap": REAL_SWAP}
    for row, gate in enumerate(GATES):
        if gate.name in pairs or gate.name == "ry":
            kinds[row] = pairs.get(gate.name, REAL_TURN)
        elif gate.num_qubits == 1 and gate.axis is None and gate.inverse == gate.name and not gate.matrix().imag.any():
            kinds[row], matrices[row] = REAL_MATRIX, gate.matrix().real
    return kinds, matrices


REAL_KINDS, REAL_MATRICES = _real_tables()


def is_real(tables: Table, observable: PauliSum) -> bool:
    """Return whether all gates, and the observable, have real matrices that the kernels in real arithmetic know.

    A preparation is simulated in complex arithmetic only.
    """
    return (
        observable.preparation is None and observable.is_real and bool((REAL_KINDS[tables[..., 0]] != NOT_REAL).all())
    )


def real_program(tables: Table, observable: PauliSum, links: Links = UNLINKED) -> KernelProgram:
    """Return the same program in real arithmetic, for gates and an observable that :func:`is_real` accepts."""
    constants = REAL_KINDS, REAL_MATRICES, *real_rows(observable)
    size = 1 << observable.num_qubits
    return KernelProgram(kernels.real_entries.solve_real, tables, constants, np.float64, size, (2, 2, 3, 3), links)


def insertion_slopes(
    circuit: Circuit, observable: PauliSum, places: NDArray[np.int64], x: NDArray[np.int64], z: NDArray[np.int64]
) -> tuple[float, FloatArray]:
    """Return the energy, and its derivatives by the angles of Pauli exponentials inserted at angle 0, one at a time.

    Args:
        circuit: Of real gates.
        observable: With a real matrix.
        places: Numbers of gates before which strings are inserted, descending; the number of gates for the end.
        x: Bits that each string flips, ``(strings,)``; see :class:`PauliSum`.
        z: Bits that give it a sign; the number of bits in both is odd.

    Returns:
        The energy, and the derivatives ``(places, strings)`` of ``exp(-i angle / 2 P)``.
    """
    slopes = np.empty((len(places), len(x)))
    factors = np.where(np.bitwise_count(x & z) % 4 == 1, 1.0, -1.0)
    constants = REAL_KINDS, REAL_MATRICES, *real_rows(observable)
    params = np.ascontiguousarray(circuit.angles)
    energy = kernels.real_amplitudes.insertion_slopes(circuit.table, *constants, params, places, x, z, factors, slopes)
    return float(energy), slopes
