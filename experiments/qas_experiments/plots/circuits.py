"""Figures of gadgets and animations of episodes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from qas_envs import CircuitBuildingEnv
from qas_simulators import Gadget
from qas_simulators.errors import must
from qas_simulators.pictures import SIDE, draw_circuit, extent, new_figure, theme_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def gadgets_figure(gadgets: Sequence[Gadget], *, theme: str = "light") -> Figure:
    """Return circuits of gadgets one below the other, with angles as expressions of their parameters.

    Raises:
        ValueError: No gadgets.
    """
    if not gadgets:
        raise ValueError(must("gadgets", "not be empty", gadgets))
    circuits = [gadget.circuit() for gadget in gadgets]
    sizes = [extent(circuit) for circuit in circuits]
    width = SIDE * (max(columns for columns, _ in sizes) + 1.6)
    heights = [rows + 0.9 for _, rows in sizes]
    figure = new_figure(max(width, 2.5), SIDE * sum(heights), theme)
    panels = np.atleast_1d(figure.subplots(len(gadgets), 1, height_ratios=heights))
    for axes, gadget, circuit in zip(panels, gadgets, circuits, strict=True):
        draw_circuit(axes, circuit, angles=gadget.angle_texts(), theme=theme)
        axes.set_title(gadget.name, fontsize=10, color=theme_of(theme).ink)
    return figure


def animate_episode(
    env: CircuitBuildingEnv, actions: Sequence[int], path: Path | str, *, seconds_per_gate: float = 0.8
) -> Path:
    """Play actions and write a GIF of the circuit and its error after every gate.

    Args:
        env: Environment with ``render_mode="rgb_array"``.
        actions: Legal actions from the initial circuit; those after the end of the episode are ignored.
        path: The file, ``*.gif``.
        seconds_per_gate: Duration of a frame; the last one lasts four times as long.

    Raises:
        ValueError: Another render mode, another file type, or an illegal action.
    """
    path = Path(path)
    if env.render_mode != "rgb_array":
        raise ValueError(must("env", 'have render_mode="rgb_array"', env.render_mode))
    if path.suffix != ".gif":
        raise ValueError(must("path", "end in .gif", str(path)))
    from PIL import Image

    env.reset(seed=0)
    frames = [env.render()]
    for action in actions:
        *_, terminated, truncated, _ = env.step(action)
        frames.append(env.render())
        if terminated or truncated:
            break
    pictures = [Image.fromarray(frame).quantize(32) for frame in frames]
    lasting = [int(1000 * seconds_per_gate)] * len(pictures)
    lasting[-1] *= 4
    pictures[0].save(path, save_all=True, append_images=pictures[1:], duration=lasting, loop=0, optimize=True)
    return path
