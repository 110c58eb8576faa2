"""The noiseless simulator."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qas_simulators.circuit import Circuit
from qas_simulators.circuit_batch import CircuitTables
from qas_simulators.errors import must, unknown_name
from qas_simulators.light_cones import ConeProgram, KernelRotations, constant_of, light_cones
from qas_simulators.pauli import PauliSum
from qas_simulators.program import FloatArray, KernelProgram, final_state, links_of, statevector_program
from qas_simulators.real_arithmetic import is_real, real_program
from qas_simulators.simulator import Minimizer, Objective, Simulator
from qas_simulators.wide_objective import LEAST_QUBITS, RotationProgram, WideObjective, check_wide_memory
from qas_simulators.wide_states import WideProgram

_PRECISIONS: Final = ("double", "single")
_ROUNDED_PASSES: Final = 16  # roundings of single precision in the energies of a hundred blocks of gates, as measured
_PART: Final = 0.1  # of an accuracy, that rounding may be


class StatevectorSimulator(Simulator):
    """Simulation of pure states, ``2**n`` amplitudes.

    From 15 qubits on, consecutive gates on a pair of qubits are applied together, passes over the state are shared by
    ``num_threads``, real circuits are simulated in real arithmetic, and the observable needs 8 bytes for each
    amplitude, however many terms it has. Where the light cones of all terms are so small that they cost less together,
    energies and gradients are sums over them, see :mod:`qas_simulators.light_cones`.

    Args:
        shots: As in :class:`Simulator`.
        seed: As in :class:`Simulator`.
        num_threads: As in :class:`Simulator`.
        shot_noise: As in :class:`Simulator`.
        device: ``"cpu"``, or ``"cuda"``: a GPU computes energies, gradients and minimisations of batches of circuits,
            such as those of vector environments; single circuits stay on the CPU.
        real_arithmetic: Whether energies of circuits of RY, CX, CZ, SWAP, H, X and Z, of an observable with a real
            matrix, are computed with real numbers: several times as fast from ten qubits on, and equal to rounding.
        precision: ``"double"``, or ``"single"``: from 15 qubits on, amplitudes have 32 bits, which takes half of the
            memory and less time. Energies are then off by about a millionth of the sum of all coefficients;
            :meth:`truncation_error` gives the difference from double precision. Light cones are not used.
        light_cones: Whether energies from 15 qubits on may be sums over light cones; they are the same to rounding.

    Examples:
        >>> from qas_simulators import Circuit, PauliSum
        >>> round(StatevectorSimulator().expectation(Circuit(1).ry(0.5, 0), PauliSum({"X": 1.0})), 6)
        0.479426
    """

    devices = ("cpu", "cuda")
    takes_preparations = True

    def __init__(
        self,
        shots: int | None = None,
        seed: int | None = None,
        num_threads: int = 1,
        shot_noise: str = "exact",
        device: str = "cpu",
        real_arithmetic: bool = False,
        precision: str = "double",
        light_cones: bool = True,
    ) -> None:
        super().__init__(shots, seed, num_threads, shot_noise, device)
        if precision not in _PRECISIONS:
            raise ValueError(unknown_name("precision", precision, _PRECISIONS))
        self.real_arithmetic, self.precision, self.light_cones = real_arithmetic, precision, light_cones
        self.is_truncated = precision == "single"
        self.is_bounded = not self.is_truncated

    @property
    def is_noisy(self) -> bool:
        """Never."""
        return False

    def _program(self, circuit: Circuit, observable: PauliSum) -> KernelProgram:
        make = real_program if self.real_arithmetic and is_real(circuit.table, observable) else statevector_program
        return make(circuit.table[None], observable, links_of(circuit))

    def _wide_program(self, circuit: Circuit, observable: PauliSum) -> RotationProgram:
        uses_cones = self.light_cones and self.precision == "double"
        parts = light_cones(circuit, observable) if uses_cones else None
        if parts is None:
            return self._state_program(circuit, observable)
        return ConeProgram(parts, constant_of(observable), circuit.num_rotations, self._cone_program)

    def _cone_program(self, circuit: Circuit, observable: PauliSum) -> RotationProgram:
        if circuit.num_qubits >= LEAST_QUBITS:
            return self._state_program(circuit, observable)
        make = real_program if is_real(circuit.table, observable) else statevector_program
        return KernelRotations(make(circuit.table[None], observable))

    def _state_program(self, circuit: Circuit, observable: PauliSum) -> WideProgram:
        real = is_real(circuit.table, observable)
        return WideProgram(circuit, observable, self.num_threads, real, self.precision == "single")

    def _wide_objective(self, circuit: Circuit, observable: PauliSum) -> WideObjective:
        noise = _rounding(observable) if self.precision == "single" else 0.0
        return WideObjective(self, circuit, observable, self._wide_program, noise)

    def objective(self, circuit: Circuit, observable: PauliSum) -> Objective:
        """Return the energy as a function of the angles."""
        if circuit.num_qubits < LEAST_QUBITS:
            return super().objective(circuit, observable)
        return self._wide_objective(circuit, observable)

    def minimizer(self, circuit: Circuit, observable: PauliSum) -> Minimizer:
        """Return the minimisation of a circuit's energy by exact gradients, for optimisers."""
        if circuit.num_qubits < LEAST_QUBITS:
            return super().minimizer(circuit, observable)
        return self._wide_objective(circuit, observable).minimized

    def expectations_and_gradients(
        self, circuit: Circuit, observable: PauliSum, params_batch: ArrayLike
    ) -> tuple[FloatArray, FloatArray]:
        """Return the exact expectation values ``(B,)`` and gradients at ``params_batch``, both ``(B, num_params)``.

        Raises:
            ValueError: The simulator has shot noise.
        """
        if circuit.num_qubits < LEAST_QUBITS:
            return super().expectations_and_gradients(circuit, observable, params_batch)
        self.require_exact("gradients")
        wide = self._wide_objective(circuit, observable)
        energies, gradients = wide.evaluate(self._batch(circuit, params_batch))
        return wide.unit * energies, wide.unit * gradients

    def _batch_program(self, batch: CircuitTables, observable: PauliSum) -> KernelProgram | None:
        if self.device == "cpu" and batch.num_qubits >= LEAST_QUBITS:
            return None
        if self.real_arithmetic and self.device == "cpu" and is_real(batch.rows(), observable):
            return real_program(batch.tables, observable)
        return statevector_program(batch.tables, observable, device=self.device)

    def check(self, circuit: Circuit, observable: PauliSum) -> None:
        """Raise ``ValueError`` if the circuit and the observable differ in qubits, or memory would not suffice."""
        super().check(circuit, observable)
        if observable.preparation is not None and observable.num_qubits >= LEAST_QUBITS:
            needed = f"have at most {LEAST_QUBITS - 1} qubits where circuits start after a preparation"
            raise ValueError(must("observable", needed, observable.num_qubits))
        if circuit.num_qubits < LEAST_QUBITS:
            observable.check_memory()
        else:
            check_wide_memory(circuit.num_qubits)

    def check_accuracy(self, observable: PauliSum, accuracy: float) -> None:
        """Raise ``ValueError`` if single precision is too coarse: if its error is above a tenth of the accuracy."""
        if self.precision == "double" or observable.num_qubits < LEAST_QUBITS:
            return
        error = _ROUNDED_PASSES * _rounding(observable)
        if error > _PART * accuracy:
            needed = f"be 'double' for an accuracy of {accuracy:g}: energies would be off by about {error:.1g}"
            raise ValueError(must("precision", needed, self.precision))

    def truncation_error(self, circuit: Circuit, observable: PauliSum) -> float:
        """Return how far the energy is from that in double precision: 0 unless this simulator has single precision."""
        if self.precision == "double" or circuit.num_qubits < LEAST_QUBITS:
            return 0.0
        return abs(self._with_double().expectation(circuit, observable) - self.expectation(circuit, observable))

    def exact_energy(self, circuit: Circuit, observable: PauliSum) -> float | None:
        """Return the energy without shots, in double precision."""
        return self._with_double().expectation(circuit, observable)

    def _with_double(self) -> StatevectorSimulator:
        return StatevectorSimulator(
            num_threads=self.num_threads, real_arithmetic=self.real_arithmetic, light_cones=self.light_cones
        )

    def _bytes_needed(self, circuit: Circuit) -> int:
        return 48 << circuit.num_qubits

    def _most_bytes_needed(self, batch: CircuitTables) -> int:
        return 48 << batch.num_qubits

    def _term_means(self, circuit: Circuit, observable: PauliSum, params: FloatArray) -> FloatArray:
        return observable.term_means(
            final_state(statevector_program(circuit.table[None], observable, links_of(circuit)), params)
        )

    def statevector(self, circuit: Circuit) -> NDArray[np.complex128]:
        """Return the amplitudes ``(2**n,)``, qubit 0 the least significant bit of the index."""
        identity = PauliSum({"I" * circuit.num_qubits: 1.0})
        self.check(circuit, identity)
        return final_state(statevector_program(circuit.table[None], identity, links_of(circuit)), circuit.params)


def _rounding(observable: PauliSum) -> float:
    """Return the unit of single precision for energies: 2**-24 of the sum of all coefficients."""
    return float(abs(observable.coefficients).sum()) * 2.0**-24
