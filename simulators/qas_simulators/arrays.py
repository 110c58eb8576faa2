"""Array libraries: the few functions that NumPy and PyTorch spell differently, so that one source runs on both."""

from __future__ import annotations

from abc import ABC, abstractmethod
from functools import cache
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from qas_simulators import kernels
from qas_simulators.errors import must, needs_extra

Array = Any
"""A NumPy array, or a tensor of PyTorch."""


class ArrayLibrary(ABC):
    """Makes arrays on one device, and computes with them. Everything else is written with operators and indices."""

    @abstractmethod
    def zeros(self, shape: int | tuple[int, ...], dtype: str) -> Array:
        """Return zeros; ``dtype`` is NumPy's name of a type, such as ``"int64"``."""

    @abstractmethod
    def constant(self, values: Any) -> Array:
        """Return a copy of a NumPy array, or of nested lists of numbers, on the device."""

    @abstractmethod
    def host(self, array: Array) -> NDArray[Any]:
        """Return a NumPy array; it shares the memory where this is the CPU's."""

    @abstractmethod
    def shared(self, array: NDArray[Any]) -> Array:
        """Return an array of this library; it shares the memory where this is the CPU's."""

    @abstractmethod
    def sent(self, array: NDArray[Any]) -> Array:
        """Do what :meth:`shared` does, without waiting for a GPU to have received it."""

    @abstractmethod
    def copy(self, array: Array) -> Array:
        """Return an independent copy, contiguous in memory."""

    @abstractmethod
    def cast(self, array: Array, dtype: str) -> Array:
        """Return the values as another type."""

    @abstractmethod
    def arange(self, size: int) -> Array:
        """Return ``0, ..., size - 1`` as ``int64``."""

    @abstractmethod
    def where(self, condition: Array, left: Any, right: Any) -> Array:
        """Return ``left`` where a condition holds, else ``right``."""

    @abstractmethod
    def nonzero(self, condition: Array) -> Array:
        """Return the indices at which a condition ``(size,)`` holds."""

    @abstractmethod
    def maximum(self, left: Array, right: Array) -> Array:
        """Return the larger of two arrays, entry by entry."""

    @abstractmethod
    def clip(self, array: Array, low: float | None, high: float | None) -> Array:
        """Return values of at least ``low`` and at most ``high``."""

    @abstractmethod
    def log10(self, array: Array) -> Array:
        """Return decimal logarithms."""

    @abstractmethod
    def exp(self, array: Array) -> Array:
        """Return exponentials."""

    # -- entries of rows; NumPy's indexing is slow where it takes a row and a column for each --------------------------

    def put(self, array: Array, rows: Array, columns: Array, value: float) -> None:
        """Replace entries of rows by a number; ``columns`` are ``(rows,)`` or ``(rows, entries)``."""
        array[rows if columns.ndim == 1 else rows[:, None], columns] = value

    def exchange(self, array: Array, rows: Array, columns: Array, values: Array) -> Array:
        """Return entries of rows, ``(rows, entries)``, and replace them by one value of each row; all are ``int64``."""
        places = rows[:, None], columns
        found = array[places]
        array[places] = values[:, None]
        return found

    def advance(self, moments: Array, rows: Array, ends: Array) -> Array:
        """Return the larger of two entries of each row, and replace both by the next number; all are ``int64``."""
        places = rows[:, None], ends
        last = moments[places]
        found = self.maximum(last[:, 0], last[:, 1])
        moments[places] = (found + 1)[:, None]
        return found


