"""Energies by Pauli propagation: the observable is moved through the circuit, and no state is kept."""

from __future__ import annotations

import os
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import ArrayLike

from qas_simulators.circuit import Circuit
from qas_simulators.cliffords import pauli_rotations
from qas_simulators.descent import descend, scan
from qas_simulators.errors import must, needs_extra
from qas_simulators.flat_circuit import MASK_QUBITS
from qas_simulators.pauli import PauliSum
from qas_simulators.program import FloatArray, KernelProgram, Settings, links_of
from qas_simulators.simulator import Minimizer, Objective, Simulator

if TYPE_CHECKING:
    from monoprop import PauliPropagator

_CHUNK: Final = 16  # rotations that are propagated before the number of strings is compared with its limit
_SPARE: Final = 16  # times the strings of the last propagation: with this much room sizes are compared at the end only
_LEAST_TURN: Final = 0.2  # radians from multiples of pi / 2, for the coefficients that decide what descents keep
_ITERATIONS: Final = 20  # of L-BFGS with the same strings, where these depend on the angles
_SHORTER: Final = 4  # factor of fewer iterations where a descent led upwards: its strings no longer mattered
_NOISE: Final = 0.1  # part of the smallest coefficient that is kept: gains below it end a minimisation
_FEW_QUBITS: Final = 20  # that a statevector simulates in a second
_TIGHTER: Final = 2, 10.0  # letters more, and the factor of coefficients, of the tighter truncation


