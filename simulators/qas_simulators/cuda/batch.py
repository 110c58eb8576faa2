"""Tasks for many circuits on a GPU: the arrays of a batch on the device, and the shape of a kernel's launch."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from qas_simulators.cuda import pauli_steps
from qas_simulators.cuda.descent import VECTORS
from qas_simulators.cuda.lanes import IS_SIMULATED, WARP, cuda
from qas_simulators.cuda.solver import MOST_GROUPS, PURE, solver
from qas_simulators.errors import must
from qas_simulators.kernels.entries import MEMORY
from qas_simulators.kernels.pauli_plan import PauliTransferProgram
from qas_simulators.kernels.tasks import ENERGY, GRADIENT, MINIMIZE, SCAN

MAX_QUBITS: Final = 14
"""Of noiseless circuits on a GPU; larger ones fill it alone, so that a batch gains nothing."""

_SHARED_BYTES: Final = 48 * 2**10  # of a block, without asking the driver for more
_BLOCK: Final = 128  # threads, where several circuits share a block
_BLOCKS: Final = 16  # of each multiprocessor
_TAPE_BYTES: Final = 2**31  # of all groups, for gradients of noisy circuits; fewer groups run where it is not enough
_KEPT: Final = 4  # observables whose arrays stay on the device

_constants: dict[tuple[int, int, bool], tuple[Any, Any]] = {}  # by the identity of arrays that the entry keeps alive


def require_device() -> None:
    """Raise ``ValueError`` unless there is a GPU, or numba's simulator of one."""
    if not IS_SIMULATED and not cuda.is_available():
        needed = "be 'cpu' on this machine: 'cuda' needs a GPU of NVIDIA and `pip install \"qas-envs[cuda]\"`"
        raise ValueError(must("device", needed, "cuda"))


