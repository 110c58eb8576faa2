"""The circuit that a run reports: what was found, without the gates that do nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from math import pi
from typing import Final

from qas_agents.gadgets.library import tidied
from qas_envs import CircuitBuildingEnv
from qas_envs.simulation import without_shots
from qas_experiments.training.recorder import Solution
from qas_simulators import Circuit, PauliSum, StatevectorSimulator
from qas_simulators.circuit import Operation
from qas_simulators.optimizers import ScanLBFGS

SAME_ENERGY: Final = 1e-9
"""Largest change of the energy, in the problem's unit, by which a gate counts as one that does nothing."""

_POLISH: Final = ScanLBFGS(gradient_tolerance=1e-9, energy_tolerance=1e-15)
Fit = Callable[[Circuit], Circuit | None]
"""Returns a circuit, perhaps with other angles, if its energy is the wanted one."""


def shortened(circuit: Circuit, hamiltonian: PauliSum, tolerance: float = SAME_ENERGY, adjust: bool = True) -> Circuit:
    """Return a circuit of the same gates with the same energy, without those that do nothing for it.

    Gates merge and cancel as in :meth:`Circuit.simplified`. Then every gate is left out in turn, two-qubit gates first,
    rotations by the smallest angles next, and stays out if the energy without noise stays within ``tolerance`` of the
    first one: as it is, or with the other angles adjusted.

    Args:
        circuit: Any circuit; shared angles become angles of their own.
        hamiltonian: The energy's.
        tolerance: In the Hamiltonian's unit.
        adjust: Whether the other angles may change when a gate is left out.

    Examples:
        >>> ising = PauliSum({"ZZ": -1.0, "XX": -0.5})
        >>> shortened(Circuit(2).rz(0.3, 0).ry(1e-7, 1).h(0).cx(0, 1).x(0).x(0), ising).count_ops()
        {'h': 1, 'cx': 1}
    """
    simulator = StatevectorSimulator()
    wanted = simulator.expectation(circuit, hamiltonian)

    def as_it_is(other: Circuit) -> Circuit | None:
        return other if abs(simulator.expectation(other, hamiltonian) - wanted) <= tolerance else None

    def adjusted(other: Circuit) -> Circuit | None:
        other.params = _POLISH.minimize(simulator, other, hamiltonian).params
        return as_it_is(other)

    kept, num_gates = circuit, -1
    while len(kept) != num_gates:
        num_gates = len(kept)
        tidy = as_it_is(tidied(kept))
        kept = kept if tidy is None else tidy
        for fit in (as_it_is, adjusted) if adjust else (as_it_is,):
            kept = _thinned(kept, fit)
    return kept


def _thinned(circuit: Circuit, fit: Fit) -> Circuit:
    """Leave out one gate after the other, those first that are dearest or turn least."""
    kept = dict(enumerate(circuit))  # by place
    for place in sorted(kept, key=lambda place: _worth(kept[place])):
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


def _worth(gate: Operation) -> tuple[bool, float]:
    turn = pi if gate.angle is None else abs((gate.angle + pi) % (2 * pi) - pi)
    return len(gate.qubits) == 1, turn


def reported(found: Solution, env: CircuitBuildingEnv) -> Solution:
    """Return what a run reports of a circuit: shortened, with the energy that it then has under the same noise.

    With noise fewer gates have another energy; should it be higher, the circuit is reported as it was found. Circuits
    of a family only merge and cancel gates.
    """
    if env.family is not None:  # of whose members the circuit belongs to one: what is exact for all of them
        return replace(found, circuit=tidied(found.circuit))
    hamiltonian = env.problem.hamiltonian
    is_noisy = env.simulator.is_noisy
    circuit = shortened(found.circuit, hamiltonian, adjust=not is_noisy)  # angles are those that suit the noise
    if not is_noisy:
        return replace(found, circuit=circuit)
    exact = without_shots(env.simulator)
    energy = exact.expectation(circuit, hamiltonian)
    if energy > exact.expectation(found.circuit, hamiltonian) + SAME_ENERGY:
        return found
    return replace(found, circuit=circuit, energy=energy, energy_error=energy - env.problem.ground_energy)
