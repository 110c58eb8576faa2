"""Flat programs for the kernels, and the functions that run them.

A program joins circuits, which are flat tables already, with the gate table's matrices or the noise, and an observable.
Only this module, ``real_arithmetic``, ``wide_states``, ``noise_tables``, ``subspace`` and the package ``cuda`` import
kernels.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import cache
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qas_simulators import kernels
from qas_simulators.circuit import Circuit
from qas_simulators.flat_circuit import Table
from qas_simulators.gates import GATES
from qas_simulators.kernels import tasks
from qas_simulators.kernels.tasks import ENERGY, GRADIENT, MINIMIZE, SCAN
from qas_simulators.pauli import PauliSum

FloatArray = NDArray[np.float64]
Settings = tuple[int, float, float]
"""L-BFGS iterations, gradient tolerance and energy tolerance."""

Links = tuple[NDArray[np.int64], FloatArray, FloatArray]
"""Source, factor and offset of every rotation; empty where every rotation is a parameter of its own."""

UNLINKED: Final[Links] = np.empty(0, dtype=np.int64), np.empty(0), np.empty(0)
_UNUSED: Final[Links] = np.full(1, -1, dtype=np.int64), np.zeros(1), np.zeros(1)  # parameters that turn no gate


def links_of(circuit: Circuit) -> Links:
    """Return a circuit's links as the kernels read them."""
    if not circuit.is_linked or circuit.num_params + circuit.num_rotations == 0:
        return UNLINKED
    if circuit.num_rotations == 0:
        return _UNUSED
    sources, factors, offsets = zip(*circuit.links, strict=True)
    return np.array(sources, dtype=np.int64), np.array(factors), np.array(offsets)


class KernelProgram(NamedTuple):
    """Circuits on one register, and everything else that their kernel needs to know.

    Only a program of a single circuit can have links.
    """

    solve: Callable[..., None]  # the kernel
    tables: NDArray[np.int32]  # (circuits, num_gates or more, 4)
    constants: tuple[NDArray[Any], ...]
    dtype: type  # of a state's entries
    size: int  # number of entries of a state
    vectors: tuple[int, int, int, int]  # number of states that each task needs memory for
    links: Links = UNLINKED
    device: str = "cpu"  # where batches of circuits run; single circuits always run on the CPU
    num_prepared: int = 0  # gates before those of the circuits


ROTATION_KINDS: Final = {"X": 0, "Y": 1, "Z": 2}  # RX, RY, RZ have the same numbers in both kinds of kernels
_PAIRS: Final = {"XX": tasks.RXX, "YY": tasks.RYY, "ZZ": tasks.RZZ}
_SPECIAL: Final = {"cx": tasks.CX, "cz": tasks.CZ, "swap": tasks.SWAP}


def _statevector_tables() -> tuple[NDArray[np.int64], NDArray[np.complex128]]:
    kinds = np.empty(len(GATES), dtype=np.int64)
    matrices = np.zeros((len(GATES), 4, 4), dtype=np.complex128)
    for row, gate in enumerate(GATES):
        if gate.axis is not None:
            kinds[row] = tasks.PHASE if gate.is_phase else (ROTATION_KINDS | _PAIRS)[gate.axis]
            continue
        kinds[row] = _SPECIAL.get(gate.name, tasks.MATRIX1 if gate.num_qubits == 1 else tasks.MATRIX2)
        size = 2**gate.num_qubits
        matrices[row, :size, :size] = gate.matrix()
    return kinds, matrices


STATEVECTOR_KINDS, STATEVECTOR_MATRICES = _statevector_tables()


def statevector_program(
    tables: Table, observable: PauliSum, links: Links = UNLINKED, device: str = "cpu"
) -> KernelProgram:
    """Return the program of circuits, ``(circuits, num_gates or more, 4)``, and an observable on as many qubits.

    If the observable has a preparation, its gates become the first ones of every circuit.
    """
    flips, diagonals = observable.grouped()
    kinds, matrices, num_prepared = STATEVECTOR_KINDS, STATEVECTOR_MATRICES, 0
    if observable.preparation is not None:
        first, turns = observable.preparation.fixed_gates
        own = np.where(first[first[:, 0] >= len(GATES), 2] < 0, tasks.MATRIX1, tasks.MATRIX2)
        kinds, matrices, num_prepared = np.append(kinds, own), np.concatenate([matrices, turns]), len(first)
        tables = np.concatenate([np.broadcast_to(first, (len(tables), *first.shape)), tables], axis=1)
    constants, size = (kinds, matrices, flips, diagonals), diagonals.shape[1]
    solve = kernels.entries.solve_statevector
    return KernelProgram(solve, tables, constants, np.complex128, size, (2, 2, 3, 3), links, device, num_prepared)


