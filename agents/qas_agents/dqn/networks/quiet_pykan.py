"""A network of pykan that writes no files; imported only where pykan is installed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import kan  # type: ignore[import-untyped]
import numpy as np
import torch


@contextmanager
def untouched_generators() -> Iterator[None]:
    """Restore the global random generators, which pykan's constructor seeds."""
    states = random.getstate(), np.random.get_state(), torch.random.get_rng_state()  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        torch.random.set_rng_state(states[2])


class QuietKAN(kan.KAN):  # type: ignore[misc]
    """A network of pykan that writes no checkpoints and does not disturb the global random generators.

    pykan enables checkpoints in every network that it derives from another, whatever the setting of the first, and then
    fails if their folder does not exist.
    """

    def __init__(self, *arguments: Any, **settings: Any) -> None:
        with untouched_generators():
            super().__init__(*arguments, **{**settings, "auto_save": False})

    def prune_node(self, *arguments: Any, **settings: Any) -> QuietKAN:
        """Call pykan's method of the same name."""
        with untouched_generators():
            return self._quieted(super().prune_node(*arguments, **settings))

    def prune_input(self, *arguments: Any, **settings: Any) -> QuietKAN:
        """Call pykan's method of the same name."""
        with untouched_generators():
            return self._quieted(super().prune_input(*arguments, **settings))

    def refine(self, *arguments: Any, **settings: Any) -> QuietKAN:
        """Call pykan's method of the same name."""
        with untouched_generators():
            return self._quieted(super().refine(*arguments, **settings))

    @staticmethod
    def _quieted(network: Any) -> QuietKAN:
        network.__class__, network.auto_save = QuietKAN, False
        return network  # type: ignore[no-any-return]
