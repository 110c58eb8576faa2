"""Pictures of circuits with matplotlib, for paper and for dark pages (needs the ``plots`` extra)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from qas_simulators.circuit import Circuit
from qas_simulators.drawing import ends_of
from qas_simulators.errors import must, needs_extra, unknown_name
from qas_simulators.gates import GATES, gate_index

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIDE: Final = 0.56  # inches from one moment, or qubit, to the next
_BOX: Final = 0.39  # half the side of a gate's box, in moments


@dataclass(frozen=True)
class Theme:
    """Colours of a picture.

    Attributes:
        paper: The background.
        ink: Text and two-qubit gates.
        wire: Lines of qubits and of grids.
        colours: Distinct colours, also to the colour-blind: Okabe and Ito's.
    """

    paper: str
    ink: str
    wire: str
    colours: tuple[str, ...]


THEMES: Final = {
    "light": Theme("#ffffff", "#1a1a1a", "#8a8a8a", ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")),
    "dark": Theme("#1e2129", "#f0f0f0", "#8a8f9c", ("#56b4e9", "#e69f00", "#2fc79b", "#cc79a7", "#4a9bd1", "#d55e00")),
}
_OF_AXES: Final = {"X": 1, "Y": 0, "Z": 2}  # which colour a rotation's box has


def theme_of(name: str) -> Theme:
    """Return a theme by name.

    Raises:
        ValueError: Unknown name.
    """
    if name not in THEMES:
        raise ValueError(unknown_name("theme", name, THEMES))
    return THEMES[name]


def new_figure(width: float, height: float, theme: str = "light") -> Figure:
    """Return an empty figure, its size in inches, that opens no window."""
    with needs_extra("plots"):
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained", facecolor=theme_of(theme).paper)
    FigureCanvasAgg(figure)
    return figure


def circuit_figure(
    circuit: Circuit,
    *,
    angles: Sequence[str] | None = None,
    title: str | None = None,
    theme: str = "light",
    fold: int = 24,
) -> Figure:
    """Return a picture of a circuit; ``figure.savefig("circuit.png", dpi=150)`` writes it, as PDF and SVG too.

    Args:
        circuit: The circuit.
        angles: Text for each rotation's angle; by default its value in radians.
        title: Text above the picture.
        theme: ``"light"`` or ``"dark"``.
        fold: Moments in a row; longer circuits continue below.

    Raises:
        ImportError: Matplotlib is not installed.
        ValueError: Unknown theme, another number of angles than of rotations, or a row without moments.

    Examples:
        >>> figure = circuit_figure(Circuit(2).h(0).cx(0, 1), title="Bell")
        >>> figure.savefig("bell.svg")  # doctest: +SKIP
    """
    columns, rows = extent(circuit, fold)
    figure = new_figure((columns + 1.4) * SIDE, (rows + (0.9 if title else 0.2)) * SIDE, theme)
    axes = figure.subplots()
    if title:
        axes.set_title(title, color=theme_of(theme).ink, fontsize=10)
    draw_circuit(axes, circuit, angles=angles, theme=theme, fold=fold)
    return figure


def extent(circuit: Circuit, fold: int = 24) -> tuple[int, float]:
    """Return how many moments wide and how many qubits high a drawing is."""
    if fold < 1:
        raise ValueError(must("fold", "be at least 1", fold))
    columns = max((column for column, *_ in placed(circuit)), default=0) + 1
    bands = -(-columns // fold)
    return min(columns, fold), bands * circuit.num_qubits + (bands - 1) * 0.6


def draw_circuit(
    axes: Axes,
    circuit: Circuit,
    *,
    angles: Iterable[str] | None = None,
    theme: str = "light",
    fold: int = 24,
    side: float = SIDE,
) -> None:
    """Draw a circuit into axes: each gate in the moment in which it starts, its angle below its name.

    Args:
        axes: Matplotlib's axes.
        circuit: The circuit.
        angles: Text for each rotation's angle; by default its value in radians.
        theme: ``"light"`` or ``"dark"``.
        fold: Moments in a row.
        side: Width of a moment in inches, for the size of the text.

    Raises:
        ValueError: Unknown theme, another number of angles than of rotations, or a row without moments.
    """
    colours, num_qubits = theme_of(theme), circuit.num_qubits
    texts = list(angles if angles is not None else [f"{angle:.2f}" for *_, angle in circuit if angle is not None])
    if len(texts) != circuit.num_rotations:
        raise ValueError(must("angles", f"hold a text for each of {circuit.num_rotations} rotations", texts))
    rest = iter(texts)
    columns, rows = extent(circuit, fold)
    gates = list(placed(circuit))
    last = max((column for column, *_ in gates), default=0)
    for band in range(last // fold + 1):
        end = min(columns, last - band * fold + 1)
        for qubit in range(num_qubits):
            y = -band * (num_qubits + 0.6) - qubit
            axes.plot([-0.7, end - 0.3], [y, y], color=colours.wire, lw=0.9, zorder=1)
            axes.text(-0.85, y, f"q{qubit}", ha="right", va="center", color=colours.ink, fontsize=16 * side)
    for column, name, qubits, angle in gates:
        top = -(column // fold) * (num_qubits + 0.6)
        x, ys = column % fold, [top - qubit for qubit in qubits]
        if len(qubits) == 2:
            axes.plot([x, x], ys, color=colours.ink, lw=1.4, zorder=2)
        text = next(rest) if angle is not None else None
        for position, y in enumerate(ys):
            _draw_gate(axes, (x, y), name, position, text, colours, side)
    axes.set_xlim(-1.6, columns - 0.2)
    axes.set_ylim(-rows + 0.4, 0.6)
    axes.set_aspect("equal", adjustable="box", anchor="C")
    axes.set_axis_off()


def placed(circuit: Circuit) -> Iterable[tuple[int, str, tuple[int, ...], float | None]]:
    """Yield gates with their moment, later if a two-qubit gate's line would cross another gate."""
    free = [0] * circuit.num_qubits
    for name, qubits, angle in circuit:
        low, high = min(qubits), max(qubits)
        column = max(free[low : high + 1])
        free[low : high + 1] = [column + 1] * (high + 1 - low)
        yield column, name, qubits, angle


