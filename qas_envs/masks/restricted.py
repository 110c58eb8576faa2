"""Another mask, without the actions that the present noise model refuses."""

from __future__ import annotations

import copy
from typing import Self

import numpy as np
from numpy.typing import NDArray

from qas_envs.copies import copy_of
from qas_envs.masks.mask import Mask


class RestrictedMask:
    """Forbids actions that are not allowed at present, besides those that another mask forbids.

    Where this would leave no legal action, all that are allowed are legal.

    Args:
        mask: The other mask.
        allowed: Whether each action is allowed, ``(num_actions,)``. It may change before :meth:`reset`, and is shared
            with copies.
    """

    def __init__(self, mask: Mask, allowed: NDArray[np.bool_]) -> None:
        self._mask, self._allowed = mask, allowed
        self.array: NDArray[np.int8] = np.empty(len(allowed), dtype=np.int8)
        self._refresh()

    def copy(self) -> Self:
        """See :class:`Mask`."""
        twin = copy.copy(self)
        twin._mask, twin.array = copy_of(self._mask), self.array.copy()
        return twin

    def move_to(self, array: NDArray[np.int8]) -> None:
        """See :class:`Mask`."""
        array[:] = self.array
        self.array = array

    def reset(self) -> None:
        """See :class:`Mask`."""
        self._mask.reset()
        self._refresh()

    def update(self, action: int) -> None:
        """See :class:`Mask`."""
        self._mask.update(action)
        self._refresh()

    def _refresh(self) -> None:
        legal = self._mask.array.astype(np.bool_) & self._allowed
        self.array[:] = legal if legal.any() else self._allowed
