"""Angle optimisers: right minima, honest counts, no angles, no surprises."""

from __future__ import annotations

import numpy as np
import pytest

from qas_simulators import (
    Circuit,
    CircuitBatch,
    NoiseModel,
    PauliSum,
    PauliTransferSimulator,
    StatevectorSimulator,
)
from qas_simulators.channels import depolarizing
from qas_simulators.noise_presets import NOISE_MODELS
from qas_simulators.optimizers import (
    OPTIMIZERS,
    AdamSPSA,
    BatchOptimizer,
    Cobyla,
    NoOptimizer,
    Optimizer,
    Rotosolve,
    ScanLBFGS,
    make_optimizer,
)
from qas_simulators.simulator import Objective, Simulator
from tests.conftest import random_circuit, random_pauli_sum


def ising_chain(num_qubits: int, field: float) -> PauliSum:
    """Return the open chain in a transverse field."""
    pairs = {"I" * k + "ZZ" + "I" * (num_qubits - k - 2): -1.0 for k in range(num_qubits - 1)}
    return PauliSum(pairs | {"I" * k + "X" + "I" * (num_qubits - k - 1): -field for k in range(num_qubits)})


TFIM_2 = PauliSum({"ZZ": -1.0, "XI": -1.0, "IX": -1.0})


@pytest.mark.parametrize(
    "optimizer",
    [ScanLBFGS(), Cobyla(tolerance=1e-6), Rotosolve(energy_tolerance=1e-12), AdamSPSA(a=0.3, iterations=(1500,))],
)
@pytest.mark.parametrize("simulator", [StatevectorSimulator, PauliTransferSimulator])
def test_finds_the_ground_state_of_two_qubits(optimizer: Optimizer, simulator: type[Simulator]) -> None:
    exact = simulator(seed=0)
    circuit = Circuit(2).ry(0.3, 0).ry(0.2, 1).cx(0, 1).ry(0.1, 0).ry(0.1, 1)
    result = optimizer.minimize(exact, circuit, TFIM_2)
    assert result.energy == pytest.approx(-np.sqrt(5), abs=2e-3 if isinstance(optimizer, AdamSPSA) else 1e-6)
    assert exact.expectation(circuit, TFIM_2, result.params) == pytest.approx(result.energy, abs=1e-12)
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
        for optimizer in [ScanLBFGS(), Cobyla(max_evaluations=50), Rotosolve(2), AdamSPSA(), NoOptimizer()]:
            assert optimizer.minimize(StatevectorSimulator(seed=0), circuit, observable, 1).energy <= start + 1e-12