class DeviceBatch:
    """Circuits of different structure and one observable on a GPU.

    The arrays have the interface ``__cuda_array_interface__``, so that ``torch.as_tensor`` reads them without a copy.

    Args:
        constants: Of a program: those of :class:`~qas_simulators.kernels.amplitudes.StatevectorProgram` or, with noise,
            of :class:`~qas_simulators.kernels.pauli_plan.PauliTransferProgram`, except the table.
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
        ValueError: More than :data:`MAX_QUBITS` qubits (with noise 8), or no GPU.
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
        shape = len(rows), tables.shape[1], int(sizes[:, 1].max(initial=1))
        self._launcher = _Launcher(constants, shape, is_single)
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
        shape = len(angles), tables.shape[1], angles.shape[1]
        self._launcher = _Launcher(constants, shape, is_single=False)
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
    """Starts kernels for circuits; holds the memory that they work in.

    Args:
        constants: As of :class:`DeviceBatch`.
        shape: Number of circuits, most gates and most angles of one.
        is_single: Whether to compute with 32 bits.

    Raises:
        ValueError: More than :data:`MAX_QUBITS` qubits, with noise 8, or no GPU.
    """

    def __init__(self, constants: tuple[NDArray[Any], ...], shape: tuple[int, int, int], is_single: bool) -> None:
        require_device()
        number, gates, width = shape
        self._is_single, self._is_noisy = is_single, _is_noisy(constants)
        num_qubits = constants[1].shape[1] if self._is_noisy else int(constants[3].shape[1]).bit_length() - 1
        most, where = (pauli_steps.MAX_QUBITS, " with noise") if self._is_noisy else (MAX_QUBITS, "")
        if num_qubits > most:
            raise ValueError(must("circuits", f"have at most {most} qubits on a GPU{where}", num_qubits))
        self._size = (4 if self._is_noisy else 2) ** num_qubits
        self._lanes, self._program = _lanes(num_qubits, self._is_noisy), _on_device(constants, is_single)
        real: Any = np.float32 if is_single else np.float64
        bytes_each = np.dtype(real).itemsize
        self._groups = 1 if IS_SIMULATED or self._lanes > WARP else min(MOST_GROUPS, _BLOCK // self._lanes)
        entries = (1 if self._is_noisy else PURE) * self._size
        needed = self._groups * (self._lanes + entries) * bytes_each
        self._is_shared = needed <= _SHARED_BYTES
        self._shared_bytes = needed if self._is_shared else self._groups * self._lanes * bytes_each
        tape = (width, self._size // 2) if self._is_noisy else (1, 1)
        at_once = 1 if IS_SIMULATED else _BLOCKS * cuda.get_current_device().MULTIPROCESSOR_COUNT
        at_once = min(at_once, _TAPE_BYTES // (self._groups * tape[0] * tape[1] * bytes_each))
        self._blocks = max(1, min(at_once, -(-number // self._groups)))
        groups = self._blocks * self._groups
        self._memory = cuda.device_array(1 if self._is_shared else entries * groups, dtype=real)
        self._tapes = cuda.device_array((groups, *tape), dtype=real)
        rows = 1 + pauli_steps.STEPS_PER_GATE * gates if self._is_noisy else 1
        self._plans = cuda.device_array((groups, rows, pauli_steps.COLUMNS), dtype=np.int32)
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
        kernel = solver(task, self._lanes, self._is_shared, self._is_single, self._is_noisy)
        tables, params, gradients, energies = circuits
        self._cursor.copy_to_device(self._zero)
        kernel[self._blocks, self._groups * self._lanes, 0, self._shared_bytes](
            *(tables, self._program, self._size, params, gradients, energies),
            *(*places, (int(descent[0]), float(descent[1]), float(descent[2]))),
            *(self._memory, self._tapes, self._plans, self._scratch, self._trials, self._cursor),
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
    """Do what the entries in :mod:`qas_simulators.kernels.entries` do, with the same arrays, on a GPU."""
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


def _is_noisy(constants: tuple[NDArray[Any], ...]) -> bool:
    """Return whether constants are those of a Pauli-transfer program, which has no complex matrices."""
    return constants[1].dtype.kind != "c"


def _lanes(num_qubits: int, is_noisy: bool) -> int:
    """Return how many lanes share a state: for small ones one for each pair (with noise four) of its entries.

    That is up to a warp; more where a state needs so much shared memory that few of them run at once.
    """
    if IS_SIMULATED:
        return 2
    if is_noisy:
        fours = 4 ** (num_qubits - 1)
        return int(min(fours, WARP) if num_qubits <= 4 else min(fours // 8, 8 * WARP))
    pairs = 2 ** max(0, num_qubits - 1)
    return int(min(pairs, WARP) if num_qubits <= 8 else min(pairs // 8, 8 * WARP))


def _on_device(constants: tuple[NDArray[Any], ...], is_single: bool) -> Any:
    """Return gates, noise and observable on the device; those of the last observables are kept there."""
    alive = constants[0], constants[-1]
    key = id(alive[0]), id(alive[1]), is_single
    if key not in _constants:
        while len(_constants) >= _KEPT:
            _constants.pop(next(iter(_constants)))
        parts = _noisy_parts(constants) if _is_noisy(constants) else _pure_parts(constants)
        real = np.float32 if is_single else np.float64
        types = [real if part.dtype.kind == "f" else np.int64 for part in parts]
        arrays = [cuda.to_device(np.ascontiguousarray(part, dtype=own)) for part, own in zip(parts, types, strict=True)]
        _constants[key] = alive, tuple(arrays)
    return _constants[key][1]


def _pure_parts(constants: tuple[NDArray[Any], ...]) -> tuple[NDArray[Any], ...]:
    """Return the arrays that :mod:`qas_simulators.cuda.walks` reads."""
    kinds, matrices, flips, diagonals = constants
    return kinds, matrices.real, matrices.imag, flips, diagonals.real, diagonals.imag


def _noisy_parts(constants: tuple[NDArray[Any], ...]) -> tuple[NDArray[Any], ...]:
    """Return the arrays that :mod:`qas_simulators.cuda.pauli_walks` reads; blocks without inverses."""
    program = PauliTransferProgram(np.empty((0, 4), dtype=np.int32), *constants)
    blocks = program.blocks1[:, 0], program.swap_places, program.swap_factors, program.blocks2[:, 0, 0]
    observable = program.indices, program.coefficients
    return program.kinds, program.channels, program.after, program.turns, *blocks, *observable
