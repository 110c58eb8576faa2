"""The interface of every simulator: expectation values, gradients, term means."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from typing import ClassVar, Final, Self

import numpy as np
from numpy.typing import ArrayLike

from qas_simulators.checks import real_array
from qas_simulators.circuit import Circuit
from qas_simulators.circuit_batch import CircuitTables
from qas_simulators.errors import must, needs_extra, unknown_name
from qas_simulators.flat_circuit import Table
from qas_simulators.pauli import PauliSum
from qas_simulators.program import FloatArray, KernelProgram, Settings, minimize, sweep, thread_pool, turn_to_minimum
from qas_simulators.program import energies as energies_of
from qas_simulators.program import energies_and_gradients as gradients_of
from qas_simulators.shot_noise import SHOT_NOISES

_MEMORY_LIMIT: Final = 8 * 2**30

Minimizer = Callable[[FloatArray, int, Settings], tuple[float, int, int]]
"""Does what :func:`qas_simulators.program.minimize` does, given angles, the first one to scan, and settings."""

Gradients = Callable[[FloatArray], tuple[FloatArray, FloatArray]]
"""Energies ``(B,)`` and gradients ``(B, num_params)`` at angles ``(B, num_params)``."""


def _is_positive_integer(value: object) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and bool(value >= 1)


def _require_gpu() -> None:
    """Raise ``ValueError`` unless there is a GPU."""
    with needs_extra("cuda"):
        from qas_simulators.cuda.batch import require_device
    require_device()


class Simulator(ABC):
    """Expectation values of a ``PauliSum`` after a ``Circuit``: exact with gradients, or with shot noise.

    ``params`` replaces the circuit's own parameters (radians, in their order); the circuit is never changed.

    Args:
        shots: Measurements of each Pauli term; ``None`` for exact values. Shot noise is normal, with the variance of
            ``shot_noise`` divided by ``shots`` for each term's mean.
        seed: Seeds ``rng``, the source of shot noise and of optimisers that draw random directions.
        num_threads: Threads among which batches of angles or circuits are divided; a single energy uses one.
        shot_noise: ``"exact"``, the variance ``1 - <P>**2``; or a published rule, ``"crlqas"`` or ``"crlqas_noisy"``:
            see :mod:`qas_simulators.shot_noise`.
        device: Where batches of circuits are simulated, one of :attr:`devices`.

    Attributes:
        shots_used: Measurements so far, those of all terms added.

    Raises:
        ValueError: ``shots`` or ``num_threads`` is less than 1, ``shot_noise`` is unknown, or there is no such device.

    Examples:
        Both kinds have the same methods:

        >>> from qas_simulators import Circuit, PauliSum, PauliTransferSimulator, StatevectorSimulator
        >>> circuit, observable = Circuit(1).ry(0.5, 0), PauliSum({"Z": 1.0})
        >>> for kind in (StatevectorSimulator, PauliTransferSimulator):
        ...     print(round(kind().expectation(circuit, observable), 6))
        0.877583
        0.877583
    """

    has_kernels: ClassVar[bool] = True
    """Whether :meth:`minimizer` works, which optimisers by exact gradients need."""

    is_sinusoidal: bool = True
    """Whether energies are sinusoids in each angle that turns one gate."""

    is_bounded: bool = True
    """Whether exact energies lie within the spectrum of the observable."""

    is_truncated: bool = False
    """Whether energies without shots are approximations, see :meth:`truncation_error` and :meth:`exact_energy`."""

    _advice: ClassVar[str] = "Simulators that keep no such state: simulator='pauli_propagation' or 'mps'."

    runs_per_energy: int = 1
    """Runs of the simulator that one energy needs; optimisers count runs."""

    devices: ClassVar[tuple[str, ...]] = ("cpu",)
    """Where batches of circuits can be simulated."""

    takes_preparations: ClassVar[bool] = False
    """Whether circuits may start after the preparation of an observable, see :meth:`PauliSum.prepared`."""

    def __init__(
        self,
        shots: int | None = None,
        seed: int | None = None,
        num_threads: int = 1,
        shot_noise: str = "exact",
        device: str = "cpu",
    ) -> None:
        if shots is not None and not _is_positive_integer(shots):
            raise ValueError(must("shots", "be an integer of at least 1, or None", shots))
        if not _is_positive_integer(num_threads):
            raise ValueError(must("num_threads", "be an integer of at least 1", num_threads))
        if shot_noise not in SHOT_NOISES:
            raise ValueError(unknown_name("shot noise", shot_noise, SHOT_NOISES))
        if device not in self.devices:
            raise ValueError(unknown_name(f"device of {type(self).__name__}", device, self.devices))
        if device == "cuda":
            _require_gpu()
        self.device = device
        self.shots = shots
        self.shot_noise = shot_noise
        self.num_threads = num_threads
        self.rng = np.random.default_rng(seed)
        self.shots_used = 0  # measurements so far, of all terms

    def on(self, device: str) -> Self:
        """Return the same simulator with batches of circuits on another device; it shares its random generator.

        Raises:
            ValueError: There is no such device.
        """
        if device not in self.devices:
            raise ValueError(unknown_name(f"device of {type(self).__name__}", device, self.devices))
        if device == "cuda":
            _require_gpu()
        twin = copy.copy(self)
        twin.device = device
        return twin

    @property
    @abstractmethod
    def is_noisy(self) -> bool:
        """Whether gates or readout are noisy."""

    @abstractmethod
    def _program(self, circuit: Circuit, observable: PauliSum) -> KernelProgram: ...

    def _batch_program(self, batch: CircuitTables, observable: PauliSum) -> KernelProgram | None:
        """Return the result of :meth:`batch_program`, or ``None`` if this simulator has no kernels for batches."""
        return None

    @abstractmethod
    def _bytes_needed(self, circuit: Circuit) -> int:
        """Return the number of bytes that a gradient needs."""

    def _most_bytes_needed(self, batch: CircuitTables) -> int:
        """Return the number of bytes that a gradient of any of some circuits needs."""
        return max(self._bytes_needed(circuit) for circuit in batch.circuits)

    @abstractmethod
    def _term_means(self, circuit: Circuit, observable: PauliSum, params: FloatArray) -> FloatArray:
        """Return the mean of each term of the observable, readout errors included, ``(num_terms,)``."""

    def program(self, circuit: Circuit, observable: PauliSum) -> KernelProgram:
        """Return the flat program that optimisers hand to the kernels.

        Raises:
            ValueError: The circuit and the observable differ in qubits, or the state would not fit into memory.
        """
        self.check(circuit, observable)
        return self._program(circuit, observable)

    def batch_program(self, batch: CircuitTables, observable: PauliSum) -> KernelProgram | None:
        """Return the flat program of many circuits, or ``None`` where they must be simulated one by one.

        One by one: with shot noise, noise on idle qubits, linked angles, or where memory may not suffice.
        """
        self._check_preparation(observable)
        if self.shots is not None or batch.is_linked or self._most_bytes_needed(batch) > _MEMORY_LIMIT:
            return None
        return self._batch_program(batch, observable)

    def check(self, circuit: Circuit, observable: PauliSum) -> None:
        """Raise ``ValueError`` if the circuit and the observable differ in qubits, or memory would not suffice."""
        self._check_preparation(observable)
        if circuit.num_qubits != observable.circuit_qubits:
            raise ValueError(must("observable", f"act on {circuit.num_qubits} qubits", observable.circuit_qubits))
        needed = self._bytes_needed(circuit)
        if needed > _MEMORY_LIMIT:
            message = must("circuit", f"fit into {_MEMORY_LIMIT / 2**30:g} GiB", f"{needed / 2**30:.3g} GiB")
            raise ValueError(f"{message} {self._advice}")

    def _check_preparation(self, observable: PauliSum) -> None:
        if observable.preparation is not None and not (self.takes_preparations and self.device == "cpu"):
            needed = "be the noiseless StatevectorSimulator on the CPU where circuits start after a preparation"
            raise ValueError(must("simulator", needed, f"{type(self).__name__} on {self.device}"))

    def check_gates(self, table: Table, num_qubits: int) -> None:
        """Raise ``ValueError`` for gates, rows of circuits ``(gates, 4)``, that the noise model refuses."""
        noise = getattr(self, "noise", None)
        if noise is not None:
            noise.check(table, num_qubits)

    def minimizer(self, circuit: Circuit, observable: PauliSum) -> Minimizer:
        """Return the minimisation of a circuit's energy by exact gradients, for optimisers."""
        return partial(minimize, self.program(circuit, observable))

    def objective(self, circuit: Circuit, observable: PauliSum) -> Objective:
        """Return the energy as a function of the angles, for optimisers that evaluate one batch after the other."""
        return Objective(self, circuit, observable)

    def expectation(self, circuit: Circuit, observable: PauliSum, params: ArrayLike | None = None) -> float:
        """Return the expectation value, in the observable's unit."""
        return float(self.objective(circuit, observable).energies(self._params(circuit, params)[None, :])[0])

    def expectations(self, circuit: Circuit, observable: PauliSum, params_batch: ArrayLike) -> FloatArray:
        """Return the expectation values ``(B,)`` at ``params_batch`` ``(B, num_params)``."""
        return self.objective(circuit, observable).energies(self._batch(circuit, params_batch))

    def expectations_of(self, circuits: Sequence[Circuit], observable: PauliSum) -> FloatArray:
        """Return the expectation values ``(B,)`` after ``B`` circuits at their own angles."""
        objectives = [self.objective(circuit, observable) for circuit in circuits]
        run = thread_pool(self.num_threads).map if self.num_threads > 1 and self.shots is None else map
        values = run(lambda objective, circuit: objective.energies(circuit.params[None, :])[0], objectives, circuits)
        return np.fromiter(values, dtype=np.float64, count=len(objectives))

    def check_accuracy(self, observable: PauliSum, accuracy: float) -> None:
        """Raise ``ValueError`` if energies are known beforehand to be too coarse for an accuracy."""
        return

    def truncation_error(self, circuit: Circuit, observable: PauliSum) -> float:
        """Return an estimate of how far an energy without shots is from the exact one: 0 unless it is truncated."""
        return 0.0

    def truncation(self, circuit: Circuit, observable: PauliSum) -> dict[str, float]:
        """Return figures of the truncation by name, which environments show where energies are truncated."""
        return {"truncation_error": self.truncation_error(circuit, observable)}

    def exact_energy(self, circuit: Circuit, observable: PauliSum) -> float | None:
        """Return the energy without shots and truncation; ``None`` where that needs too much."""
        twin = copy.copy(self)
        twin.shots = None
        return twin.expectation(circuit, observable)

    def standard_error(self, circuit: Circuit, observable: PauliSum, shots: int) -> float:
        """Return the standard error of the circuit's energy that is measured with ``shots`` for each term."""
        return self.objective(circuit, observable).deviation(circuit.params) / float(np.sqrt(shots))

    def term_means(self, circuit: Circuit, observable: PauliSum, params: ArrayLike | None = None) -> FloatArray:
        """Return the exact mean of each term of the observable, readout errors included, ``(num_terms,)``."""
        self.check(circuit, observable)
        return self._term_means(circuit, observable, self._params(circuit, params))

    def expectation_and_gradient(
        self, circuit: Circuit, observable: PauliSum, params: ArrayLike | None = None
    ) -> tuple[float, FloatArray]:
        """Return the exact expectation value and its derivative by every angle, shape ``(num_params,)``.

        The adjoint method costs a small multiple of one evaluation, whatever the number of angles.

        Raises:
            ValueError: The simulator has shot noise; a device gives no such gradients.
        """
        energies, gradients = self.expectations_and_gradients(circuit, observable, self._params(circuit, params)[None])
        return float(energies[0]), gradients[0]

    def expectations_and_gradients(
        self, circuit: Circuit, observable: PauliSum, params_batch: ArrayLike
    ) -> tuple[FloatArray, FloatArray]:
        """Return the exact expectation values ``(B,)`` and gradients at ``params_batch``, both ``(B, num_params)``.

        Raises:
            ValueError: The simulator has shot noise; a device gives no such gradients.
        """
        self.require_exact("gradients")
        batch = self._batch(circuit, params_batch)
        return gradients_of(self.program(circuit, observable), batch, self.num_threads)

    def gradients(self, circuit: Circuit, observable: PauliSum) -> Gradients:
        """Return the exact energies ``(B,)`` and gradients as a function of trusted angles ``(B, num_params)``."""
        self.require_exact("gradients")
        is_own = type(self).expectations_and_gradients is not Simulator.expectations_and_gradients
        if is_own or not self.has_kernels:
            return lambda batch: self.expectations_and_gradients(circuit, observable, batch)
        program = self.program(circuit, observable)
        return lambda batch: gradients_of(program, batch, self.num_threads)

    def require_exact(self, who: str) -> None:
        """Raise ``ValueError`` if the simulator has shot noise, which ``who`` cannot work with."""
        if self.shots is not None:
            raise ValueError(must("shots", f"be None for {who}, which needs exact values", self.shots))

    @staticmethod
    def _batch(circuit: Circuit, params_batch: ArrayLike) -> FloatArray:
        batch = np.ascontiguousarray(real_array("params_batch", params_batch))
        if batch.ndim != 2 or batch.shape[1] != circuit.num_params or not np.isfinite(batch).all():
            raise ValueError(must("params_batch", f"be finite with shape (B, {circuit.num_params})", batch.shape))
        return batch

    @staticmethod
    def _params(circuit: Circuit, params: ArrayLike | None) -> FloatArray:
        if params is None:
            return circuit.params
        values = np.ascontiguousarray(real_array("params", params))
        if values.shape != (circuit.num_params,) or not np.isfinite(values).all():
            raise ValueError(must("params", f"be finite with shape ({circuit.num_params},)", values.tolist()))
        return values