def _draw_gate(
    axes: Axes, place: tuple[float, float], name: str, position: int, angle: str | None, colours: Theme, side: float
) -> None:
    from matplotlib.patches import Circle, FancyBboxPatch

    (x, y), ink = place, colours.ink
    gate = GATES[gate_index(name)]
    if name == "cz" or (gate.is_controlled and position == 0):
        axes.add_patch(Circle(place, 0.12, color=ink, zorder=3))
        return
    if name == "cx":
        axes.add_patch(Circle(place, 0.24, fc=colours.paper, ec=ink, lw=1.4, zorder=3))
        axes.plot([x - 0.24, x + 0.24], [y, y], color=ink, lw=1.4, zorder=4)
        axes.plot([x, x], [y - 0.24, y + 0.24], color=ink, lw=1.4, zorder=4)
        return
    if name == "swap":
        for slope in (-1, 1):
            axes.plot([x - 0.16, x + 0.16], [y - 0.16 * slope, y + 0.16 * slope], color=ink, lw=1.6, zorder=3)
        return
    edge = ink if gate.axis is None else colours.colours[_OF_AXES[gate.axis[0]]]
    corner, round_corners = (x - _BOX, y - _BOX), f"round,pad=0,rounding_size={_BOX / 4}"
    box = FancyBboxPatch(corner, 2 * _BOX, 2 * _BOX, boxstyle=round_corners, fc=colours.paper, ec=edge, lw=1.4)
    box.set_zorder(3)
    axes.add_patch(box)
    words: dict[str, Any] = {"ha": "center", "color": ink, "zorder": 4}
    symbol = gate.symbol if gate.num_qubits == 1 else ends_of(name)[position]
    axes.text(x, y + (0.13 if angle else 0.0), symbol, va="center", fontsize=16 * side, **words)
    if angle:
        size = min(12.0, 62.0 / len(angle)) * side
        axes.text(x, y - 0.2, angle, va="center", fontsize=size, **words)
