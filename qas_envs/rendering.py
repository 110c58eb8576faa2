"""Rendering: the circuit as text, or a picture of the circuit and the errors so far (needs matplotlib)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from qas_envs.energy_errors import error_text
from qas_simulators import Circuit
from qas_simulators.errors import must, needs_extra
from qas_simulators.pictures import draw_circuit, extent, new_figure, theme_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from qas_envs.episode import Episode

_LIST = "_list"
RENDER_MODES: Final = ("ansi", "ansi_list", "rgb_array", "rgb_array_list", "human")
_SMALLEST = 1e-12  # errors below are drawn here


_WIDTH, _HEIGHT = 8.0, 5.0  # inches at 100 pixels each
_FOLD = 20  # moments in a row


def figure_of(title: str, circuit: Circuit, errors: Sequence[float], threshold: float) -> Figure:
    """Return the circuit above the errors ``|energy - ground energy|`` of the episode, log scale."""
    figure = new_figure(_WIDTH, _HEIGHT)
    colours = theme_of("light").colours
    top, bottom = figure.subplots(2, 1, height_ratios=[3, 2])
    top.set_title(title, fontsize=10)
    columns, rows = extent(circuit, _FOLD)
    draw_circuit(top, circuit, fold=_FOLD, side=min(0.9 * _WIDTH / (columns + 1.4), 0.5 * _HEIGHT / rows, 0.56))
    drawn = np.maximum(np.abs(errors), _SMALLEST)
    bottom.semilogy(range(len(drawn)), drawn, "o-", color=colours[0], ms=3, lw=1)
    bottom.axhline(threshold, color=colours[1], lw=1, ls="--", label="threshold")
    bottom.set_xlim(-0.5, max(len(drawn) - 0.5, 10))
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
        with needs_extra("plots"):
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
        mode: One of :data:`RENDER_MODES`, or ``None`` to show nothing. Modes that end in ``_list`` keep a frame of
            every reset and step, as ``gymnasium.wrappers.RenderCollection`` does.

    Attributes:
        is_live: Whether every reset and step is shown or kept.
        shown: Errors of the episode, and frames since the last reset or the last call of :meth:`render`.

    Raises:
        ValueError: An unknown mode.
    """

    def __init__(self, mode: str | None) -> None:
        if mode is not None and mode not in RENDER_MODES:
            raise ValueError(must("render_mode", f"be one of {list(RENDER_MODES)} or None", mode))
        self._kind = None if mode is None else mode.removesuffix(_LIST)
        self._collects = mode is not None and mode.endswith(_LIST)
        self.is_live = self._collects or mode == "human"
        self.shown: tuple[tuple[float, ...], tuple[Any, ...]] = ((), ())
        self._window = Window()

    def begin(self, error: float) -> None:
        """Begin an episode whose first circuit has this error."""
        self.shown = (error,), ()

    def add(self, error: float) -> None:
        """Record the error after a gate."""
        if self._kind is not None:
            errors, frames = self.shown
            self.shown = (*errors, error), frames

    def follow(self, episode: Episode, threshold: float) -> None:
        """Show the circuit in the window, or keep a frame of it, after a reset or a step."""
        frame = self._frame(episode, threshold)
        if self._collects:
            errors, frames = self.shown
            self.shown = errors, (*frames, frame)

    def render(self, episode: Episode, threshold: float) -> Any:
        """Return text, a picture or the kept frames, or show the picture, depending on the mode."""
        if not self._collects:
            return self._frame(episode, threshold)
        errors, frames = self.shown
        self.shown = errors, ()
        return list(frames)

    def _frame(self, episode: Episode, threshold: float) -> Any:
        if self._kind is None:
            return None
        problem, circuit = episode.problem, episode.circuit
        title = f"{problem.name}: energy {episode.energy:.9f} {problem.unit}, error {error_text(episode.error, 3)}"
        if self._kind == "ansi":
            return f"{title}\n{circuit.draw()}"
        picture = pixels_of(figure_of(title, circuit, self.shown[0], threshold))
        if self._kind == "rgb_array":
            return picture
        self._window.show(picture)
        return None

    def close(self) -> None:
        """Close the window, if it was opened."""
        self._window.close()