class Objective:
    """The energy of one circuit as a function of its angles, as the simulator would measure it.

    Inside, energies are in the observable's own unit (:meth:`PauliSum.in_unit`), because sweeps have cut-offs.
    """

    def __init__(self, simulator: Simulator, circuit: Circuit, observable: PauliSum) -> None:
        self._simulator = simulator
        self._circuit = circuit
        self._observable, self._unit = observable.in_unit()
        self._program = simulator.program(circuit, self._observable)

    def energies(self, params_batch: FloatArray, shots: int | None = None) -> FloatArray:
        """Return the energies ``(B,)`` of trusted angles ``(B, num_params)``; ``shots`` replaces the simulator's."""
        shots = self._simulator.shots if shots is None else shots
        if shots is not None:
            self._simulator.shots_used += shots * self.num_measured * len(params_batch)
        return self.measured(params_batch, shots, self._simulator.rng)

    def measured(self, params_batch: FloatArray, shots: int | None, rng: np.random.Generator) -> FloatArray:
        """Return energies ``(B,)``, with shot noise from ``rng`` unless ``shots`` is ``None``; count nothing."""
        energies = self._exact(params_batch)
        if shots is not None:
            deviations = np.array([self.deviation(params) for params in params_batch]) / self._unit
            energies += deviations / np.sqrt(shots) * rng.standard_normal(len(energies))
        return self._unit * energies

    @property
    def num_measured(self) -> int:
        """Number of terms that are measured, each with all shots: those other than the identity."""
        return int(np.count_nonzero(self._observable.x | self._observable.z))

    def sweep(self, params: FloatArray, energy: float) -> float:
        """Move each angle to the minimum of its sinusoid, in place, one after the other; return the energy there.

        ``energy`` is that of ``params``. A device measures two more per angle; with exact
        values, a kernel moves all angles in about the time of a gradient.
        """
        if self._circuit.is_linked:
            raise ValueError(must("circuit", "have no linked angles: energies are no sinusoids in them", self._circuit))
        if self._simulator.shots is None:
            energy = sweep(self._program, params)
        else:
            energy /= self._unit
            for k in range(len(params)):
                energy = self._turn(params, k, energy)
        params -= 2 * np.pi * np.floor(0.5 * params / np.pi + 0.5)
        return self._unit * energy

    def _turn(self, params: FloatArray, k: int, energy: float) -> float:
        pair = np.tile(params, (2, 1))
        pair[:, k] += [0.5 * np.pi, -0.5 * np.pi]
        up, down = self.energies(pair) / self._unit
        turn, energy = turn_to_minimum(energy, up, down)
        params[k] += turn
        return float(energy)

    def _exact(self, params_batch: FloatArray) -> FloatArray:
        return energies_of(self._program, params_batch, self._simulator.num_threads)

    def deviation(self, params: FloatArray) -> float:
        """Return the standard deviation of the energy with one shot for each term."""
        coefficients = self._observable.coefficients
        variances = SHOT_NOISES[self._simulator.shot_noise](
            self._unit * coefficients,  # published rules compare coefficients in the problem's unit
            lambda: self._simulator._term_means(self._circuit, self._observable, params),
        )
        is_measured = (self._observable.x | self._observable.z) != 0  # the identity is a constant
        return self._unit * float(np.sqrt(np.sum(coefficients**2 * variances, where=is_measured)))