def test_counts_are_the_true_number_of_evaluations(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = 0
    real = Objective.energies

    def counted(self: Objective, params_batch: np.ndarray, shots: int | None = None) -> np.ndarray:
        nonlocal calls
        calls += len(params_batch)
        return real(self, params_batch, shots)

    monkeypatch.setattr(Objective, "energies", counted)
    circuit = random_circuit(3, 20, seed=0)
    for optimizer in [Cobyla(max_evaluations=77), Rotosolve(max_sweeps=2), AdamSPSA(iterations=(5, 7))]:
        calls = 0
        result = optimizer.minimize(StatevectorSimulator(shots=1000, seed=0), circuit, random_pauli_sum(3, 20, 0))
        assert result.evaluations == calls > 0
        assert result.gradients == 0
    exact = Rotosolve(max_sweeps=2, energy_tolerance=0.0).minimize(
        StatevectorSimulator(), circuit, random_pauli_sum(3, 20, 0)
    )
    assert exact.evaluations == 2 + 2 * 2 * circuit.num_params  # what a device would measure


def test_shot_noise_has_the_exact_variance() -> None:
    """Against the variance of counted measurements: each term's mean of N outcomes +-1."""
    circuit, observable = random_circuit(3, 20, seed=4), random_pauli_sum(3, 12, seed=4)
    shots, exact = 100, StatevectorSimulator().expectation(circuit, observable)
    means = [StatevectorSimulator().expectation(circuit, PauliSum({label: 1.0})) for label, _ in observable]
    deviation = np.sqrt(np.sum(observable.coefficients**2 * (1 - np.square(means))) / shots)
    for simulator in [StatevectorSimulator(shots, seed=0), PauliTransferSimulator(shots=shots, seed=0)]:
        samples = np.array([simulator.expectation(circuit, observable) for _ in range(4000)])
        assert samples.mean() == pytest.approx(exact, abs=4 * deviation / np.sqrt(4000))
        assert samples.std() == pytest.approx(deviation, rel=0.05)


def test_shot_noise_with_readout_errors_and_seeds() -> None:
    noise = NoiseModel().add_readout(0.1, 0.3)
    circuit, observable = Circuit(1).h(0), PauliSum({"X": 2.0})
    runs = []
    for _ in range(2):
        simulator = PauliTransferSimulator(noise, shots=50, seed=3)
        runs.append([simulator.expectation(circuit, observable) for _ in range(4000)])
    assert runs[0] == runs[1]
    mean = 0.6 * 1 + 0.2  # of the misread X
    assert np.mean(runs[0]) == pytest.approx(2 * mean, abs=0.02)
    assert np.std(runs[0]) == pytest.approx(2 * np.sqrt((1 - mean**2) / 50), rel=0.05)


@pytest.mark.parametrize(
    ("rule", "deviation"),
    [("crlqas_noisy", np.sqrt(0.3**2 + 0.04**2 + 0.5**2)), ("crlqas", np.sqrt(0.3**2 / 10 + 0.04**2 + 0.5**2 / 10))],
)
def test_published_shot_noise_depends_on_coefficients_alone(rule: str, deviation: float) -> None:
    observable = PauliSum({"II": 7.0, "ZI": 0.3, "XX": -0.04, "IZ": -0.5})  # the state is an eigenstate of ZI and IZ
    for simulator in [
        StatevectorSimulator(100, seed=0, shot_noise=rule),
        PauliTransferSimulator(shots=100, seed=0, shot_noise=rule),
    ]:
        energies = simulator.expectations(Circuit(2), observable, np.zeros((20_000, 0)))
        assert np.mean(energies) == pytest.approx(6.8, abs=5 * deviation / np.sqrt(100 * 20_000))
        assert np.std(energies) == pytest.approx(deviation / np.sqrt(100), rel=0.03)


def test_shots_are_seen_by_optimisers_and_refused_by_gradients() -> None:
    circuit = Circuit(2).ry(0.3, 0).ry(0.2, 1).cx(0, 1).ry(0.1, 0)
    simulator = StatevectorSimulator(shots=20, seed=1)
    for optimizer in [Cobyla(max_evaluations=30), Rotosolve(2), AdamSPSA(iterations=(10, 10), stage_shots=(5, 50))]:
        result = optimizer.minimize(simulator, circuit, TFIM_2)
        exact = StatevectorSimulator().expectation(circuit, TFIM_2, result.params)
        assert abs(result.energy - exact) > 1e-6, "the reported energy is a measured one"
    with pytest.raises(ValueError, match="scan_lbfgs, which needs exact values, but is 20"):
        ScanLBFGS().minimize(simulator, circuit, TFIM_2)
    with pytest.raises(ValueError, match="exact values"):
        simulator.expectation_and_gradient(circuit, TFIM_2)
    with pytest.raises(ValueError, match="but is 0"):
        StatevectorSimulator(shots=0)


def test_rotosolve_descends_to_a_stationary_point() -> None:
    circuit, observable = random_circuit(3, 25, seed=8), random_pauli_sum(3, 25, seed=8)
    simulator = PauliTransferSimulator(NoiseModel.depolarizing(0.02, 0.1))
    results = [Rotosolve(sweeps, 0.0).minimize(simulator, circuit, observable) for sweeps in (1, 2, 5, 200)]
    energies = [result.energy for result in results]
    assert energies == sorted(energies, reverse=True)
    _, gradient = simulator.expectation_and_gradient(circuit, observable, results[-1].params)
    np.testing.assert_allclose(gradient, 0, atol=1e-3)


def test_bad_settings() -> None:
    with pytest.raises(ValueError, match="1 positive numbers"):
        AdamSPSA(stage_shots=(10, 20))
    with pytest.raises(ValueError, match="at least 1 iteration"):
        AdamSPSA(iterations=())
    with pytest.raises(ValueError, match="Did you mean 'cobyla'"):
        make_optimizer("cobila")
    with pytest.raises(ValueError, match="at least 1, but is 0"):
        ScanLBFGS(max_iterations=0)
    with pytest.raises(ValueError, match="positive, but is -1"):
        Cobyla(initial_step=-1)


def test_redrawn_angles_lead_closer_to_the_ground_state_than_random_starts() -> None:
    """Three ladders on six qubits, the same number of minimisations each; the exact energy is by diagonalisation."""
    chain, ladders = ising_chain(6, 0.7), Circuit(6)
    for qubit in range(6):
        ladders.ry(0.0, qubit)
    for qubit in (*range(5),) * 3:
        ladders.cx(qubit, qubit + 1).ry(0.0, qubit).ry(0.0, qubit + 1)
    errors = []
    for settings in ({"redraws": 12}, {"starts": 12}):
        found = [ScanLBFGS(seed=seed, **settings).minimize(StatevectorSimulator(), ladders, chain) for seed in range(3)]
        errors.append(np.array([one.energy for one in found]) - np.linalg.eigvalsh(chain.to_matrix())[0])
        assert len({*errors[-1]}) == 3  # other seeds draw other angles
    assert 0 <= errors[0].max() < 5e-5 < errors[1].min()
    again = ScanLBFGS(redraws=12).minimize(StatevectorSimulator(), ladders, chain)
    assert again.energy - chain.ground_energy() == pytest.approx(errors[0][0], abs=1e-12)


def test_redraws_count_their_evaluations_and_never_harm() -> None:
    simulator = StatevectorSimulator()
    for seed in range(5):
        circuit, observable = random_circuit(3, 25, seed), random_pauli_sum(3, 30, seed)
        plain, redrawn = (ScanLBFGS(redraws=k).minimize(simulator, circuit, observable) for k in (0, 4))
        assert redrawn.energy <= plain.energy
        assert redrawn.evaluations >= plain.evaluations + 4 and redrawn.gradients > plain.gradients
        assert simulator.expectation(circuit, observable, redrawn.params) == pytest.approx(redrawn.energy, abs=1e-10)
    one = ScanLBFGS(redraws=2).minimize(simulator, Circuit(1).ry(0.3, 0), PauliSum({"Z": 1.0}))
    assert one.energy == pytest.approx(-1.0)
    with pytest.raises(ValueError, match="redraws"):
        ScanLBFGS(redraws=-1)


@pytest.mark.parametrize(
    "optimizer",
    [ScanLBFGS(), ScanLBFGS(max_iterations=3, scan_all=True), ScanLBFGS(starts=1, redraws=2), NoOptimizer()],
)
@pytest.mark.parametrize("noise", [None, "depolarizing", "mumbai"])
@pytest.mark.parametrize("num_threads", [1, 3])
def test_many_circuits_at_once_give_the_same_bits(
    optimizer: BatchOptimizer, noise: str | None, num_threads: int
) -> None:
    simulator = StatevectorSimulator() if noise is None else PauliTransferSimulator(NOISE_MODELS[noise]())
    observable = random_pauli_sum(3, 20, seed=1)
    circuits = [random_circuit(3, size, seed=size) for size in (0, 7, 12, 3, 20)]
    num_new = [min(1, circuit.num_params) for circuit in circuits]
    before = [circuit.copy() for circuit in circuits]
    batch = CircuitBatch(circuits, capacity=25)
    rows = [4, 0, 3, 1]
    found = optimizer.minimize_each(simulator, batch, observable, rows, [num_new[k] for k in rows], num_threads)
    assert found is not None
    for place, k in enumerate(rows):
        alone = optimizer.minimize(simulator, before[k], observable, num_new[k])
        assert found.energies[place] == alone.energy
        assert (found.evaluations[place], found.gradients[place]) == (alone.evaluations, alone.gradients)
        np.testing.assert_array_equal(circuits[k].params, alone.params)
    assert circuits[2] == before[2], "it was not asked for"


def test_circuits_that_must_be_served_one_by_one() -> None:
    batch, observable = CircuitBatch([Circuit(2).ry(0.1, 0)], capacity=2), TFIM_2
    idle = NoiseModel.depolarizing(0.01, 0.02)
    idle.add_idle(depolarizing(0.01))
    for simulator in (StatevectorSimulator(shots=10, seed=0), PauliTransferSimulator(idle)):
        assert NoOptimizer().minimize_each(simulator, batch, observable, [0], [1]) is None
    with pytest.raises(ValueError, match="exact"):
        ScanLBFGS().minimize_each(StatevectorSimulator(shots=10), batch, observable, [0], [1])
    assert batch.circuits[0].params.tolist() == [0.1]


def test_bad_batches() -> None:
    with pytest.raises(ValueError, match="same number of qubits"):
        CircuitBatch([Circuit(2), Circuit(3)], capacity=2)
    with pytest.raises(ValueError, match="capacity"):
        CircuitBatch([Circuit(2).h(0).h(1)], capacity=1)
    with pytest.raises(ValueError, match="2 qubits"):
        Circuit(2).assign(Circuit(3))
