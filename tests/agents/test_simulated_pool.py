"""ADAPT by simulators that keep no vector of basis states."""

from __future__ import annotations

import numpy as np
import pytest

from qas_agents.searchers.adapt import prune_operators, qubit_adapt
from qas_agents.searchers.pools import pauli_pool, qeb_pool
from qas_agents.searchers.simulated_pool import SimulatedPool
from qas_envs.problems import heisenberg, tfim
from qas_simulators import Circuit, MPSSimulator, PauliPropagationSimulator, PauliSum, Simulator, StatevectorSimulator
from qas_simulators.exponentials import pauli_exponential

pytest.importorskip("monoprop")
LABELS = ["YIII", "XYII", "IZYX", "YXXI", "IIXZ", "ZZII", "YYYX"]
SHIFT = 1e-4


@pytest.mark.parametrize("simulator", [PauliPropagationSimulator(), MPSSimulator()])
def test_slopes_are_those_of_appended_exponentials(simulator: Simulator) -> None:
    """Strings, by commutators, and excitations, by gradients, against differences of energies."""
    hamiltonian = heisenberg(4, anisotropy=0.7, field=0.3).hamiltonian
    pool = [*map(pauli_exponential, LABELS), *qeb_pool([0, 1, 0, 1])]
    ansatz = SimulatedPool(hamiltonian, Circuit(4).x(1).ry(0.4, 2), pool, simulator)
    sequence, angles = [0, 3, 8, 1], [0.5, -0.3, 0.9, 0.2]
    slopes = ansatz.slopes(sequence, angles)
    for k in range(len(pool)):
        ends = [ansatz.energy([*sequence, k], [*angles, shift]) for shift in (SHIFT, -SHIFT)]
        assert slopes[k] == pytest.approx((ends[0] - ends[1]) / (2 * SHIFT), abs=1e-6)
    assert np.count_nonzero(np.abs(slopes) > 1e-3) > len(pool) // 2


def test_a_chain_of_twenty_spins_by_matrix_product_states() -> None:
    """From the state of all spins along the field, neighbours are rotated first; each step lowers the energy."""
    problem = tfim(20)
    pool = [label for label in pauli_pool(20, [2], "YZ") if "YZ" in label or "ZY" in label]
    reference = Circuit(20)
    for qubit in range(20):
        reference.h(qubit)
    path = qubit_adapt(problem.hamiltonian, pool, 4, reference, tetris=True, simulator=MPSSimulator())
    steps = [next(path) for _ in range(2)]
    assert steps[0].energy == pytest.approx(-20.0)
    assert problem.ground_energy < steps[1].energy < -20.5 and len(steps[1].operators) == 4
    exact = PauliPropagationSimulator().expectation(steps[1].circuit, problem.hamiltonian)
    assert steps[1].energy == pytest.approx(exact, abs=1e-9)


@pytest.mark.parametrize("simulator", [PauliPropagationSimulator(), StatevectorSimulator()])
def test_the_same_circuits_as_with_states(simulator: Simulator) -> None:
    """On a chain without symmetries, so that no two slopes are equal."""
    fields = {"XIII": -0.9, "IXII": -1.1, "IIXI": -0.7, "IIIX": -1.2}
    hamiltonian = PauliSum({"ZZII": -1.0, "IZZI": -0.8, "IIZZ": -1.3, **fields})
    pool = pauli_pool(4, [1, 2])
    expected = [*qubit_adapt(hamiltonian, pool, 6)]
    found = [*qubit_adapt(hamiltonian, pool, 6, simulator=simulator)]
    assert [step.operators for step in found] == [step.operators for step in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.energy == pytest.approx(other.energy, abs=1e-7)
    limit = expected[-3].energy + 1e-3
    shorter = prune_operators(found[-1], hamiltonian, pool, limit, simulator=simulator)
    assert len(shorter.operators) < 6 and shorter.energy < limit