class PauliPropagationSimulator(Simulator):
    """Noiseless simulation in the Heisenberg picture: Pauli strings instead of amplitudes.

    Clifford gates are conjugated away first, exactly. What is left are rotations about Pauli strings; each of them
    turns a string that anticommutes with it into two. The cost grows with the number of strings, not with that of
    qubits: shallow circuits on 40 qubits are cheap, deep ones on ten are not.

    Without ``weight`` and ``coefficient`` energies are exact. With them, strings are dropped on the way: energies have
    a truncation error, of either sign, which :meth:`truncation_error` estimates. A truncated energy may lie below the
    ground energy, so that environments never call a circuit solved by it alone; see :meth:`exact_energy`.

    Args:
        weight: Strings with more letters than this are dropped, unless all of them are Z; ``None`` keeps all. Letters
            are counted after the Clifford gates were conjugated away.
        coefficient: Strings whose coefficient is smaller than this are dropped, in the observable's unit; ``None``
            keeps all.
        max_strings: Number of strings above which a simulation is refused.
        seed: As in :class:`Simulator`.
        shots: ``None``: there is no shot noise.

    Raises:
        ImportError: ``monoprop`` is not installed.
        ValueError: ``shots`` is given, or a number is out of range.

    References:
        M. S. Rudolph, T. Jones, Y. Teng, A. Angrisani, Z. Holmes: Pauli propagation: a computational framework for
        simulating quantum systems, arXiv:2505.21606.
        A. Miller et al.: Simulation of fermionic circuits using Majorana propagation, arXiv:2503.18939 (the library).

    Examples:
        >>> circuit, observable = Circuit(2).ry(0.5, 0).cx(0, 1), PauliSum({"XX": 1.0})
        >>> round(PauliPropagationSimulator().expectation(circuit, observable), 6)
        0.479426
    """

    def __init__(
        self,
        weight: int | None = None,
        coefficient: float | None = None,
        max_strings: int = 1_000_000,
        seed: int | None = None,
        shots: int | None = None,
    ) -> None:
        super().__init__(None, seed)
        if shots is not None:
            raise ValueError(must("shots", "be None for Pauli propagation, which has no shot noise", shots))
        if weight is not None and not (isinstance(weight, int) and weight >= 1):
            raise ValueError(must("weight", "be an integer of at least 1, or None", weight))
        if coefficient is not None and not 0 < coefficient < 1:
            raise ValueError(must("coefficient", "lie between 0 and 1, or be None", coefficient))
        if not max_strings >= 1:
            raise ValueError(must("max_strings", "be at least 1", max_strings))
        _library()
        self.weight, self.coefficient, self.max_strings = weight, coefficient, max_strings
        self.is_truncated = weight is not None or coefficient is not None
        self.is_bounded = not self.is_truncated

    @property
    def is_noisy(self) -> bool:
        """Never."""
        return False

    def _program(self, circuit: Circuit, observable: PauliSum) -> KernelProgram:
        raise ValueError(must("simulator", "have kernels for this, not propagate Pauli strings", self))

    def _bytes_needed(self, circuit: Circuit) -> int:
        return 0

    def check(self, circuit: Circuit, observable: PauliSum) -> None:
        """Raise ``ValueError`` if the circuit and the observable differ in qubits, or have more than 60."""
        super().check(circuit, observable)
        if circuit.num_qubits > MASK_QUBITS:
            raise ValueError(must("circuit", f"have at most {MASK_QUBITS} qubits for this", circuit.num_qubits))

    def _with(self, weight: int | None, coefficient: float | None) -> PauliPropagationSimulator:
        return PauliPropagationSimulator(weight, coefficient, self.max_strings)

    def truncation_error(self, circuit: Circuit, observable: PauliSum) -> float:
        """Return an estimate of the truncation error: the distance from the energy of a tighter truncation.

        That one keeps two letters more, and coefficients ten times smaller. This is no bound. It is 0 without
        truncation, and infinite where the tighter one needs too many strings.
        """
        if not self.is_truncated:
            return 0.0
        letters, factor = _TIGHTER
        tighter = self._with(
            None if self.weight is None else self.weight + letters,
            None if self.coefficient is None else self.coefficient / factor,
        )
        try:
            return abs(tighter.expectation(circuit, observable) - self.expectation(circuit, observable))
        except TooManyStringsError:
            return float("inf")

    def exact_energy(self, circuit: Circuit, observable: PauliSum) -> float | None:
        """Return the energy without truncation, by a statevector to 20 qubits; ``None`` where it needs too much."""
        if self.is_truncated and circuit.num_qubits <= _FEW_QUBITS:
            from qas_simulators.statevector import StatevectorSimulator  # which imports the kernels

            return StatevectorSimulator(real_arithmetic=True).expectation(circuit, observable)
        try:
            return self._with(None, None).expectation(circuit, observable)
        except TooManyStringsError:
            return None

    def objective(self, circuit: Circuit, observable: PauliSum) -> Objective:
        """Return the energy as a function of the angles."""
        return _PropagatedObjective(self, circuit, observable)

    def expectations_and_gradients(
        self, circuit: Circuit, observable: PauliSum, params_batch: ArrayLike
    ) -> tuple[FloatArray, FloatArray]:
        """Return the expectation values ``(B,)`` and gradients ``(B, num_params)``, of what truncation leaves."""
        batch = self._batch(circuit, params_batch)
        objective = _PropagatedObjective(self, circuit, observable)
        parts = [objective.graph(params).evaluate(params[None]) for params in batch]
        energies = np.array([part[0][0] for part in parts])
        return energies, np.array([part[1][0] for part in parts]).reshape(batch.shape)

    def minimizer(self, circuit: Circuit, observable: PauliSum) -> Minimizer:
        """Return the minimisation: a scan of new angles, then L-BFGS on the strings that are kept.

        With ``coefficient``, what is kept depends on the angles: the strings are chosen again after 20 iterations at
        most. Where the energy rose, only the first few of them count. The energy returned is that of
        :meth:`expectation`.
        """
        objective = _PropagatedObjective(self, circuit, observable)

        def minimized(params: FloatArray, first: int, settings: Settings) -> tuple[float, int, int]:
            graph, evaluations = None, 0
            if first < len(params):
                graph = objective.graph(params)
                evaluations = scan(graph.energies, params, first, not circuit.is_linked)
            if len(params) == 0 or settings[0] == 0:
                return float(objective.energies(params[None])[0]), evaluations + 1, 0
            graph = graph or objective.graph(params)
            if self.coefficient is None:
                energy, gradients = descend(graph.evaluate, params, settings, objective.is_linked)
                return energy, evaluations + gradients, gradients
            energy, more, gradients = self._descended(objective, graph, params, settings)
            return energy, evaluations + more, gradients

        return minimized

    def _descended(
        self, objective: _PropagatedObjective, graph: _Graph, params: FloatArray, settings: Settings
    ) -> tuple[float, int, int]:
        """Minimise over all angles in place, strings being chosen again; return energy, evaluations and gradients."""
        left, gradient_tolerance, energy_tolerance = settings
        energy = float(objective.energies(params[None])[0])
        gradients, energies, length = 0, 1, min(_ITERATIONS, left)
        noise = max(energy_tolerance, _NOISE * (self.coefficient or 0.0))
        while length > 0:
            path: list[FloatArray] = []
            end = length, gradient_tolerance, energy_tolerance
            gradients += descend(graph.evaluate, params.copy(), end, objective.is_linked, path)[1]
            left, steps, gain = left - length, len(path), 0.0
            while steps > 0:  # far along, these strings may no longer be those that matter
                gain = energy - float(objective.energies(path[steps - 1][None])[0])
                energies += 1
                if gain > 0:
                    break
                steps //= _SHORTER
            if steps == 0:
                break
            energy, params[:] = energy - gain, path[steps - 1]
            if gain <= noise:
                break
            length = min(length if steps == len(path) else steps, left)
            graph = objective.graph(params) if length > 0 else graph
        return energy, gradients + energies, gradients

    def _term_means(self, circuit: Circuit, observable: PauliSum, params: FloatArray) -> FloatArray:
        count = len(observable.coefficients)
        numbered = PauliSum.from_masks(observable.num_qubits, observable.x, observable.z, np.arange(1.0, count + 1.0))
        return _PropagatedObjective(self, circuit, numbered).string_means(params)


