"""Tasks for many circuits on a GPU: the arrays of a batch on the device, and the shape of a kernel's launch."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from qas_simulators.cuda.descent import VECTORS
from qas_simulators.cuda.lanes import IS_SIMULATED, WARP, cuda
from qas_simulators.cuda.solver import MOST_GROUPS, solver
from qas_simulators.errors import must
from qas_simulators.kernels.entries import MEMORY
from qas_simulators.kernels.tasks import ENERGY, GRADIENT, MINIMIZE, SCAN

MAX_QUBITS: Final = 14
"""Of circuits on a GPU; larger ones fill it alone, so that a batch gains nothing."""

_SHARED_BYTES: Final = 48 * 2**10  # of a block, without asking the driver for more
_BLOCK: Final = 128  # threads, where several circuits share a block
_BLOCKS: Final = 16  # of each multiprocessor
_KEPT: Final = 4  # observables whose arrays stay on the device

_constants: dict[
    tuple[int, bool], tuple[Any, Any]
] = {}  # by the identity of the diagonals, which the entry keeps alive


def require_device() -> None:
    """Raise ``ValueError`` unless there is a GPU, or numba's simulator of one."""
    if not IS_SIMULATED and not cuda.is_available():
        needed = "be 'cpu' on this machine: 'cuda' needs a GPU of NVIDIA and `pip install \"qas-envs[cuda]\"`"
        raise ValueError(must("device", needed, "cuda"))


class DeviceBatch:
    """Circuits of different structure and one observable on a GPU.

    The arrays have the interface ``__cuda_array_interface__``, so that ``torch.as_tensor`` reads them without a copy.

    Args:
        constants: Of a statevector program: kinds and matrices of gates, flips and diagonals of the observable.
        tables: Gates, ``(circuits, num_gates or more, 4)``.
        params: Angles in radians, ``(circuits, at least num_params)``.
        sizes: Of each circuit: gates, angles, the first angle to scan, and 1, ``(circuits, 4)``.
        rows: Indices of the circuits to work on, in the order of ``sizes``; by default all.
        is_single: Whether to compute with 32 bits.

    Attributes:
        params: Angles on the device; scans and minimisations change them.
        gradients: On the device, shaped like ``params``, after ``GRADIENT``.
        energies: On the device, ``(circuits,)``, after every task except ``SCAN``.
        counts: On the device, ``(rows, 2)``: evaluations and gradients of scans and minimisations.

    Raises:
        ValueError: More than :data:`MAX_QUBITS` qubits, or no GPU.
    """

    def __init__(
        self,
        constants: tuple[NDArray[Any], ...],
        tables: NDArray[np.int32],
        params: NDArray[np.float64],
        sizes: NDArray[np.int64],
        rows: NDArray[np.int64] | None = None,
        is_single: bool = False,
    ) -> None:
        self._real: Any = np.float32 if is_single else np.float64
        rows = np.arange(len(params)) if rows is None else rows
        self._launcher = _Launcher(constants, len(rows), int(sizes[:, 1].max(initial=1)), is_single)
        self._tables = cuda.to_device(np.ascontiguousarray(tables))
        self._rows, self._places = cuda.to_device(rows), cuda.to_device(np.ascontiguousarray(sizes))
        self.params = cuda.to_device(np.ascontiguousarray(params, dtype=self._real))
        self.gradients = cuda.device_array((1, 1), dtype=self._real)
        self.energies = cuda.device_array(len(params), dtype=self._real)
        self.counts = cuda.to_device(np.zeros((len(rows), 2), dtype=np.int64))

    def run(self, task: int, descent: tuple[int, float, float] = (0, 0.0, 0.0)) -> None:
        """Start a task, see :mod:`qas_simulators.kernels.tasks`; reading an array waits for its end.

        Args:
            task: The task. ``SCAN`` here only scans, and ``MINIMIZE`` does not.
            descent: Of ``MINIMIZE``: most iterations, gradient tolerance and energy tolerance.
        """
        if task == GRADIENT and self.gradients.shape != self.params.shape:
            self.gradients = cuda.to_device(np.zeros(self.params.shape, dtype=self._real))
        self._launcher.run(
            task,
            (self._tables, self.params, self.gradients, self.energies),
            (self._rows, self._places, self.counts),
            descent,
        )


class TensorBatch:
    """Circuits whose arrays are tensors of PyTorch on the GPU; nothing is copied from or to the host.

    Work runs in the order of the calls, on the same default stream as PyTorch's own.

    Args:
        constants: As of :class:`DeviceBatch`.
        tables: Gates, ``(circuits, num_gates or more, 4)``; they may change between calls.
        angles: In radians, ``(circuits, most angles)``.
    """

    def __init__(self, constants: tuple[NDArray[Any], ...], tables: Any, angles: Any) -> None:
        self._launcher = _Launcher(constants, len(angles), angles.shape[1], is_single=False)
        self._kept = tables, angles  # so that their memory stays
        self._tables, self._angles = shared(tables), shared(angles)
        self._gradients = cuda.device_array((1, 1), dtype=np.float64)

    def solve(
        self, energies: Any, rows: Any, sizes: Any, counts: Any, descent: tuple[int, float, float] | None
    ) -> None:
        """Do what :func:`solve_each` does for energies (``descent`` is ``None``) or minimisations.

        Args:
            energies: Output, ``(circuits,)``.
            rows: Indices of the circuits to work on.
            sizes: Of each of these: gates, angles, the first angle to scan, and 1, ``(rows, 4)``.
            counts: Output, evaluations and gradients, ``(rows, 2)``, at first 0.
            descent: Most iterations, gradient tolerance and energy tolerance.
        """
        circuits = self._tables, self._angles, self._gradients, shared(energies)
        places = shared(rows), shared(sizes), shared(counts)
        if descent is None:
            self._launcher.run(ENERGY, circuits, places)
        else:
            self._launcher.run(SCAN, circuits, places)
            self._launcher.run(MINIMIZE, circuits, places, descent)
        counts[:, 0] = counts[:, 0].clip(1, None)


