"""The entry of the kernels in real arithmetic."""

from __future__ import annotations

from qas_simulators.kernels.compile import kernel
from qas_simulators.kernels.entries import _solve
from qas_simulators.kernels.passes import claim
from qas_simulators.kernels.real_amplitudes import RealProgram


@kernel
def solve_real(
    tables,
    kinds,
    matrices,
    matrix_rows,
    columns,
    entries,
    memory,
    links,
    cursor,
    task,
    rows,
    batch,
    sizes,
    counts,
    settings,
):
    """Do one task for circuits of real gates; see :func:`qas_simulators.kernels.entries.solve_statevector`."""
    k = claim(cursor)
    while k < rows.size:
        row = rows[k]
        program = RealProgram(tables[row, : sizes[k, 0]], kinds, matrices, matrix_rows, columns, entries)
        _solve(program, memory, links, task, row, batch, sizes[k], counts[k], settings)
        k = claim(cursor)