class TooManyStringsError(ValueError):
    """A propagation needs more strings than are allowed."""


class _PropagatedObjective(Objective):
    """The energy of one circuit as a function of its angles."""

    _simulator: PauliPropagationSimulator

    def __init__(self, simulator: PauliPropagationSimulator, circuit: Circuit, observable: PauliSum) -> None:
        simulator.check(circuit, observable)
        self._simulator, self._circuit = simulator, circuit
        self._observable, self._unit = observable, 1.0
        self._rotations = pauli_rotations(circuit, observable)
        self._links = links_of(circuit)
        self._gates = [
            _rotation(x, z, sign, circuit.num_qubits)
            for x, z, sign in zip(
                self._rotations.x.tolist(), self._rotations.z.tolist(), self._rotations.signs.tolist(), strict=True
            )
        ]
        self._size = 0  # strings at the end of the last propagation

    @property
    def is_linked(self) -> bool:
        """Whether angles of the circuit are shared, scaled or constant."""
        return self._circuit.is_linked

    def angles(self, params: FloatArray) -> FloatArray:
        """Return the angle of every rotation, ``(rotations,)``."""
        sources, factors, offsets = self._links
        own = params if len(sources) == 0 else offsets + factors * np.append(params, 0.0)[sources]
        return self._rotations.angles(own[: self._circuit.num_rotations])

    def pulled_back(self, gradient: FloatArray) -> FloatArray:
        """Return derivatives by the parameters, given those by the angle of every rotation."""
        of_own = np.zeros(self._circuit.num_rotations + 1)
        np.add.at(of_own, self._rotations.sources, gradient)
        if not self._circuit.is_linked:
            return of_own[:-1]
        sources, factors, _ = self._links
        found = np.zeros(self._circuit.num_params + 1)
        if self._circuit.num_rotations:
            np.add.at(found, sources, factors * of_own[:-1])
        return found[:-1]

    def measured(self, params_batch: FloatArray, shots: int | None, rng: np.random.Generator) -> FloatArray:
        """Return energies ``(B,)``."""
        if shots is not None:
            raise ValueError(must("shots", "be None for Pauli propagation, which has no shot noise", shots))
        return np.array([self._propagated(self.angles(params)) for params in params_batch])

    def sweep(self, params: FloatArray, energy: float) -> float:
        """Move each angle to the minimum of its sinusoid, in place; return the energy there."""
        if self._circuit.is_linked:
            raise ValueError(must("circuit", "have no linked angles: energies are no sinusoids in them", self._circuit))
        scan(self.graph(params).energies, params, 0, True)
        params -= 2 * np.pi * np.floor(0.5 * params / np.pi + 0.5)
        return float(self.energies(params[None])[0])

    def string_means(self, params: FloatArray) -> FloatArray:
        """Return the mean of each string of an observable whose coefficients are 1, 2, 3, ..., ``(strings,)``.

        The coefficients say which string of the observable each one is, and its sign, after all Clifford gates.
        """
        angles, moved = self.angles(params), self._rotations.observable
        means = np.zeros(len(moved.coefficients))
        for x, z, numbered in zip(moved.x.tolist(), moved.z.tolist(), moved.coefficients.tolist(), strict=True):
            self._moved = _library().PauliOperator({_pauli(x, z): 1.0}, num_qubits=self._circuit.num_qubits)
            means[round(abs(numbered)) - 1] = np.sign(numbered) * self._propagated(angles)
        return means

    def graph(self, params: FloatArray) -> _Graph:
        """Return the strings of these angles as a graph, which gives energies and gradients at other angles too."""
        angles = self.angles(params)
        if self._simulator.coefficient is not None:
            angles = _away_from_right_angles(angles)
        propagator = self._propagator()
        last = len(self._gates)
        while last > 0:
            first = self._first_of_chunk(propagator, last)
            propagator.build_graph(self._part(first, last, angles), seed_parameters=angles[first:])
            last = first
        self._size = self._checked_size(propagator)
        return _Graph(self, propagator)

    def _propagated(self, angles: FloatArray) -> float:
        propagator = self._propagator()
        last = len(self._gates)
        while last > 0:
            first = self._first_of_chunk(propagator, last)
            propagator.propagate(self._part(first, last, angles))
            last = first
        self._size = self._checked_size(propagator)
        return float(propagator.expectation_value())

    def _first_of_chunk(self, propagator: PauliPropagator, last: int) -> int:
        """Return the first of the rotations before ``last`` that can be propagated without a look at the size.

        Those that act last come first, and each of them doubles the number of strings at most. Strings that depend on
        the angles may be more than in the last propagation, but hardly 16 times as many.
        """
        size = self._checked_size(propagator)
        if 0 < _SPARE * self._size <= self._simulator.max_strings:
            return 0
        doublings = int(np.log2(self._simulator.max_strings / max(1, size)))
        return max(0, last - min(_CHUNK, max(1, doublings)))

    def _part(self, first: int, last: int, angles: FloatArray) -> Any:
        return _library().Circuit(self._gates[first:last], self._circuit.num_qubits, angles[first:last].tolist())

    def _propagator(self) -> PauliPropagator:
        weight, num_qubits = self._simulator.weight, self._circuit.num_qubits
        found: PauliPropagator = _library().PauliPropagator(
            self._moved,
            [],
            cutoff=num_qubits if weight is None else min(weight, num_qubits),
            lower_atol=self._simulator.coefficient,
        )
        return found

    @cached_property
    def _moved(self) -> Any:
        """The observable after all Clifford gates, as the library's."""
        moved = self._rotations.observable
        strings = zip(moved.x.tolist(), moved.z.tolist(), moved.coefficients, strict=True)
        return _library().PauliOperator({_pauli(x, z): c for x, z, c in strings}, num_qubits=self._circuit.num_qubits)

    def _checked_size(self, propagator: PauliPropagator) -> int:
        """Return the number of strings; raise ``TooManyStringsError`` if there are too many."""
        size, most = int(propagator.size()), self._simulator.max_strings
        if size > most:
            message = must("max_strings", f"be at least {size} for the last gates of this circuit alone", most)
            raise TooManyStringsError(f"{message} Simulators with `weight` or `coefficient` drop strings.")
        return size


