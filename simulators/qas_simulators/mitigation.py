"""MitigatedSimulator: energies extrapolated to zero noise, with gradients, shots and counts of runs."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from qas_simulators.circuit import Circuit
from qas_simulators.descent import descend, scan
from qas_simulators.errors import must
from qas_simulators.extrapolation import ZeroNoise
from qas_simulators.flat_circuit import Table
from qas_simulators.folding import folded, inverses
from qas_simulators.noise import NoiseModel
from qas_simulators.pauli import PauliSum
from qas_simulators.program import FloatArray, KernelProgram, Settings
from qas_simulators.simulator import Gradients, Minimizer, Objective, Simulator


class MitigatedSimulator(Simulator):
    """A simulator of mitigated energies, around a noisy one.

    An energy is a run of the noisy simulator at each scale of the noise; the runs are extrapolated to zero noise. All
    methods return mitigated values, and so do optimisers, environments and searchers that use this simulator. Gradients
    are exact. With shots each run has its own shot noise, so that extrapolation amplifies it. Energies may lie below
    the ground energy.

    Args:
        base: The noisy simulator. Its shots, threads and random generator are used.
        method: Scales, fit and treatment of readout errors.

    Attributes:
        base: The noisy simulator, at scale 1.
        method: As given.

    Raises:
        ValueError: ``base`` has no noise; a probability would exceed 1 at one of the scales; readout errors without an
            inverse.

    Examples:
        Depolarising noise after each of three gates on one qubit, extrapolated without error:

        >>> from qas_simulators import Circuit, NoiseModel, PauliSum, PauliTransferSimulator
        >>> noisy = PauliTransferSimulator(NoiseModel.depolarizing(p1=0.1))
        >>> circuit, observable = Circuit(1).x(0).y(0).x(0), PauliSum({"Z": 1.0})
        >>> mitigated = MitigatedSimulator(noisy, ZeroNoise(scales=(1, 2, 3, 4), order=3))
        >>> round(noisy.expectation(circuit, observable), 6), round(mitigated.expectation(circuit, observable), 6)
        (-0.729, -1.0)
    """

    def __init__(self, base: Simulator, method: ZeroNoise) -> None:
        super().__init__(base.shots, None, base.num_threads, base.shot_noise)
        noise, with_noise = getattr(base, "noise", None), getattr(base, "with_noise", None)
        if not base.is_noisy or noise is None or with_noise is None:
            raise ValueError(must("noise", "be a noise model with errors where energies are mitigated", noise))
        if base.is_truncated:  # a truncated energy alone does not decide what is solved
            raise ValueError(must("simulator", "not be truncated where energies are mitigated", type(base).__name__))
        self.rng = base.rng
        self.base, self.method = base, method
        self.noise: NoiseModel = noise
        self._runs = [self._at(scale, readout=True) for scale in method.scales]
        self._bare = [self._at(scale, readout=False) for scale in method.scales]
        self._inverted: tuple[PauliSum, PauliSum] | None = None  # the last observable, and with inverted readout
        if method.readout == "inverted":
            noise.check_readout_inverse()
        self.runs_per_energy = len(method.scales)
        self.is_sinusoidal = method.is_linear and method.scaling == "rates"
        self.is_bounded = False

    def with_noise(self, noise: NoiseModel) -> MitigatedSimulator:
        """Return the same simulator with another noise model."""
        return MitigatedSimulator(self.base.with_noise(noise), self.method)  # type: ignore[attr-defined]

    def _at(self, scale: float, readout: bool) -> Simulator:
        """Return the exact simulator of a run, with or without the readout errors that are to be inverted."""
        factor = scale if self.method.scaling == "rates" else 1.0
        of_readout = factor if self.method.readout == "scaled" else 1.0
        if self.method.readout == "inverted" and not readout:
            of_readout = 0.0
        run: Simulator = self.base.with_noise(self.noise.scaled(factor, of_readout))  # type: ignore[attr-defined]
        run.shots = None
        return run

    @property
    def is_noisy(self) -> bool:
        """Always."""
        return True

    def check_gates(self, table: Table, num_qubits: int) -> None:
        """Raise ``ValueError`` for gates that the noise model refuses, or whose inverses it refuses with folding."""
        super().check_gates(table, num_qubits)
        if self.method.scaling == "folding":
            super().check_gates(inverses(table), num_qubits)

    def check(self, circuit: Circuit, observable: PauliSum) -> None:
        """Raise ``ValueError`` if the circuit and the observable differ in qubits, or memory would not suffice."""
        self._runs[0].check(circuit, observable)

    def _bytes_needed(self, circuit: Circuit) -> int:
        return self._runs[0]._bytes_needed(circuit)

    def _program(self, circuit: Circuit, observable: PauliSum) -> KernelProgram:
        raise ValueError(must("simulator", "run one program for this, not one at each scale of the noise", self))

    def _parts(self, circuit: Circuit, observable: PauliSum) -> list[tuple[Simulator, Circuit, PauliSum]]:
        """Return the simulator, the circuit and the observable of each run."""
        measured = self._without_misreading(observable)
        if self.method.scaling == "rates":
            return [(run, circuit, measured) for run in self._runs]
        circuits = [folded(circuit, int(scale)) for scale in self.method.scales]
        return [(run, own, measured) for run, own in zip(self._runs, circuits, strict=True)]

    def _without_misreading(self, observable: PauliSum) -> PauliSum:
        if self.method.readout != "inverted":
            return observable
        if self._inverted is None or self._inverted[0] is not observable:
            self._inverted = (observable, self.noise.unmeasured(observable))
        return self._inverted[1]

    def objective(self, circuit: Circuit, observable: PauliSum) -> Objective:
        """Return the mitigated energy as a function of the angles."""
        return _MitigatedObjective(self, circuit, observable)

    def expectations_and_gradients(
        self, circuit: Circuit, observable: PauliSum, params_batch: ArrayLike
    ) -> tuple[FloatArray, FloatArray]:
        """Return the mitigated expectation values ``(B,)`` and their gradients ``(B, num_params)``."""
        self.require_exact("gradients")
        return self.gradients(circuit, observable)(self._batch(circuit, params_batch))

    def gradients(self, circuit: Circuit, observable: PauliSum) -> Gradients:
        """Return the mitigated energies and gradients of a circuit as a function of trusted angles ``(B, params)``."""
        runs = [run.gradients(own, measured) for run, own, measured in self._parts(circuit, observable)]
        mixed = _mixed_energy(observable)

        def evaluate(batch: FloatArray) -> tuple[FloatArray, FloatArray]:
            energies, gradients = map(np.array, zip(*(run(batch) for run in runs), strict=True))
            slopes = self.method.slopes(energies, mixed)  # (scales, B)
            return self.method.extrapolated(energies, mixed), np.einsum("sb,sbp->bp", slopes, gradients)

        return evaluate

    def minimizer(self, circuit: Circuit, observable: PauliSum) -> Minimizer:
        """Return the minimisation of the mitigated energy: a scan of new angles, then L-BFGS.

        Where the energy is a sinusoid in an angle, the scan is exact; elsewhere the best of eight points counts.
        """
        self.require_exact("minimisations by gradients")
        objective, evaluate = self.objective(circuit, observable), self.gradients(circuit, observable)
        is_exact = self.is_sinusoidal and not circuit.is_linked

        def minimized(params: FloatArray, first: int, settings: Settings) -> tuple[float, int, int]:
            evaluations = scan(objective.energies, params, first, is_exact)
            if len(params) == 0:
                return float(objective.energies(params[None])[0]), evaluations + 1, 0
            if settings[0] == 0:
                return float(evaluate(params[None])[0][0]), evaluations + 1, 1
            energy, gradients = descend(evaluate, params, settings, circuit.is_linked)
            return energy, evaluations + gradients, gradients

        return minimized

    def _term_means(self, circuit: Circuit, observable: PauliSum, params: FloatArray) -> FloatArray:
        circuits = [circuit] * len(self._bare)
        if self.method.scaling == "folding":
            circuits = [folded(circuit, int(scale)) for scale in self.method.scales]
        means = [run._term_means(own, observable, params) for run, own in zip(self._bare, circuits, strict=True)]
        return np.clip(self.method.extrapolated(means, 0.0), -1.0, 1.0)


class _MitigatedObjective(Objective):
    """The mitigated energy of one circuit as a function of its angles."""

    _simulator: MitigatedSimulator

    def __init__(self, simulator: MitigatedSimulator, circuit: Circuit, observable: PauliSum) -> None:
        simulator.check(circuit, observable)
        self._simulator, self._circuit = simulator, circuit
        self._observable, self._unit = observable, 1.0
        self._runs = [run.objective(own, measured) for run, own, measured in simulator._parts(circuit, observable)]
        self._mixed = _mixed_energy(observable)

    def measured(self, params_batch: FloatArray, shots: int | None, rng: np.random.Generator) -> FloatArray:
        """Return mitigated energies ``(B,)``; each run has its own shot noise."""
        energies = np.array([run.measured(params_batch, shots, rng) for run in self._runs])
        return self._simulator.method.extrapolated(energies, self._mixed)

    def deviation(self, params: FloatArray) -> float:
        """Return the standard deviation of the mitigated energy with one shot for each term of each run."""
        energies = [float(run.measured(params[None], None, self._simulator.rng)[0]) for run in self._runs]
        slopes = self._simulator.method.slopes(energies, self._mixed)
        return float(np.linalg.norm(slopes * [run.deviation(params) for run in self._runs]))

    @property
    def num_measured(self) -> int:
        """Number of terms that are measured, those of all runs added."""
        return sum(run.num_measured for run in self._runs)

    def sweep(self, params: FloatArray, energy: float) -> float:
        """Move each angle to the minimum of its sinusoid, in place; return the energy there."""
        if not self._simulator.is_sinusoidal or self._circuit.is_linked:
            raise ValueError(must("optimizer", "not need energies that are sinusoids in the angles", "rotosolve"))
        for k in range(len(params)):
            energy = self._turn(params, k, energy)
        params -= 2 * np.pi * np.floor(0.5 * params / np.pi + 0.5)
        return energy


def _mixed_energy(observable: PauliSum) -> float:
    """Return the expectation in the maximally mixed state: the identity's coefficient."""
    return float(observable.coefficients[(observable.x | observable.z) == 0].sum())
