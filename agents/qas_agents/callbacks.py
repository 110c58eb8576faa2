"""Callbacks of Stable-Baselines3: instances of its classes, or functions ``(locals, globals) -> bool``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, runtime_checkable


@runtime_checkable
class CallbackObject(Protocol):
    """The part of ``stable_baselines3.common.callbacks.BaseCallback`` that a training loop calls."""

    def init_callback(self, model: Any) -> None:
        """Receive the agent."""
        ...

    def on_training_start(self, locals_: dict[str, Any], globals_: dict[str, Any]) -> None:
        """Called before the first step."""
        ...

    def update_locals(self, locals_: dict[str, Any]) -> None:
        """Receive the loop's variables."""
        ...

    def on_step(self) -> bool:
        """Called after every step; return False to stop training."""
        ...

    def on_training_end(self) -> None:
        """Called after the last step."""
        ...


Callback = Callable[[dict[str, Any], dict[str, Any]], bool] | CallbackObject | None


class FunctionCallback:
    """A function as a callback object."""

    def __init__(self, function: Callable[[dict[str, Any], dict[str, Any]], bool] | None) -> None:
        self._function = function
        self._locals: dict[str, Any] = {}

    def init_callback(self, model: Any) -> None:
        """Do nothing."""

    def on_training_start(self, locals_: dict[str, Any], globals_: dict[str, Any]) -> None:
        """Do nothing."""

    def update_locals(self, locals_: dict[str, Any]) -> None:
        """See :class:`CallbackObject`."""
        self._locals = locals_

    def on_step(self) -> bool:
        """See :class:`CallbackObject`."""
        return True if self._function is None else bool(self._function(self._locals, {}))

    def on_training_end(self) -> None:
        """Do nothing."""


def as_callback(callback: Callback) -> CallbackObject:
    """Return a callback object for a callback of either kind; ``None`` never stops the training."""
    if callback is None or not isinstance(callback, CallbackObject):
        return FunctionCallback(callback)
    return callback


@contextmanager
def progress_of(total: int, shown: bool) -> Iterator[Callable[[], None]]:
    """Show a progress bar of ``total`` steps if ``shown``; yield a function that advances it by one step."""
    from rich.progress import Progress

    with Progress(disable=not shown) as progress:
        task = progress.add_task("steps", total=total)
        yield (lambda: progress.advance(task)) if shown else (lambda: None)
