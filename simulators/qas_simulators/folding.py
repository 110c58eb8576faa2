"""Gate folding: circuits that do the same with more gates, and so with more noise."""

from __future__ import annotations

from typing import Final

import numpy as np

from qas_simulators.circuit import Circuit
from qas_simulators.flat_circuit import Link, Table
from qas_simulators.gates import GATES, gate_index

_INVERSES: Final = np.array([gate_index(gate.inverse) for gate in GATES], dtype=np.int32)


def folded(circuit: Circuit, scale: int) -> Circuit:
    """Return a circuit in which ``G G^-1 G ... G``, ``scale`` gates, stands for every gate ``G``.

    The parameters are those of the given circuit: the inverse of a rotation turns by minus the angle.

    Args:
        circuit: It is not changed.
        scale: An odd number.

    References:
        Giurgica-Tiron, Hindy, LaRose, Mari and Zeng, "Digital zero noise extrapolation for quantum error mitigation",
        arXiv:2005.10921 (gate folding).

    Examples:
        >>> folded(Circuit(2).ry(0.5, 0).cx(0, 1), 3).count_ops()
        {'ry': 3, 'cx': 3}
    """
    if scale == 1:
        return circuit
    links, result = circuit.links, Circuit(circuit.num_qubits)
    rotations: list[Link] = []
    for gate, qubit0, qubit1, rotation in circuit.table.tolist():
        for turn in range(scale):
            is_inverse = turn % 2 == 1
            result.append_row(int(_INVERSES[gate]) if is_inverse else gate, qubit0, qubit1)
            if rotation >= 0:
                source, factor, offset = links[rotation]
                rotations.append(Link(source, -factor, -offset) if is_inverse else links[rotation])
    result.set_links(rotations, circuit.params)
    return result


def inverses(table: Table) -> Table:
    """Return the rows of a circuit's table ``(..., 4)`` with the inverse of each gate."""
    found = table.copy()
    found[..., 0] = _INVERSES[found[..., 0]]
    return found