def is_statevector(program: KernelProgram) -> bool:
    """Return whether a program is of :func:`statevector_program`."""
    return program.solve is kernels.entries.solve_statevector


# -- running -----------------------------------------------------------------------------------------------------------

_KEPT: Final = 2**26  # bytes of working memory that a thread keeps


class _Memory(threading.local):
    """The working memory of this thread's last program, because fresh pages cost more than a small simulation."""

    def __init__(self) -> None:
        self.bytes = np.empty(0, dtype=np.uint8)

    def array(self, dtype: type, size: int) -> NDArray[Any]:
        """Return ``size`` entries that the next call may overwrite."""
        needed = size * np.dtype(dtype).itemsize
        if needed > _KEPT:
            return np.empty(size, dtype=dtype)
        if needed > self.bytes.size:
            self.bytes = np.empty(needed, dtype=np.uint8)
        return self.bytes[:needed].view(dtype)


_MEMORY = _Memory()
_ONLY: Final = np.zeros(1, dtype=np.int64)  # the row of the only circuit
_NO_DESCENT: Final[Settings] = (0, 0.0, 0.0)


def _run(program: KernelProgram, cursor: NDArray[np.int64], task: int, *arguments: Any) -> NDArray[Any]:
    """Run the kernel of a program; return its memory."""
    memory = _MEMORY.array(program.dtype, program.vectors[task] * program.size)
    program.solve(program.tables, *program.constants, memory, program.links, cursor, task, *arguments)
    return memory


class _Outcome(NamedTuple):
    """What a kernel leaves behind for one circuit."""

    memory: NDArray[Any]
    energies: FloatArray  # (B,)
    evaluations: int
    gradients: int


def _run_one(
    program: KernelProgram,
    task: int,
    params_batch: FloatArray,
    gradients: FloatArray | None = None,
    first: int | None = None,
    settings: Settings = _NO_DESCENT,
) -> _Outcome:
    """Run the kernel for the one circuit of a program at ``params_batch`` ``(B, num_params)``.

    Args:
        program: A program of one circuit.
        task: As in :mod:`qas_simulators.kernels.tasks`.
        params_batch: Angles in radians; one row, which is changed, for scans and minimisations.
        gradients: ``(B, num_params)``, filled by ``GRADIENT``.
        first: The first angle to scan; ``None`` for no scan.
        settings: Of ``MINIMIZE``.
    """
    num_rows, num_params = params_batch.shape
    energies, counts = np.empty(num_rows), np.empty((1, 2), dtype=np.int64)
    sizes = np.array([[program.tables.shape[1], num_params, num_params if first is None else first, num_rows]])
    batch = params_batch, params_batch[:0] if gradients is None else gradients, energies
    memory = _run(program, np.zeros(1, dtype=np.int64), task, _ONLY, batch, sizes, counts, settings)
    return _Outcome(memory, energies, int(counts[0, 0]), int(counts[0, 1]))


@cache
def thread_pool(num_threads: int) -> ThreadPoolExecutor:
    """Return the threads that run kernels side by side; kernels hold no lock."""
    return ThreadPoolExecutor(num_threads, "qas-kernel")


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=thread_pool.cache_clear)  # a child has none of its parent's threads


_WORTH_A_THREAD: Final = 2**22  # entries touched, some hundred microseconds; a thread costs about one hundred


def _entries_touched(program: KernelProgram) -> int:
    per_amplitude = 4 if program.dtype is np.complex128 else 1
    return per_amplitude * program.size * int(program.tables.shape[1])