class _NumPy(ArrayLibrary):
    def zeros(self, shape: int | tuple[int, ...], dtype: str) -> Array:
        return np.zeros(shape, dtype=dtype)

    def constant(self, values: Any) -> Array:
        return np.array(values)

    def host(self, array: Array) -> NDArray[Any]:
        return array  # type: ignore[no-any-return]

    def shared(self, array: NDArray[Any]) -> Array:
        return array

    def sent(self, array: NDArray[Any]) -> Array:
        return array

    def copy(self, array: Array) -> Array:
        return array.copy()

    def cast(self, array: Array, dtype: str) -> Array:
        return array.astype(dtype)

    def arange(self, size: int) -> Array:
        return np.arange(size)

    def where(self, condition: Array, left: Any, right: Any) -> Array:
        return np.where(condition, left, right)

    def nonzero(self, condition: Array) -> Array:
        return np.flatnonzero(condition)

    def maximum(self, left: Array, right: Array) -> Array:
        return np.maximum(left, right)

    def clip(self, array: Array, low: float | None, high: float | None) -> Array:
        return np.clip(array, low, high)

    def log10(self, array: Array) -> Array:
        return np.log10(array)

    def exp(self, array: Array) -> Array:
        return np.exp(array)

    def put(self, array: Array, rows: Array, columns: Array, value: float) -> None:
        kernels.growing.put(array, rows, columns if columns.ndim == 2 else columns[:, None], value)

    def exchange(self, array: Array, rows: Array, columns: Array, values: Array) -> Array:
        return kernels.growing.exchange(array, rows, columns, values)

    def advance(self, moments: Array, rows: Array, ends: Array) -> Array:
        return kernels.growing.advance(moments, rows, ends)


class _Torch(ArrayLibrary):
    def __init__(self, device: str) -> None:
        with needs_extra("agents"):
            import torch
        self._torch = torch
        try:
            self.device = torch.zeros(1, device=device).device
        except (RuntimeError, AssertionError) as error:
            raise ValueError(must("device", f"be one that PyTorch has here ({error})", device)) from None

    def _type(self, name: str) -> Any:
        return getattr(self._torch, name)

    def zeros(self, shape: int | tuple[int, ...], dtype: str) -> Array:
        return self._torch.zeros(shape, dtype=self._type(dtype), device=self.device)

    def constant(self, values: Any) -> Array:
        return self._torch.tensor(np.array(values), device=self.device)

    def host(self, array: Array) -> NDArray[Any]:
        return array.cpu().numpy()  # type: ignore[no-any-return]

    def shared(self, array: NDArray[Any]) -> Array:
        return self._torch.from_numpy(np.ascontiguousarray(array)).to(self.device)

    def sent(self, array: NDArray[Any]) -> Array:
        tensor = self._torch.from_numpy(np.require(array, requirements=["C", "W"]))
        return tensor if self.device.type == "cpu" else tensor.pin_memory().to(self.device, non_blocking=True)

    def copy(self, array: Array) -> Array:
        return array.clone(memory_format=self._torch.contiguous_format)

    def cast(self, array: Array, dtype: str) -> Array:
        return array.to(self._type(dtype))

    def arange(self, size: int) -> Array:
        return self._torch.arange(size, device=self.device)

    def where(self, condition: Array, left: Any, right: Any) -> Array:
        return self._torch.where(condition, left, right)

    def nonzero(self, condition: Array) -> Array:
        return self._torch.nonzero(condition).flatten()

    def maximum(self, left: Array, right: Array) -> Array:
        return self._torch.maximum(left, right)

    def clip(self, array: Array, low: float | None, high: float | None) -> Array:
        return self._torch.clip(array, low, high)

    def log10(self, array: Array) -> Array:
        return self._torch.log10(array)

    def exp(self, array: Array) -> Array:
        return self._torch.exp(array)


NUMPY: Final[ArrayLibrary] = _NumPy()


@cache
def torch_on(device: str) -> ArrayLibrary:
    """Return PyTorch on a device, such as ``"cpu"`` or ``"cuda"``.

    Raises:
        ValueError: PyTorch has no such device here.
        ImportError: PyTorch is not installed.
    """
    return _Torch(device)


def library_of(array: Array) -> ArrayLibrary:
    """Return the library of an array, on its device."""
    return NUMPY if isinstance(array, np.ndarray | np.generic) else torch_on(str(array.device))
