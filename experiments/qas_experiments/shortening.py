"""The circuit that a run reports: what was found, without the gates that do nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from math import pi
from typing import Final

from qas_agents.gadgets.library import tidied
from qas_envs import CircuitBuildingEnv
from qas_experiments.recorder import Found
from qas_simulators import Circuit, PauliSum, StatevectorSimulator
from qas_simulators.circuit import Operation

SAME_ENERGY: Final = 1e-9
"""Largest change of the energy, in the problem's unit, by which a gate counts as one that does nothing."""


def shortened(circuit: Circuit, hamiltonian: PauliSum, tolerance: float = SAME_ENERGY) -> Circuit:
    """Return a circuit of the same gates with the same energy, without those that do nothing for it.

    Gates merge and cancel as in :meth:`Circuit.simplified`. Then every gate is left out in turn, two-qubit gates first,
    rotations by the smallest angles next, and stays out if the energy without noise stays within ``tolerance`` of the
    first one: rotations by nearly 0, about an axis of the state, or after the last measured term notices them.

    Args:
        circuit: Any circuit; shared angles become angles of their own.
        hamiltonian: The energy's.
        tolerance: In the Hamiltonian's unit.

    Examples:
        >>> ising = PauliSum({"ZZ": -1.0})
        >>> shortened(Circuit(2).rz(0.3, 0).ry(1e-7, 1).h(0).cx(0, 1).rz(0.2, 1), ising).count_ops()
        {'h': 1, 'cx': 1}
    """
    energy = StatevectorSimulator().expectation
    wanted = energy(circuit, hamiltonian)

    def is_same(other: Circuit) -> bool:
        return abs(energy(other, hamiltonian) - wanted) <= tolerance

    kept = circuit
    while True:
        tidy = tidied(kept)
        kept = tidy if is_same(tidy) else kept
        shorter = next(filter(is_same, _without_one(kept)), None)
        if shorter is None:
            return kept
        kept = shorter


def _without_one(circuit: Circuit) -> Iterator[Circuit]:
    """Yield the circuits that lack one gate, those first that would be cheapest to do without."""
    gates = list(circuit)
    for place in sorted(range(len(gates)), key=lambda place: _worth(gates[place])):
        shorter = Circuit(circuit.num_qubits)
        for gate in gates[:place] + gates[place + 1 :]:
            shorter.append(*gate)
        yield shorter


def _worth(gate: Operation) -> tuple[bool, float]:
    turn = pi if gate.angle is None else abs((gate.angle + pi) % (2 * pi) - pi)
    return len(gate.qubits) == 1, turn


def reported(found: Found, env: CircuitBuildingEnv) -> Found:
    """Return what a run reports of a circuit: shortened, with the energy that it then has under the same noise.

    With noise fewer gates have another energy; should it be higher, the circuit is reported as it was found. Circuits
    of a family only merge and cancel gates.
    """
    if env.family is not None:  # of whose members the circuit belongs to one: what is exact for all of them
        return replace(found, circuit=tidied(found.circuit))
    hamiltonian = env.problem.hamiltonian
    circuit = shortened(found.circuit, hamiltonian)
    if not env.simulator.is_noisy:
        return replace(found, circuit=circuit)
    exact = env.exact_simulator()
    energy = exact.expectation(circuit, hamiltonian)
    if energy > exact.expectation(found.circuit, hamiltonian) + SAME_ENERGY:
        return found
    return replace(found, circuit=circuit, energy=energy, energy_error=energy - env.problem.ground_energy)
