"""Angle optimisers: right minima, honest counts, no angles, no surprises."""

from __future__ import annotations

import numpy as np
import pytest
from qas_simulators import Circuit, NoiseModel, PauliSum, PauliTransferSimulator, StatevectorSimulator
from qas_simulators.optimizers import OPTIMIZERS, Cobyla, NoOptimizer, ScanLBFGS, make_optimizer

from tests.conftest import random_circuit, random_pauli_sum

TFIM_2 = PauliSum({"ZZ": -1.0, "XI": -1.0, "IX": -1.0})


@pytest.mark.parametrize("optimizer", [ScanLBFGS(), Cobyla(tolerance=1e-6)])
@pytest.mark.parametrize("simulator", [StatevectorSimulator(), PauliTransferSimulator(NoiseModel())])
def test_finds_the_ground_state_of_two_qubits(optimizer: ScanLBFGS | Cobyla, simulator: StatevectorSimulator) -> None:
    circuit = Circuit(2).ry(0.3, 0).ry(0.2, 1).cx(0, 1).ry(0.1, 0).ry(0.1, 1)
    result = optimizer.minimize(simulator, circuit, TFIM_2)
    assert result.energy == pytest.approx(-np.sqrt(5), abs=1e-6)
    assert simulator.expectation(circuit, TFIM_2, result.params) == pytest.approx(result.energy, abs=1e-12)
    assert circuit.params.tolist() == [0.3, 0.2, 0.1, 0.1], "the circuit must not be changed"


def test_scan_leaves_a_maximum_where_the_gradient_is_zero() -> None:
    result = ScanLBFGS().minimize(StatevectorSimulator(), Circuit(1).rx(0.0, 0), PauliSum({"Z": 1.0}), num_new=1)
    assert result.energy == pytest.approx(-1.0, abs=1e-12)


def test_noisy_minimum_equals_a_fine_grid() -> None:
    simulator = PauliTransferSimulator(NoiseModel.depolarizing(0.05, 0.1))
    circuit, observable = Circuit(2).h(0).cx(0, 1).ry(0.0, 0), PauliSum({"ZI": 0.3, "XX": -0.5, "ZX": 0.9})
    result = ScanLBFGS().minimize(simulator, circuit, observable, num_new=1)
    grid = simulator.expectations(circuit, observable, np.linspace(-np.pi, np.pi, 100_001)[:, None])
    assert result.energy == pytest.approx(grid.min(), abs=1e-8)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_circuits_without_angles_cost_one_evaluation(name: str) -> None:
    result = make_optimizer(name).minimize(StatevectorSimulator(), Circuit(2).h(0).cx(0, 1), TFIM_2)
    assert result.energy == pytest.approx(-1.0) and result.params.shape == (0,)
    assert (result.evaluations, result.gradients) == (1, 0)


def test_never_worse_than_the_start() -> None:
    for seed in range(20):
        circuit, observable = random_circuit(3, 25, seed), random_pauli_sum(3, 30, seed)
        start = StatevectorSimulator().expectation(circuit, observable)
        for optimizer in [ScanLBFGS(), Cobyla(max_evaluations=50), NoOptimizer()]:
            assert optimizer.minimize(StatevectorSimulator(), circuit, observable, 1).energy <= start + 1e-12


def test_counts_are_the_true_number_of_evaluations(monkeypatch: pytest.MonkeyPatch) -> None:
    import qas_simulators.optimizers.cobyla as module

    calls = 0
    real = module.evaluate

    def counted(*args: object) -> object:
        nonlocal calls
        calls += 1
        return real(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "evaluate", counted)
    circuit = random_circuit(3, 20, seed=0)
    result = Cobyla(max_evaluations=77).minimize(StatevectorSimulator(), circuit, random_pauli_sum(3, 20, 0))
    assert result.evaluations == calls <= 77


def test_bad_settings() -> None:
    with pytest.raises(ValueError, match="Did you mean 'cobyla'"):
        make_optimizer("cobila")
    with pytest.raises(ValueError, match="at least 1, but is 0"):
        ScanLBFGS(max_iterations=0)
    with pytest.raises(ValueError, match="positive, but is -1"):
        Cobyla(initial_step=-1)
