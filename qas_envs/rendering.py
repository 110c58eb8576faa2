"""Pictures of an environment: the circuit and the error after every gate (needs matplotlib)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from qas_simulators import Circuit
from qas_simulators.errors import must, needs_extra
from qas_simulators.gates import GATES, gate_index

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

RENDER_MODES: Final = ("ansi", "rgb_array", "human")
_BLUE, _ORANGE, _GREY = "#0072b2", "#d55e00", "#666666"  # of Okabe and Ito's palette, safe for the colour-blind
_SMALLEST = 1e-12  # errors below are drawn here


def draw_circuit(axes: Axes, circuit: Circuit) -> None:
    """Draw gates in the moments in which they start; angles in radians below the name."""
    num_qubits = circuit.num_qubits
    free = [0] * num_qubits
    for name, qubits, angle in circuit:
        low, high = min(qubits), max(qubits)
        column = max(free[low : high + 1])  # lines of two-qubit gates cross no gate
        free[low : high + 1] = [column + 1] * (high + 1 - low)
        if len(qubits) == 2:
            axes.plot([column, column], [-low, -high], color=_BLUE, lw=1.5, zorder=2)
        for position, qubit in enumerate(qubits):
            _draw_symbol(axes, column, -qubit, name, position, angle)
    last = max([*free, 1])
    for qubit in range(num_qubits):
        axes.plot([-0.7, last - 0.3], [-qubit, -qubit], color=_GREY, lw=0.8, zorder=1)
        axes.text(-0.9, -qubit, f"q{qubit}", ha="right", va="center", fontsize=9)
    axes.set_xlim(-1.4, last)
    axes.set_ylim(-num_qubits + 0.3, 0.7)
    axes.set_axis_off()


def _draw_symbol(axes: Axes, x: float, y: float, name: str, position: int, angle: float | None) -> None:
    if name in ("cx", "cz") and (position == 0 or name == "cz"):
        axes.plot([x], [y], "o", color=_BLUE, ms=6, zorder=3)
        return
    if name == "swap":
        axes.plot([x], [y], "x", color=_BLUE, ms=8, mew=2, zorder=3)
        return
    symbol = "+" if name == "cx" else GATES[gate_index(name)].symbol
    text = symbol if angle is None else f"{symbol}\n{angle:.2f}"
    box = {"boxstyle": "circle,pad=0.15" if name == "cx" else "square,pad=0.3", "fc": "white", "ec": _BLUE}
    axes.text(x, y, text, ha="center", va="center", fontsize=7, color="black", bbox=box, zorder=4)


def figure_of(title: str, circuit: Circuit, errors: list[float], threshold: float) -> Figure:
    """Return the circuit above the errors ``|energy - ground energy|`` of the episode, log scale."""
    with needs_extra("experiments"):
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), dpi=100, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    top, bottom = figure.subplots(2, 1, height_ratios=[3, 2])
    top.set_title(title, fontsize=10)
    draw_circuit(top, circuit)
    drawn = np.maximum(np.abs(errors), _SMALLEST)
    bottom.semilogy(range(len(drawn)), drawn, "o-", color=_BLUE, ms=3, lw=1)
    bottom.axhline(threshold, color=_ORANGE, lw=1, ls="--", label="threshold")
    bottom.set_xlabel("gates added")
    bottom.set_ylabel("error")
    bottom.legend(fontsize=8, loc="upper right")
    return figure


def pixels_of(figure: Figure) -> NDArray[np.uint8]:
    """Return a figure as an image ``(height, width, 3)``."""
    canvas: Any = figure.canvas
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[:, :, :3])


class Window:
    """A window that shows the latest picture."""

    def __init__(self) -> None:
        self._image: Any = None

    def show(self, pixels: NDArray[np.uint8]) -> None:
        """Show a picture without waiting."""
        with needs_extra("experiments"):
            from matplotlib import pyplot as plt

        if self._image is None:
            plt.ion()
            figure, axes = plt.subplots(figsize=(8, 5), layout="constrained")
            axes.set_axis_off()
            self._image = axes.imshow(pixels)
            figure.show()
        self._image.set_data(pixels)
        self._image.figure.canvas.draw_idle()
        self._image.figure.canvas.flush_events()

    def close(self) -> None:
        """Close the window, if it was opened."""
        if self._image is not None:
            from matplotlib import pyplot as plt

            plt.close(self._image.figure)
            self._image = None


class Renderer:
    """Shows one environment in its render mode.

    Args:
        mode: One of :data:`RENDER_MODES`, or ``None`` to show nothing.

    Raises:
        ValueError: Another mode.
    """

    def __init__(self, mode: str | None) -> None:
        if mode is not None and mode not in RENDER_MODES:
            raise ValueError(must("render_mode", f"be one of {list(RENDER_MODES)} or None", mode))
        self._mode = mode
        self._errors: list[float] = []  # of the episode
        self._window = Window()

    def begin(self, error: float) -> None:
        """Begin an episode whose first circuit has this error."""
        self._errors = [error]

    def add(self, error: float) -> None:
        """Hear the error after a gate."""
        self._errors.append(error)

    def render(self, title: str, circuit: Circuit, threshold: float) -> Any:
        """Return text or a picture, or show the picture, according to the mode."""
        if self._mode is None:
            return None
        if self._mode == "ansi":
            return f"{title}\n{circuit.draw()}"
        picture = pixels_of(figure_of(title, circuit, self._errors, threshold))
        if self._mode == "rgb_array":
            return picture
        self._window.show(picture)
        return None

    def close(self) -> None:
        """Close the window, if it was opened."""
        self._window.close()
