"""Text drawing of a circuit."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from qas_simulators.circuit import Circuit
from qas_simulators.gates import GATES, gate_index


@cache
def ends_of(name: str) -> tuple[str, str]:
    """Return the symbols of a two-qubit gate on its first and on its second qubit."""
    gate = GATES[gate_index(name)]
    if gate.is_controlled:
        return "●", gate.symbol
    return (gate.symbol, gate.symbol) if gate.is_symmetric else (f"{gate.symbol}₀", f"{gate.symbol}₁")


def _shown(angle: float) -> str:
    """Return an angle with three digits; one that these would show as zero is shown with its power of ten."""
    return f"{angle:.0e}" if 0.0 < abs(angle) < 5e-4 else f"{angle:.3f}"


def draw_text(circuit: Circuit, angles: Iterable[str] | None = None) -> str:
    """Return one line per qubit, gates placed left to right in the moment they can start.

    Two-qubit gates occupy a column of their own so that their vertical lines never cross another gate.

    Args:
        circuit: The circuit.
        angles: Text for the angle of every rotation; by default its value in radians.

    Examples:
        >>> print(draw_text(Circuit(2).h(0).cx(0, 1).ry(0.5, 1)))
        q0: ──H──●───────────
                 │
        q1: ─────X──RY(0.500)
    """
    num_qubits = circuit.num_qubits
    texts = iter(angles if angles is not None else [_shown(angle) for *_, angle in circuit if angle is not None])
    columns: list[dict[int, str]] = []
    links: list[tuple[int, int] | None] = []
    free = [0] * num_qubits  # first column still free on each qubit
    for name, qubits, angle in circuit:
        symbol = GATES[gate_index(name)].symbol
        low, high = min(qubits), max(qubits)
        column = max(free[low : high + 1])
        while len(columns) <= column:
            columns.append({})
            links.append(None)
        if len(qubits) == 1:
            columns[column][low] = symbol if angle is None else f"{symbol}({next(texts)})"
        else:
            first, second = ends_of(name)
            first = first if angle is None else f"{first}({next(texts)})"
            columns[column] = {**columns[column], qubits[0]: first, qubits[1]: second}
            columns[column].update(dict.fromkeys(range(low + 1, high), "┼"))
            links[column] = (low, high)
        free[low : high + 1] = [column + 1] * (high + 1 - low)
    widths = [max(map(len, cells.values())) for cells in columns]
    margin = len(f"q{num_qubits - 1}: ")
    lines = []
    for qubit in range(num_qubits):
        wire, gap = [f"q{qubit}: ".ljust(margin)], [" " * margin]
        for cells, link, width in zip(columns, links, widths, strict=True):
            text = cells.get(qubit)
            wire.append("──" + (text.ljust(width, "─") if text else "─" * width))
            gap.append("  │".ljust(width + 2) if link and link[0] <= qubit < link[1] else " " * (width + 2))
        lines += ["".join(wire), "".join(gap)]
    return "\n".join(line.rstrip() for line in lines[:-1])
