"""The circuit that a run reports: the one that was found, without redundant gates."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from math import pi
from typing import Final

from qas_agents.gadgets.library import tidied
from qas_envs import CircuitBuildingEnv
from qas_envs.simulation import without_shots
from qas_experiments.training.recorder import Solution
from qas_simulators import Circuit, PauliSum, Simulator, StabilizerSimulator, StatevectorSimulator
from qas_simulators.circuit import Operation
from qas_simulators.optimizers import ScanLBFGS

SAME_ENERGY: Final = 1e-9
"""Largest change of the energy, in the problem's unit, for which a gate counts as redundant."""

SAME_SHARE: Final = 1e-4
"""The same as a share of the circuit's energy error, which may be larger."""

LONGEST: Final = 200
"""Gates of a circuit in which angles are adjusted: minimisations for each gate of longer ones take minutes to hours."""

WIDE: Final = 10
"""Qubits up to which :data:`LONGEST` holds; each qubit more makes it smaller by the square root of two.

The time grows with the square of the number of gates, and with the number of amplitudes. From here on real arithmetic
is used where it can be, which is several times as fast.
"""

_POLISH: Final = ScanLBFGS(gradient_tolerance=1e-9, energy_tolerance=1e-15)
Fit = Callable[[Circuit], Circuit | None]
"""Function that returns a circuit, perhaps with other angles, if it has the required energy, else None."""


def shortened(
    circuit: Circuit,
    hamiltonian: PauliSum,
    tolerance: float = SAME_ENERGY,
    adjust: bool = True,
    simulator: Simulator | None = None,
) -> Circuit:
    """Return a circuit with the same energy, without redundant gates.

    Gates merge and cancel as in :meth:`Circuit.simplified`. Then each gate is removed in turn, first two-qubit gates,
    then rotations from the smallest angle up. A gate stays removed if the noiseless energy, with the other angles
    unchanged or adjusted, stays within ``tolerance`` of the original one. While more than 200 gates are left, or fewer
    on more than ten qubits (100 on 12, 50 on 14), angles stay unchanged.

    Args:
        circuit: Any circuit; shared angles become separate ones.
        hamiltonian: Hamiltonian that defines the energy.
        tolerance: Largest change of the energy, in the Hamiltonian's unit.
        adjust: Whether the other angles may change when a gate is removed.
        simulator: Of the energy, exact; by default of statevectors.

    Examples:
        >>> ising = PauliSum({"ZZ": -1.0, "XX": -0.5})
        >>> shortened(Circuit(2).rz(0.3, 0).ry(1e-7, 1).h(0).cx(0, 1).x(0).x(0), ising).count_ops()
        {'h': 1, 'cx': 1}
    """
    if simulator is None:
        simulator = StatevectorSimulator(real_arithmetic=circuit.num_qubits >= WIDE)
    longest = LONGEST / 2 ** (max(circuit.num_qubits - WIDE, 0) / 2)
    wanted = simulator.expectation(circuit, hamiltonian)

    def unchanged(other: Circuit) -> Circuit | None:
        return other if abs(simulator.expectation(other, hamiltonian) - wanted) <= tolerance else None

    def adjusted(other: Circuit) -> Circuit | None:
        other.params = _POLISH.minimize(simulator, other, hamiltonian).params
        return unchanged(other)

    # A removal can make other gates redundant, so repeat until a pass removes none. Unchanged angles come first,
    # because they need one evaluation where adjusted ones need a minimisation.
    kept, num_gates = circuit, -1
    while len(kept) != num_gates:
        num_gates = len(kept)
        tidy = unchanged(tidied(kept))
        kept = kept if tidy is None else tidy
        kept = _thinned(kept, unchanged)
        if adjust and len(kept) <= longest:
            kept = _thinned(kept, adjusted)
    return kept


def _thinned(circuit: Circuit, fit: Fit) -> Circuit:
    """Remove one gate after the other where ``fit`` allows it: two-qubit gates first, then small rotations."""
    kept = dict(enumerate(circuit))  # by position
    for place in sorted(kept, key=lambda place: _removal_order(kept[place])):
        places = [other for other in kept if other != place]
        shorter = fit(_circuit(circuit.num_qubits, [kept[other] for other in places]))
        if shorter is not None:
            kept = dict(zip(places, shorter, strict=True))
    return _circuit(circuit.num_qubits, kept.values())


def _circuit(num_qubits: int, gates: Iterable[Operation]) -> Circuit:
    circuit = Circuit(num_qubits)
    for gate in gates:
        circuit.append(*gate)
    return circuit


def _removal_order(gate: Operation) -> tuple[bool, float]:
    turn = pi if gate.angle is None else abs((gate.angle + pi) % (2 * pi) - pi)
    return len(gate.qubits) == 1, turn


def reported(found: Solution, env: CircuitBuildingEnv) -> Solution:
    """Return the shortened circuit of a solution, with its energy under the same noise.

    Without noise a gate is redundant if the energy changes by at most 1e-9, or by 1e-4 of the error.

    With noise the shortened circuit has another energy; if that is higher, the solution is returned as it was found. In
    circuits of a family gates only merge and cancel.
    """
    if env.family is not None:  # the circuit is for one member; merging and cancelling is exact for every member
        return replace(found, circuit=tidied(found.circuit))
    hamiltonian = env.problem.hamiltonian
    is_noisy = env.simulator.is_noisy
    # With noise the angles are optimised for it, and adjusting them without noise would undo that.
    tolerance = SAME_ENERGY if is_noisy else max(SAME_ENERGY, SAME_SHARE * found.energy_error)
    exact = without_shots(env.simulator)
    simulator = exact if isinstance(exact, StabilizerSimulator) else None
    circuit = shortened(found.circuit, hamiltonian, tolerance, not is_noisy, simulator)
    energy = exact.expectation(circuit, hamiltonian)
    if is_noisy and energy > exact.expectation(found.circuit, hamiltonian) + SAME_ENERGY:
        return found
    return replace(found, circuit=circuit, energy=energy, energy_error=energy - env.problem.ground_energy)
