"""Energies by matrix-product states, whose cost grows with the entanglement, not with the number of amplitudes."""

from __future__ import annotations

from typing import ClassVar, Final

from numpy.typing import ArrayLike

from qas_simulators.circuit import Circuit
from qas_simulators.errors import must
from qas_simulators.matrix_product_states import Limit, MatrixProductState
from qas_simulators.mps_program import MPSProgram, bonds_of
from qas_simulators.pauli import PauliSum
from qas_simulators.program import FloatArray, KernelProgram, links_of
from qas_simulators.real_arithmetic import is_real
from qas_simulators.simulator import Minimizer, Objective, Simulator, _is_positive_integer
from qas_simulators.wide_objective import WideObjective, rotation_angles

_TIGHTER: Final = 2, 10.0  # factor of the bond dimension, and of the cutoff, of the tighter truncation
_EXACT_BOND: Final = 256  # of attempts at an exact energy
_FEW_QUBITS: Final = 20  # that a statevector simulates in a second
_NOTHING: Final = 1e-20  # discarded weight below it is rounding
_BYTES: Final = 16  # of an entry


class MPSSimulator(Simulator):
    """Noiseless simulation by matrix-product states: one tensor for each qubit.

    Two-qubit gates act on neighbours; other qubits are brought together by swaps, and back. After each of them the
    singular values across the cut are truncated. The cost grows with the third power of the bond dimension: circuits
    with little entanglement across every cut of the line 0, 1, 2, ... are cheap at any number of qubits.

    Energies are those of the truncated state, normalised: they never lie below the ground energy, but may lie on either
    side of the circuit's own. Environments never call a circuit solved by a truncated energy alone; see
    :meth:`exact_energy`. Nothing is truncated where ``max_bond`` is at least ``2 ** (n // 2)`` and ``cutoff`` is 0.

    Args:
        max_bond: Largest bond dimension; ``None`` for no limit.
        cutoff: Singular values of a normalised state that are at most this large are dropped.
        seed: As in :class:`Simulator`.
        shots: ``None``: there is no shot noise.

    Raises:
        ValueError: ``shots`` is given, or a number is out of range.

    References:
        G. Vidal: Efficient classical simulation of slightly entangled quantum computations, quant-ph/0301063.
        U. Schollwoeck: The density-matrix renormalization group in the age of matrix product states, arXiv:1008.3477.

    Examples:
        >>> circuit = Circuit(50).h(0)
        >>> for qubit in range(49):
        ...     circuit = circuit.cx(qubit, qubit + 1)
        >>> simulator = MPSSimulator(max_bond=2)
        >>> round(simulator.expectation(circuit, PauliSum({"X" * 50: 1.0, "ZZ" + 48 * "I": 0.5})), 9)
        1.5
        >>> simulator.state(circuit).bond_dimensions[:3], simulator.state(circuit).discarded < 1e-20
        ((2, 2, 2), True)
    """

    _advice: ClassVar[str] = "Give a smaller `max_bond`."

    def __init__(
        self, max_bond: int | None = 64, cutoff: float = 0.0, seed: int | None = None, shots: int | None = None
    ) -> None:
        super().__init__(None, seed)
        if shots is not None:
            raise ValueError(must("shots", "be None for matrix-product states, which have no shot noise", shots))
        if max_bond is not None and not _is_positive_integer(max_bond):
            raise ValueError(must("max_bond", "be an integer of at least 1, or None", max_bond))
        if not 0 <= cutoff < 1:
            raise ValueError(must("cutoff", "be at least 0 and less than 1", cutoff))
        self.max_bond, self.cutoff = max_bond, cutoff
        self.is_truncated = max_bond is not None or cutoff > 0

    @property
    def is_noisy(self) -> bool:
        """Never."""
        return False

    def _program(self, circuit: Circuit, observable: PauliSum) -> KernelProgram:
        raise ValueError(must("simulator", "have kernels for this, not keep matrix-product states", self))

    def _bytes_needed(self, circuit: Circuit) -> int:
        """Return the bytes of the tensors that the steps replace; without a limit, of the largest state at least."""
        size = circuit.num_qubits
        bonds = bonds_of(circuit, self.max_bond) if size > 1 else []
        needed = sum(2 * (left + right) * middle for left, middle, right in bonds)
        if self.max_bond is None:
            needed += sum(2 << min(qubit, size - qubit) + min(qubit + 1, size - qubit - 1) for qubit in range(size))
        return _BYTES * needed

    def check(self, circuit: Circuit, observable: PauliSum) -> None:
        """Raise ``ValueError`` if circuit and observable differ in qubits or have only one, or need too much memory."""
        super().check(circuit, observable)
        if circuit.num_qubits < 2:
            raise ValueError(must("circuit", "have at least 2 qubits for matrix-product states", circuit.num_qubits))

    def _made(self, circuit: Circuit, observable: PauliSum) -> MPSProgram:
        limit = Limit(self.max_bond, self.cutoff)
        return MPSProgram(circuit, observable, limit, is_real(circuit.table, observable))

    def state(self, circuit: Circuit) -> MatrixProductState:
        """Return the state that a circuit prepares, with its bond dimensions and the discarded weight."""
        identity = PauliSum({"I" * circuit.num_qubits: 1.0})
        self.check(circuit, identity)
        return self._made(circuit, identity).state(rotation_angles(circuit.params, links_of(circuit), circuit))

    def truncation(self, circuit: Circuit, observable: PauliSum) -> dict[str, float]:
        """Return the estimate of :meth:`truncation_error`, the largest bond dimension, and the discarded weight."""
        state = self.state(circuit)
        return {
            "truncation_error": self._error(circuit, observable, state),
            "bond_dimension": float(max(state.bond_dimensions)),
            "discarded_weight": state.discarded,
        }

    def truncation_error(self, circuit: Circuit, observable: PauliSum) -> float:
        """Return an estimate of the truncation error: the distance from the energy of a tighter truncation.

        That one has twice the bond dimension and a tenth of the cutoff. This is no bound. It is 0 where nothing was
        discarded, and infinite where the tighter one needs too much memory.
        """
        return self._error(circuit, observable, self.state(circuit))

    def _error(self, circuit: Circuit, observable: PauliSum, state: MatrixProductState) -> float:
        if state.discarded <= _NOTHING:
            return 0.0
        bond, factor = _TIGHTER
        tighter = MPSSimulator(None if self.max_bond is None else bond * self.max_bond, self.cutoff / factor)
        try:
            return abs(tighter.expectation(circuit, observable) - self.expectation(circuit, observable))
        except ValueError:
            return float("inf")

    def exact_energy(self, circuit: Circuit, observable: PauliSum) -> float | None:
        """Return the energy without truncation: of a state from which nothing was discarded, or a statevector.

        The bond dimension is at most 256, the statevector has at most 20 qubits; ``None`` where that is not enough.
        """
        for max_bond in (self.max_bond, _EXACT_BOND):
            exact = MPSSimulator(max_bond)
            if exact.state(circuit).discarded <= _NOTHING:
                return exact.expectation(circuit, observable)
            if circuit.num_qubits <= _FEW_QUBITS:
                from qas_simulators.statevector import StatevectorSimulator  # which imports the kernels

                return StatevectorSimulator(real_arithmetic=True).expectation(circuit, observable)
        return None

    def objective(self, circuit: Circuit, observable: PauliSum) -> Objective:
        """Return the energy as a function of the angles."""
        return WideObjective(self, circuit, observable, self._made)

    def minimizer(self, circuit: Circuit, observable: PauliSum) -> Minimizer:
        """Return the minimisation: a scan of new angles, then L-BFGS."""
        return WideObjective(self, circuit, observable, self._made).minimized

    def expectations_and_gradients(
        self, circuit: Circuit, observable: PauliSum, params_batch: ArrayLike
    ) -> tuple[FloatArray, FloatArray]:
        """Return the expectation values ``(B,)`` and gradients ``(B, num_params)``.

        Gradients are exact where nothing is discarded, else those of truncated states.
        """
        objective = WideObjective(self, circuit, observable, self._made)
        energies, gradients = objective.evaluate(self._batch(circuit, params_batch))
        return objective.unit * energies, objective.unit * gradients

    def _term_means(self, circuit: Circuit, observable: PauliSum, params: FloatArray) -> FloatArray:
        twin = circuit.copy()
        twin.params = params
        return self.state(twin).string_means(observable)
