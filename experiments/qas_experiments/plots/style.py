"""The common style of figures: axes, legends, and files that do not depend on the run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from qas_simulators.pictures import theme_of

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SMALLEST = 1e-12  # smaller errors are drawn at this value
MARKS = "osD^vP"


def styled(axes: Axes, theme: str, x: str = "", y: str = "") -> Axes:
    """Apply a theme's colours and labels to axes."""
    colours = theme_of(theme)
    axes.set_facecolor(colours.paper)
    axes.tick_params(colors=colours.ink, which="both", labelsize=8)
    for spine in axes.spines.values():
        spine.set_color(colours.wire)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.grid(color=colours.wire, lw=0.4, alpha=0.5)
    axes.set_axisbelow(True)
    axes.set_xlabel(x, color=colours.ink, fontsize=9)
    axes.set_ylabel(y, color=colours.ink, fontsize=9)
    return axes


def finish(axes: Axes, theme: str, accuracy: float | None) -> None:
    """Draw the accuracy as a dashed line, and add the legend."""
    colours = theme_of(theme)
    if accuracy is not None:
        axes.axhline(accuracy, color=colours.ink, lw=0.8, ls="--")
    axes.legend(fontsize=8, facecolor=colours.paper, edgecolor=colours.wire, labelcolor=colours.ink)


def whole_numbers(axes: Axes) -> None:
    """Mark only whole numbers on the horizontal axis."""
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def save(figure: Figure, path: Path | str) -> Path:
    """Write a figure to a file with the same bytes in every run.

    Args:
        figure: The figure.
        path: The file; its suffix selects the format.

    Returns:
        The path.
    """
    path = Path(path)
    # matplotlib writes its version or the date into files unless these entries are set to None.
    without = {".png": {"Software": None}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    figure.savefig(path, dpi=150, facecolor=figure.get_facecolor(), metadata=without.get(path.suffix))
    return path
