"""Drawings of circuits as text of other programs: LaTeX (quantikz) and SVG, without matplotlib."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Final

from qas_simulators.circuit import Circuit
from qas_simulators.drawing import ends_of
from qas_simulators.errors import must
from qas_simulators.gates import GATES, gate_index
from qas_simulators.pictures import placed, theme_of

_SIDE: Final = 48  # pixels from one moment, or qubit, to the next
_BOX: Final = 34  # side of a gate's box


def _texts_of(circuit: Circuit, angles: Iterable[str] | None, digits: int) -> list[str]:
    default = [f"{angle:.{digits}f}" for *_, angle in circuit if angle is not None]
    texts = default if angles is None else list(angles)
    if len(texts) != len(default):
        raise ValueError(must("angles", f"hold a text for each of {len(default)} rotations", texts))
    return texts


# -- LaTeX -------------------------------------------------------------------------------------------------------------


def draw_latex(circuit: Circuit, angles: Iterable[str] | None = None) -> str:
    r"""Return a ``quantikz`` environment; the document needs ``\usetikzlibrary{quantikz2}`` (or ``quantikz``).

    Args:
        circuit: The circuit.
        angles: LaTeX text, in math mode, for the angle of every rotation; by default its value in radians.

    Raises:
        ValueError: Another number of texts than of rotations.

    Examples:
        >>> print(draw_latex(Circuit(2).h(0).cx(0, 1).ry(0.5, 1), angles=[r"\theta"]))
        \begin{quantikz}
        \lstick{$q_{0}$} & \gate{H} & \ctrl{1} & & \\
        \lstick{$q_{1}$} & & \targ{} & \gate{R_{Y}(\theta)} &
        \end{quantikz}
    """
    texts = iter(_texts_of(circuit, angles, 3))
    cells: dict[tuple[int, int], str] = {}
    width = 0
    for column, name, qubits, angle in placed(circuit):
        width = max(width, column + 1)
        text = "" if angle is None else f"({next(texts)})"
        for qubit, cell in zip(qubits, _latex(name, qubits, text), strict=True):
            cells[qubit, column] = cell
    rows = []
    for qubit in range(circuit.num_qubits):
        row = [f"\\lstick{{$q_{{{qubit}}}$}}", *(cells.get((qubit, column), "") for column in range(width)), ""]
        rows.append(" ".join(" & ".join(row).split()))
    return "\\begin{quantikz}\n" + " \\\\\n".join(rows) + "\n\\end{quantikz}"


def _latex(name: str, qubits: tuple[int, ...], angle: str) -> list[str]:
    """Return the cells of a gate on each of its qubits."""
    gate = GATES[gate_index(name)]
    if gate.num_qubits == 1:
        return [f"\\gate{{{_symbol(gate.symbol, gate.axis)}{angle}}}"]
    distance = qubits[1] - qubits[0]
    if name == "swap":
        return [f"\\swap{{{distance}}}", "\\targX{}"]
    if gate.is_controlled:
        ends = {"cx": "\\targ{}", "cz": "\\control{}"}
        return [f"\\ctrl{{{distance}}}", ends.get(name, f"\\gate{{{_symbol(gate.symbol, None)}{angle}}}")]
    if gate.is_symmetric:
        symbols = [_symbol(gate.symbol, gate.axis)] * 2
    else:
        symbols = [f"{_symbol(gate.symbol, gate.axis)}_{{{k}}}" for k in (0, 1)]
    return [f"\\gate{{{symbols[0]}{angle}}}\\vqw{{{distance}}}", f"\\gate{{{symbols[1]}}}"]


def _symbol(symbol: str, axis: str | None) -> str:
    """Return a gate's symbol in LaTeX's math mode."""
    if axis is not None and symbol.startswith("R"):
        return f"R_{{{axis}}}"
    letters = symbol.replace("†", "")
    text = letters if len(letters) == 1 else f"\\mathrm{{{letters}}}"
    return f"{text}^\\dagger" if "†" in symbol else text


# -- SVG ---------------------------------------------------------------------------------------------------------------


def draw_svg(circuit: Circuit, angles: Iterable[str] | None = None, theme: str = "light") -> str:
    """Return an SVG picture: each gate in the moment in which it starts, its angle below its name.

    Args:
        circuit: The circuit.
        angles: Text for the angle of every rotation; by default its value in radians.
        theme: ``"light"`` or ``"dark"``.

    Raises:
        ValueError: Unknown theme, or another number of texts than of rotations.

    Examples:
        >>> draw_svg(Circuit(1).h(0))[:41]
        '<svg xmlns="http://www.w3.org/2000/svg" w'
    """
    colours, texts = theme_of(theme), iter(_texts_of(circuit, angles, 2))
    gates = list(placed(circuit))
    columns = max((column for column, *_ in gates), default=0) + 1
    width, height = int((columns + 1.3) * _SIDE), circuit.num_qubits * _SIDE
    ink, paper = colours.ink, colours.paper
    parts = [f'<rect width="{width}" height="{height}" fill="{paper}"/>']
    for qubit in range(circuit.num_qubits):
        y = _y(qubit)
        parts.append(_label(_SIDE * 0.45, y, f"q{qubit}", ink, 15))
        parts.append(_line(_SIDE * 0.8, y, width - _SIDE * 0.2, y, colours.wire, 1))
    for column, name, qubits, angle in gates:
        x, text = (column + 1.4) * _SIDE, next(texts) if angle is not None else ""
        if len(qubits) == 2:
            parts.append(_line(x, _y(qubits[0]), x, _y(qubits[1]), ink, 1.6))
        for position, qubit in enumerate(qubits):
            parts += _svg_gate(x, _y(qubit), name, position, text, ink, paper)
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
    return head + 'font-family="sans-serif" text-anchor="middle">' + "".join(parts) + "</svg>"


def _y(qubit: int) -> float:
    return (qubit + 0.5) * _SIDE


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float) -> str:
    return f'<path d="M{x1:g} {y1:g}L{x2:g} {y2:g}" stroke="{colour}" stroke-width="{width}"/>'


def _label(x: float, y: float, text: str, colour: str, size: float) -> str:
    return f'<text x="{x:g}" y="{y:g}" dy="0.35em" font-size="{size:g}" fill="{colour}">{escape(text)}</text>'


def _svg_gate(x: float, y: float, name: str, position: int, angle: str, ink: str, paper: str) -> list[str]:
    """Return the elements of one end of a gate."""
    gate = GATES[gate_index(name)]
    if name == "cz" or (gate.is_controlled and position == 0):
        return [f'<circle cx="{x:g}" cy="{y:g}" r="5" fill="{ink}"/>']
    if name == "cx":
        circle = f'<circle cx="{x:g}" cy="{y:g}" r="11" fill="{paper}" stroke="{ink}" stroke-width="1.6"/>'
        return [circle, _line(x - 11, y, x + 11, y, ink, 1.6), _line(x, y - 11, x, y + 11, ink, 1.6)]
    if name == "swap":
        return [_line(x - 7, y - 7, x + 7, y + 7, ink, 1.8), _line(x - 7, y + 7, x + 7, y - 7, ink, 1.8)]
    symbol = gate.symbol if gate.num_qubits == 1 else ends_of(name)[position]
    half = _BOX / 2
    box = (
        f'<rect x="{x - half:g}" y="{y - half:g}" width="{_BOX}" height="{_BOX}" rx="4" fill="{paper}" '
        f'stroke="{ink}" stroke-width="1.4"/>'
    )
    words = [_label(x, y - (7 if angle else 0), symbol, ink, 14)]
    if angle:
        words.append(_label(x, y + 9, angle, ink, min(11.0, 55.0 / len(angle))))
    return [box, *words]
