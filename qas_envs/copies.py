"""Copies of masks and encoders."""

from __future__ import annotations

import copy
from typing import TypeVar

Part = TypeVar("Part")


def copy_of(part: Part) -> Part:
    """Return an independent copy: that of the method ``copy``, if there is one, else a deep copy."""
    own = getattr(part, "copy", None)
    return own() if callable(own) else copy.deepcopy(part)