def shared(tensor: Any) -> Any:
    """Return a tensor of PyTorch as an array of numba on the same memory."""
    if IS_SIMULATED:  # whose functions would copy
        return type(cuda.device_array(1))(tensor.numpy())
    return cuda.as_cuda_array(tensor)


class _Launcher:
    """Starts kernels for a number of circuits with at most ``width`` angles; holds the memory that they work in.

    Raises:
        ValueError: More than :data:`MAX_QUBITS` qubits, or no GPU.
    """

    def __init__(self, constants: tuple[NDArray[Any], ...], number: int, width: int, is_single: bool) -> None:
        require_device()
        size = constants[3].shape[1]
        num_qubits = int(size).bit_length() - 1
        if num_qubits > MAX_QUBITS:
            raise ValueError(must("circuits", f"have at most {MAX_QUBITS} qubits on a GPU", num_qubits))
        self._is_single, self._lanes, self._program = is_single, _lanes(num_qubits), _on_device(constants, is_single)
        real: Any = np.float32 if is_single else np.float64
        bytes_each = np.dtype(real).itemsize
        self._groups = 1 if IS_SIMULATED else max(1, min(MOST_GROUPS, _BLOCK // self._lanes))
        needed = self._groups * (self._lanes + 4 * size) * bytes_each
        self._is_shared = needed <= _SHARED_BYTES
        self._shared_bytes = needed if self._is_shared else self._groups * self._lanes * bytes_each
        most = 1 if IS_SIMULATED else _BLOCKS * cuda.get_current_device().MULTIPROCESSOR_COUNT
        self._blocks = max(1, min(most, -(-number // self._groups)))
        groups = self._blocks * self._groups
        self._memory = cuda.device_array(1 if self._is_shared else 4 * size * groups, dtype=real)
        self._scratch = cuda.device_array((groups, VECTORS * width + 2 * MEMORY), dtype=real)
        self._trials = cuda.device_array((groups, width), dtype=real)
        self._cursor = cuda.to_device(np.zeros(1, dtype=np.int64))
        self._zero = cuda.to_device(np.zeros(1, dtype=np.int64))

    def run(
        self,
        task: int,
        circuits: tuple[Any, Any, Any, Any],
        places: tuple[Any, Any, Any],
        descent: tuple[int, float, float] = (0, 0.0, 0.0),
    ) -> None:
        """Start a task on arrays of the device.

        Args:
            task: As of :meth:`DeviceBatch.run`.
            circuits: Gates, angles, gradients and energies.
            places: Rows, their sizes, and counts.
            descent: As of :meth:`DeviceBatch.run`.
        """
        kernel = solver(task, self._lanes, self._is_shared, self._is_single)
        tables, params, gradients, energies = circuits
        self._cursor.copy_to_device(self._zero)
        kernel[self._blocks, self._groups * self._lanes, 0, self._shared_bytes](
            *(tables, self._program, params, gradients, energies),
            *(*places, (int(descent[0]), float(descent[1]), float(descent[2]))),
            *(self._memory, self._scratch, self._trials, self._cursor),
        )


def solve_each(
    constants: tuple[NDArray[Any], ...],
    tables: NDArray[np.int32],
    task: int,
    rows: NDArray[np.int64],
    batch: tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]],
    sizes: NDArray[np.int64],
    counts: NDArray[np.int64],
    descent: tuple[int, float, float],
) -> None:
    """Do what :func:`qas_simulators.kernels.entries.solve_statevector` does, with the same arrays, on a GPU."""
    params, gradients, energies = batch
    device = DeviceBatch(constants, tables, params, sizes, rows)
    scans = task in (SCAN, MINIMIZE) and (sizes[:, 2] < sizes[:, 1]).any()
    if scans:
        device.run(SCAN)
    device.run(ENERGY if task == SCAN else task, descent)
    energies[rows] = device.energies.copy_to_host()[rows]
    counts[:] = device.counts.copy_to_host()
    if task == GRADIENT:
        gradients[rows] = device.gradients.copy_to_host()[rows]
        counts[:, 1] = 1
    elif task != ENERGY:
        params[rows] = device.params.copy_to_host()[rows]
    counts[:, 0] = np.maximum(counts[:, 0], 1)


def _lanes(num_qubits: int) -> int:
    """Return how many lanes share a state: one for each pair of amplitudes, up to a warp, and more above 8 qubits."""
    if IS_SIMULATED:
        return 2
    pairs = 2 ** max(0, num_qubits - 1)
    return int(min(pairs, WARP) if num_qubits <= 8 else min(pairs // 8, 8 * WARP))


def _on_device(constants: tuple[NDArray[Any], ...], is_single: bool) -> Any:
    """Return gates and observable on the device; those of the last observables are kept there."""
    kinds, matrices, flips, diagonals = constants
    key = id(diagonals), is_single
    if key not in _constants:
        while len(_constants) >= _KEPT:
            _constants.pop(next(iter(_constants)))
        real = np.float32 if is_single else np.float64
        parts = matrices.real, matrices.imag, diagonals.real, diagonals.imag
        split = [cuda.to_device(np.ascontiguousarray(part, dtype=real)) for part in parts]
        arrays = cuda.to_device(kinds), *split[:2], cuda.to_device(np.asarray(flips, dtype=np.int64)), *split[2:]
        _constants[key] = diagonals, arrays
    return _constants[key][1]