class _Graph:
    """The strings of one circuit, and how they follow from each other."""

    def __init__(self, objective: _PropagatedObjective, propagator: PauliPropagator) -> None:
        self._objective = objective
        self._energy = propagator.expectation_value_functional()
        self._gradient = propagator.expectation_value_and_gradient_functional()

    def energies(self, params_batch: FloatArray) -> FloatArray:
        """Return the energies ``(B,)`` at angles ``(B, num_params)``."""
        return np.array([self._energy(self._objective.angles(params)) for params in params_batch])

    def evaluate(self, params_batch: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the energies ``(B,)`` and gradients ``(B, num_params)``."""
        found = [self._gradient(self._objective.angles(params)) for params in params_batch]
        return np.array([energy for energy, _ in found]), np.array([self._objective.pulled_back(g) for _, g in found])


@cache
def _library() -> Any:
    """Import the library, with one thread, so that sums are rounded alike on every machine."""
    os.environ.setdefault("monoprop_PARTITIONS", "off")
    os.environ.setdefault("monoprop_NUM_THREADS", "1")
    with needs_extra("propagation"):
        import monoprop
    return monoprop


def _pauli(x: int, z: int) -> Any:
    """Return a string as the library's."""
    both = x | z
    qubits = [qubit for qubit in range(both.bit_length()) if both >> qubit & 1]
    letters = "".join("IXZY"[(x >> qubit & 1) + 2 * (z >> qubit & 1)] for qubit in qubits)
    return _library().Pauli(letters, qubits, skip_validation=True)


def _rotation(x: int, z: int, sign: float, num_qubits: int) -> Any:
    """Return a rotation as the library's ``exp(i angle H)``."""
    library = _library()
    return library.ExpGate(library.PauliOperator({_pauli(x, z): -0.5 * sign}, num_qubits=num_qubits))


def _away_from_right_angles(angles: FloatArray) -> FloatArray:
    """Return angles that are at least 0.2 away from multiples of pi / 2, where sines and cosines vanish."""
    nearest = 0.5 * np.pi * np.round(angles / (0.5 * np.pi))
    distance = angles - nearest
    away = np.where(distance < 0, -1.0, 1.0) * np.maximum(np.abs(distance), _LEAST_TURN)
    return np.asarray(nearest + away)
