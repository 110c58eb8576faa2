"""Masks by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from qas_envs.catalogue import ActionCatalogue
from qas_envs.masks.canonical import CanonicalMask
from qas_envs.masks.commuting import CommutingMask
from qas_envs.masks.frontier import FrontierMask
from qas_envs.masks.mask import Mask, NoMask
from qas_simulators.errors import must


def usual_mask(catalogue: ActionCatalogue) -> Mask:
    """``canonical`` for blocks, otherwise ``frontier``."""
    return CanonicalMask(catalogue) if catalogue.has_blocks else FrontierMask(catalogue)


MASKS: Final[dict[str, Callable[[ActionCatalogue], Mask]]] = {
    "auto": usual_mask,
    "frontier": FrontierMask,
    "commuting": CommutingMask,
    "canonical": CanonicalMask,
    "none": NoMask,
}


def is_mask_function(name: str, value: Any) -> Callable[[ActionCatalogue], Mask]:
    """Return a function or class that makes the mask of a catalogue.

    Raises:
        ValueError: It cannot be called; ``name`` is the argument's name for the message.
    """
    if not callable(value):
        needed = "a function that makes the mask of a catalogue"
        raise ValueError(must(name, f'be a name, {{"name": ..., settings}}, or {needed}', value))
    return value  # type: ignore[no-any-return]


def new_mask(make: Callable[[ActionCatalogue], Mask], catalogue: ActionCatalogue) -> Mask:
    """Return the mask of a catalogue.

    Raises:
        ValueError: ``make`` did not return a mask of this catalogue.
    """
    mask = make(catalogue)
    array = getattr(mask, "array", None)
    has_methods = all(callable(getattr(mask, name, None)) for name in ("move_to", "reset", "update"))
    if not has_methods or not isinstance(array, np.ndarray) or array.shape != (len(catalogue),):
        requirement = f"make objects with `array` of {len(catalogue)} entries, `move_to`, `reset` and `update`"
        raise ValueError(must("mask", requirement, mask))
    return mask
