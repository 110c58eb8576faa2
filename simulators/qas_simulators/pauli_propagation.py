"""Energies by Pauli propagation: the observable is moved through the circuit, and no state is kept."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from qas_simulators.circuit import Circuit
from qas_simulators.cliffords import pauli_rotations
from qas_simulators.descent import descend, scan
from qas_simulators.errors import must
from qas_simulators.flat_circuit import MASK_QUBITS
from qas_simulators.library_strings import LibraryStrings, library
from qas_simulators.noise import NoiseModel
from qas_simulators.noisy_strings import NoisyStrings
from qas_simulators.pauli import PauliSum
from qas_simulators.program import FloatArray, KernelProgram, Settings, links_of
from qas_simulators.simulator import Gradients, Minimizer, Objective, Simulator
from qas_simulators.string_limits import Limits, StringEngine, StringGraph, TooManyStringsError

_LEAST_TURN: Final = 0.2  # radians from multiples of pi / 2, for the coefficients that decide what descents keep
_ITERATIONS: Final = 20  # of L-BFGS with the same strings, where these depend on the angles
_SHORTER: Final = 4  # factor of fewer iterations where a descent led upwards: its strings no longer mattered
_NOISE: Final = 0.1  # part of the smallest coefficient that is kept: gains below it end a minimisation
_FEW_QUBITS: Final = 20  # that a statevector simulates in a second
_FEW_NOISY: Final = 10  # that a Pauli vector simulates in a second
_TIGHTER: Final = 2, 10.0  # letters more, and the factor of coefficients, of the tighter truncation


class PauliPropagationSimulator(Simulator):
    """Simulation in the Heisenberg picture: Pauli strings instead of amplitudes.

    Clifford gates are conjugated away first, exactly. What is left are rotations about Pauli strings; each of them
    turns a string that anticommutes with it into two. The cost grows with the number of strings, not with that of
    qubits: shallow circuits on 40 qubits are cheap, deep ones on ten are not.

    Without ``weight`` and ``coefficient`` energies are exact. With them, strings are dropped on the way: energies have
    a truncation error, of either sign, which :meth:`truncation_error` estimates. A truncated energy may lie below the
    ground energy, so that environments never call a circuit solved by it alone; see :meth:`exact_energy`.

    Noise acts on strings too, exactly: Pauli channels multiply each of them by a factor, so that truncation by
    ``coefficient`` needs fewer strings than without noise; other channels map a string to a few. All channels and
    readout errors of a :class:`NoiseModel` are simulated.

    Args:
        noise: Channels that follow the gates, and readout errors; ``None`` for none. Do not change it later.
        weight: Strings with more letters than this are dropped, unless all of them are Z; ``None`` keeps all. Letters
            are counted after the Clifford gates were conjugated away.
        coefficient: Strings whose coefficient is smaller than this are dropped, in the observable's unit; ``None``
            keeps all.
        max_strings: Number of strings above which a simulation is refused.
        seed: As in :class:`Simulator`.
        shots: ``None``: there is no shot noise.

    Raises:
        ImportError: ``monoprop`` is not installed.
        ValueError: ``shots`` is given, a number is out of range, or ``noise`` is no noise model.

    References:
        M. S. Rudolph, T. Jones, Y. Teng, A. Angrisani, Z. Holmes: Pauli propagation: a computational framework for
        simulating quantum systems, arXiv:2505.21606.
        A. Miller et al.: Simulation of fermionic circuits using Majorana propagation, arXiv:2503.18939 (the library,
        which simulates circuits without noise).

    Examples:
        >>> circuit, observable = Circuit(2).ry(0.5, 0).cx(0, 1), PauliSum({"XX": 1.0})
        >>> round(PauliPropagationSimulator().expectation(circuit, observable), 6)
        0.479426
        >>> noisy = PauliPropagationSimulator(NoiseModel.depolarizing(p2=0.1))
        >>> round(noisy.expectation(circuit, observable), 6)  # 0.9 times as much
        0.431483
    """

    def __init__(
        self,
        noise: NoiseModel | None = None,
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
        if noise is not None and not isinstance(noise, NoiseModel):
            raise ValueError(must("noise", "be a NoiseModel or None", noise))
        library()
        self.noise = noise if noise is not None else NoiseModel()
        self.weight, self.coefficient, self.max_strings = weight, coefficient, max_strings
        self.is_truncated = weight is not None or coefficient is not None
        self.is_bounded = not self.is_truncated

    @property
    def is_noisy(self) -> bool:
        """Whether the noise model has any rule."""
        return not self.noise.is_noiseless

    def with_noise(self, noise: NoiseModel) -> PauliPropagationSimulator:
        """Return the same simulator with another noise model."""
        return PauliPropagationSimulator(noise, self.weight, self.coefficient, self.max_strings)

    def _program(self, circuit: Circuit, observable: PauliSum) -> KernelProgram:
        raise ValueError(must("simulator", "have kernels for this, not propagate Pauli strings", self))

    def _bytes_needed(self, circuit: Circuit) -> int:
        return 0

    def check(self, circuit: Circuit, observable: PauliSum) -> None:
        """Raise ``ValueError`` if the circuit and the observable differ in qubits, or have more than 60."""
        super().check(circuit, observable)
        if circuit.num_qubits > MASK_QUBITS:
            raise ValueError(must("circuit", f"have at most {MASK_QUBITS} qubits for this", circuit.num_qubits))

    def truncation_error(self, circuit: Circuit, observable: PauliSum) -> float:
        """Return an estimate of the truncation error: the distance from the energy of a tighter truncation.

        That one keeps two letters more, and coefficients ten times smaller. This is no bound. It is 0 without
        truncation, and infinite where the tighter one needs too many strings.
        """
        if not self.is_truncated:
            return 0.0
        letters, factor = _TIGHTER
        tighter = PauliPropagationSimulator(
            self.noise,
            None if self.weight is None else self.weight + letters,
            None if self.coefficient is None else self.coefficient / factor,
            self.max_strings,
        )
        try:
            return abs(tighter.expectation(circuit, observable) - self.expectation(circuit, observable))
        except TooManyStringsError:
            return float("inf")

    def exact_energy(self, circuit: Circuit, observable: PauliSum) -> float | None:
        """Return the energy without truncation; ``None`` where it needs too much.

        It is that of a statevector to 20 qubits, with noise that of a Pauli vector to 10, or of all strings.
        """
        if self.is_truncated and circuit.num_qubits <= (_FEW_NOISY if self.is_noisy else _FEW_QUBITS):
            from qas_simulators.pauli_transfer import PauliTransferSimulator  # which import the kernels
            from qas_simulators.statevector import StatevectorSimulator

            pure = StatevectorSimulator(real_arithmetic=True)
            return (PauliTransferSimulator(self.noise) if self.is_noisy else pure).expectation(circuit, observable)
        exact = PauliPropagationSimulator(self.noise, max_strings=self.max_strings)
        try:
            return exact.expectation(circuit, observable)
        except TooManyStringsError:
            return None

    def objective(self, circuit: Circuit, observable: PauliSum) -> Objective:
        """Return the energy as a function of the angles."""
        return _PropagatedObjective(self, circuit, observable)

    def expectations_and_gradients(
        self, circuit: Circuit, observable: PauliSum, params_batch: ArrayLike
    ) -> tuple[FloatArray, FloatArray]:
        """Return the expectation values ``(B,)`` and gradients ``(B, num_params)``, of what truncation leaves."""
        return self.gradients(circuit, observable)(self._batch(circuit, params_batch))

    def gradients(self, circuit: Circuit, observable: PauliSum) -> Gradients:
        """Return energies and gradients as a function of angles; with ``coefficient`` each has its own strings."""
        objective = _PropagatedObjective(self, circuit, observable)
        kept: list[_Graph] = []  # without `coefficient` the strings are the same at all angles

        def evaluate(batch: FloatArray) -> tuple[FloatArray, FloatArray]:
            if self.coefficient is None and not kept and len(batch) > 0:
                kept.append(objective.graph(batch[0]))
            parts = [(kept[0] if kept else objective.graph(params)).evaluate(params[None]) for params in batch]
            energies = np.array([part[0][0] for part in parts])
            return energies, np.array([part[1][0] for part in parts]).reshape(batch.shape)

        return evaluate

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
        return _PropagatedObjective(self, circuit, observable).string_means(params)


class _PropagatedObjective(Objective):
    """The energy of one circuit as a function of its angles."""

    _simulator: PauliPropagationSimulator

    def __init__(self, simulator: PauliPropagationSimulator, circuit: Circuit, observable: PauliSum) -> None:
        simulator.check(circuit, observable)
        self._simulator, self._circuit = simulator, circuit
        self._observable, self._unit = observable, 1.0
        self._scheduled = simulator.noise.scheduled(circuit)
        self._rotations = pauli_rotations(self._scheduled, simulator.noise.measured(observable))
        self._links = links_of(circuit)
        self._strings = self._engine()

    def _engine(self) -> StringEngine:
        simulator = self._simulator
        limits = Limits(simulator.weight, simulator.coefficient, simulator.max_strings)
        if simulator.noise.has_channels:
            return NoisyStrings(self._scheduled, simulator.noise, self._rotations, limits)
        return LibraryStrings(self._circuit.num_qubits, self._rotations, limits)

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
        return np.array([self._strings.energy(self.angles(params)) for params in params_batch])

    def sweep(self, params: FloatArray, energy: float) -> float:
        """Move each angle to the minimum of its sinusoid, in place; return the energy there."""
        if self._circuit.is_linked:
            raise ValueError(must("circuit", "have no linked angles: energies are no sinusoids in them", self._circuit))
        scan(self.graph(params).energies, params, 0, True)
        params -= 2 * np.pi * np.floor(0.5 * params / np.pi + 0.5)
        return float(self.energies(params[None])[0])

    def string_means(self, params: FloatArray) -> FloatArray:
        """Return the mean of each string of the observable, readout errors included, ``(strings,)``."""
        observable, noise, angles = self._observable, self._simulator.noise, self.angles(params)
        strings = zip(observable.x, observable.z, strict=True)
        singles = (PauliSum.from_masks(observable.num_qubits, [x], [z], [1.0]) for x, z in strings)
        moved = (pauli_rotations(self._scheduled, noise.measured(single)).observable for single in singles)
        return np.array([self._strings.energy(angles, one) for one in moved])

    def graph(self, params: FloatArray) -> _Graph:
        """Return the strings of these angles as a graph, which gives energies and gradients at other angles too."""
        angles = self.angles(params)
        if self._simulator.coefficient is not None:
            angles = _away_from_right_angles(angles)
        return _Graph(self, self._strings.graph(angles))


class _Graph:
    """The strings of one circuit as functions of its parameters."""

    def __init__(self, objective: _PropagatedObjective, strings: StringGraph) -> None:
        self._objective, self._strings = objective, strings

    def energies(self, params_batch: FloatArray) -> FloatArray:
        """Return the energies ``(B,)`` at angles ``(B, num_params)``."""
        return np.array([self._strings.energy(self._objective.angles(params)) for params in params_batch])

    def evaluate(self, params_batch: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return the energies ``(B,)`` and gradients ``(B, num_params)``."""
        found = [self._strings.energy_and_gradient(self._objective.angles(params)) for params in params_batch]
        return np.array([energy for energy, _ in found]), np.array([self._objective.pulled_back(g) for _, g in found])


def _away_from_right_angles(angles: FloatArray) -> FloatArray:
    """Return angles that are at least 0.2 away from multiples of pi / 2, where sines and cosines vanish."""
    nearest = 0.5 * np.pi * np.round(angles / (0.5 * np.pi))
    distance = angles - nearest
    away = np.where(distance < 0, -1.0, 1.0) * np.maximum(np.abs(distance), _LEAST_TURN)
    return np.asarray(nearest + away)
