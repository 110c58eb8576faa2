"""Progress bars of experiments that are started from Python: in notebooks, and in terminals."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from html import escape
from importlib import import_module
from io import StringIO
from typing import Any

from rich.console import Console

from qas_experiments.runs.progress import share_of
from qas_experiments.settings import TrainingSettings
from qas_experiments.training.display import TrainingBar, status_of
from qas_experiments.training.recorder import Recorder

Watch = Callable[[Recorder], None]
"""Called with the recorder after every step of a training."""
_REFRESH_SECONDS = 0.2
_WIDTH = 120


def quiet_console() -> Console:
    """Return a console that prints nothing and records what it would print."""
    return Console(file=StringIO(), record=True, width=10_000, force_jupyter=False)


def visible_console() -> Console:
    """Return a console for lines, in notebooks as plain text."""
    console = Console(force_jupyter=False)
    return console if console.is_terminal else Console(force_jupyter=False, width=_WIDTH)


class NotebookBar:
    """A progress bar in the output of a notebook's cell, as HTML without widgets."""

    def __init__(self, unit: str = "") -> None:
        ipython: Any = import_module("IPython.display")
        self._html, self._unit, self._next = ipython.HTML, unit, 0.0
        self._handle: Any = ipython.display(ipython.HTML(""), display_id=True)
        self._last: Recorder | None = None

    def update(self, recorder: Recorder, share: Callable[[Recorder], float]) -> None:
        """Show a recorder's state, at most five times a second."""
        now, self._last = time.perf_counter(), recorder
        if now >= self._next:
            self._next = now + _REFRESH_SECONDS
            self._show(share(recorder), status_of(recorder, self._unit))

    def end(self) -> None:
        """Show the last state, without what differs between machines."""
        if self._last is not None:
            state = status_of(self._last, self._unit, with_rate=False)
            self._show(1.0, f"{self._last.steps:,} steps, {self._last.evaluations:,} evaluations, {state}")

    def _show(self, share: float, text: str) -> None:
        bar = f'<progress value="{share:.3f}" max="1" style="width: 16em"></progress>'
        self._handle.update(self._html(f"{bar} {escape(text)}"))


@contextmanager
def watching(training: TrainingSettings, is_shown: bool, unit: str = "") -> Iterator[Watch]:
    """Show a progress bar during the block; yield the function to call with the recorder after every step.

    Args:
        training: The limits.
        is_shown: Whether there is a bar.
        unit: Unit of energies.
    """
    limits = asdict(training)

    def share(recorder: Recorder) -> float:
        return share_of(limits, recorder.steps, recorder.evaluations, recorder.seconds)

    if not is_shown:
        yield lambda recorder: None
    elif Console().is_jupyter:
        bar = NotebookBar(unit)
        try:
            yield lambda recorder: bar.update(recorder, share)
        finally:
            bar.end()
    else:
        with TrainingBar(visible_console(), training.total_timesteps, unit, True) as shown:
            yield lambda recorder: shown.update(recorder, share)