def _divided(
    program: KernelProgram, task: int, params_batch: FloatArray, gradients: FloatArray | None, num_threads: int
) -> FloatArray:
    """Return the energies ``(B,)`` of ``params_batch``, whose rows are divided among threads."""

    def part(rows: slice) -> FloatArray:
        own = None if gradients is None else gradients[rows]
        return _run_one(program, task, params_batch[rows], own).energies

    size = -(-len(params_batch) // num_threads)
    if num_threads == 1 or len(params_batch) * _entries_touched(program) < _WORTH_A_THREAD:
        return part(slice(None))
    rows = [slice(start, start + size) for start in range(0, len(params_batch), size)]
    others = [thread_pool(num_threads).submit(part, others) for others in rows[1:]]
    return np.concatenate([part(rows[0]), *(other.result() for other in others)])


def energies(program: KernelProgram, params_batch: FloatArray, num_threads: int = 1) -> FloatArray:
    """Return the energies ``(B,)`` at ``params_batch`` ``(B, num_params)``."""
    return _divided(program, ENERGY, params_batch, None, num_threads)


def energies_and_gradients(
    program: KernelProgram, params_batch: FloatArray, num_threads: int = 1
) -> tuple[FloatArray, FloatArray]:
    """Return the energies ``(B,)`` and gradients ``(B, num_params)`` at ``params_batch`` ``(B, num_params)``."""
    gradients = np.zeros_like(params_batch)
    return _divided(program, GRADIENT, params_batch, gradients, num_threads), gradients


_SAMPLES: Final = 8, 64  # least and most points of a period


def turn_to_minimum(here: float, up: float, down: float) -> tuple[float, float]:
    """Return the turn, in radians, to the minimum of a sinusoid, and its value there.

    Args:
        here: The value at angle 0.
        up: The value a quarter of a period later.
        down: The value a quarter of a period earlier.
    """
    middle = 0.5 * (up + down)
    sine, cosine = 0.5 * (up - down), here - middle
    amplitude = float(np.hypot(sine, cosine))
    if amplitude <= 1e-12:
        return 0.0, here
    return float(np.arctan2(-sine, -cosine)), middle - amplitude


def _sample(program: KernelProgram, params: FloatArray, first: int) -> int:
    """Move each parameter from index ``first`` on to the minimum of its sinusoid, or the best point of its period.

    In a shared angle an energy is a sum of sinusoids, the highest frequency being the sum of the angle's factors;
    there are four points to the shortest period.

    Returns:
        The number of energies evaluated.
    """
    sources, factors, _ = program.links
    evaluations = 0
    for k in range(first, len(params)):
        own = np.abs(factors[sources == k])
        own = own[own > 0]
        if own.size == 0:
            continue  # turns no gate
        if own.size == 1:
            points = np.tile(params, (3, 1))
            points[:, k] += 0.5 * np.pi / own[0] * np.array([0.0, 1.0, -1.0])
            params[k] += turn_to_minimum(*energies(program, points))[0] / own[0]
            evaluations += 3
            continue
        low, high = _SAMPLES
        number = int(min(high, max(low, np.ceil(4.0 * own.sum() / own.min()))))
        points = np.tile(params, (number, 1))
        points[:, k] += 2.0 * np.pi / own.min() / number * np.arange(number)
        evaluations += number
        best = int(np.argmin(np.round(energies(program, points), 12)))  # the first of equals: symmetry shifts no angle
        params[k] = points[best, k]
    return evaluations


def sweep(program: KernelProgram, params: FloatArray, first: int = 0) -> float:
    """Move each angle from index ``first`` on to the exact minimum of its sinusoid, in place; return the energy."""
    return float(_run_one(program, SCAN, params[None, :], first=first).energies[0])


def minimize(program: KernelProgram, params: FloatArray, first: int, settings: Settings) -> tuple[float, int, int]:
    """Scan the angles from index ``first`` on, then run L-BFGS on all, changing ``params`` in place.

    Returns:
        Energy, number of evaluations (energies and gradients), number of gradients among them.
    """
    sampled = 0
    if len(program.links[0]) > 0 and first < len(params):  # kernels scan no linked angles
        first, sampled = len(params), _sample(program, params, first)
    outcome = _run_one(program, MINIMIZE, params[None, :], first=first, settings=settings)
    return float(outcome.energies[0]), outcome.evaluations + sampled, outcome.gradients


def solve_each(
    program: KernelProgram,
    params: FloatArray,
    rows: NDArray[np.int64],
    sizes: NDArray[np.int64],
    settings: Settings | None,
    num_threads: int = 1,
) -> tuple[FloatArray, NDArray[np.int64]]:
    """Do what :func:`minimize` does for several circuits of a program, or evaluate them.

    Args:
        program: The circuits.
        params: Their angles, ``(circuits, at least num_params)``; minimisations change them.
        rows: Indices of the circuits to work on.
        sizes: Number of gates, number of angles, the first angle to scan and 1 for each of them, ``(rows, 4)``.
        settings: As in :func:`minimize`; ``None`` for energies alone.
        num_threads: Threads that share the circuits.

    Returns:
        Energies ``(rows,)``; evaluations and gradients ``(rows, 2)``.
    """
    task = ENERGY if settings is None else MINIMIZE
    return _do_each(program, task, params, params[:0], rows, sizes, settings or _NO_DESCENT, num_threads)


def slopes_each(
    program: KernelProgram, params: FloatArray, sizes: NDArray[np.int64], num_threads: int = 1
) -> tuple[FloatArray, FloatArray]:
    """Return the energies ``(circuits,)`` and gradients, shaped like ``params``, of all circuits of a program."""
    gradients, rows = np.zeros_like(params), np.arange(len(params))
    return _do_each(program, GRADIENT, params, gradients, rows, sizes, _NO_DESCENT, num_threads)[0], gradients


def scan_each(program: KernelProgram, params: FloatArray, sizes: NDArray[np.int64], num_threads: int = 1) -> FloatArray:
    """Do what :func:`sweep` does for all circuits of a program; return their energies ``(circuits,)``."""
    rows = np.arange(len(params))
    return _do_each(program, SCAN, params, params[:0], rows, sizes, _NO_DESCENT, num_threads)[0]


def beside(work: Callable[[], object], num_threads: int) -> None:
    """Call a function on several threads, whose calls divide the work by a cursor; return when all work is done.

    A thread that has not started when this one finds nothing left to do is not waited for: on a busy machine that may
    take longer than the work.
    """
    num_others = 0 if kernels.passes.IS_PLAIN else num_threads - 1  # plain loops cannot claim circuits atomically
    others = [thread_pool(num_threads).submit(work) for _ in range(num_others)]
    try:
        work()
    finally:
        started = [other for other in others if not other.cancel()]
        if started:
            wait(started)  # also after an interruption: until then they change angles
    for other in started:
        other.result()


def _do_each(
    program: KernelProgram,
    task: int,
    params: FloatArray,
    gradients: FloatArray,
    rows: NDArray[np.int64],
    sizes: NDArray[np.int64],
    descent: Settings,
    num_threads: int,
) -> tuple[FloatArray, NDArray[np.int64]]:
    """Do a task for several circuits; return energies ``(rows,)``, and evaluations and gradients ``(rows, 2)``."""
    found, counts = np.empty(len(params)), np.empty((len(rows), 2), dtype=np.int64)
    if program.num_prepared:
        sizes = sizes + np.array([program.num_prepared, 0, 0, 0])
    if program.device == "cuda":
        from qas_simulators.cuda.batch import solve_each as solve_on_device

        solve_on_device(
            program.constants, program.tables, task, rows, (params, gradients, found), sizes, counts, descent
        )
        return found[rows], counts
    arguments = np.zeros(1, dtype=np.int64), task, rows, (params, gradients, found), sizes, counts, descent
    beside(lambda: _run(program, *arguments), num_threads)
    return found[rows], counts


def pulled_back(program: KernelProgram, params: FloatArray) -> FloatArray:
    """Return the observable in the Heisenberg picture, pulled back through all gates: its coefficients ``(4**n,)``."""
    batch = params[None, :]
    return _run_one(program, GRADIENT, batch, np.empty_like(batch)).memory[program.size :].copy()


def final_state(program: KernelProgram, params: FloatArray) -> NDArray[Any]:
    """Return the statevector ``(2**n,)`` or the Pauli vector ``(4**n,)`` that the program prepares."""
    return _run_one(program, ENERGY, params[None, :]).memory[: program.size].copy()
