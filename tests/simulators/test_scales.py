"""Operators of any size: the same physics in units of 1e-18 or 1e+18 (a Hartree is 4.36e-18 J)."""

from __future__ import annotations

import numpy as np
import pytest

from qas_simulators import Circuit, NoiseModel, PauliSum, PauliTransferSimulator, StatevectorSimulator
from qas_simulators.circuit_batch import CircuitBatch
from qas_simulators.optimizers import AdamSPSA, Cobyla, Rotosolve, ScanLBFGS
from tests.conftest import random_pauli_sum

SCALES = [1e-18, 4.36e-18, 1e-9, 1e18]
ISING = PauliSum({"ZZ": -1.0, "XI": -0.5, "IX": -0.5})
GROUND = -np.sqrt(2.0)  # -sqrt(J**2 + (2 h)**2) for J = 1, h = 0.5


@pytest.mark.parametrize("scale", SCALES)
def test_ground_energies(scale: float, monkeypatch: pytest.MonkeyPatch) -> None:
    operator = ISING * scale
    assert operator.ground_energy() == pytest.approx(scale * GROUND, rel=1e-12)
    by_matrix = PauliSum.from_matrix(operator.to_matrix())
    assert by_matrix.terms() == pytest.approx(operator.terms(), rel=1e-12)
    levels = PauliSum.from_matrix(np.diag([0, 1, 1, 2.0]) * 4.36 * scale + np.eye(4) * scale)
    np.testing.assert_allclose(levels.eigenvalues(4), scale * np.array([1, 5.36, 5.36, 9.72]), rtol=1e-12)
    dense = random_pauli_sum(6, 60, 3) * scale
    expected = np.linalg.eigvalsh(dense.to_matrix() / scale)[:3] * scale
    monkeypatch.setattr("qas_simulators.pauli._DENSE_LIMIT", 2)  # Lanczos
    np.testing.assert_allclose(dense.eigenvalues(3), expected, rtol=1e-9)


@pytest.mark.parametrize("scale", SCALES)
def test_hermitian_at_every_scale(scale: float) -> None:
    for matrix in ([[0, 1], [0, 0]], [[0, 1], [-1, 0]], [[1j, 0], [0, 1]], [[1, 1e-4], [0, 1]]):
        with pytest.raises(ValueError, match="Hermitian"):
            PauliSum.from_matrix(scale * np.array(matrix))
    assert PauliSum.from_matrix(np.zeros((2, 2))).terms() == {"I": 0.0}


@pytest.mark.parametrize("scale", SCALES)
def test_qiskit_operators(scale: float) -> None:
    quantum_info = pytest.importorskip("qiskit.quantum_info")
    operator = quantum_info.SparsePauliOp(["ZZ", "XI", "XI"], [-scale, -0.25 * scale, -0.25 * scale])
    ours = PauliSum.from_qiskit(operator)
    assert ours.terms() == pytest.approx({"ZZ": -scale, "XI": -0.5 * scale}, rel=1e-15)
    assert ours.ground_energy() == pytest.approx(-scale * np.sqrt(1.25), rel=1e-12)
    with pytest.raises(ValueError, match="real coefficients"):
        PauliSum.from_qiskit(quantum_info.SparsePauliOp(["ZZ", "XI"], [-scale, -1e-3j * scale]))
    cancelled = quantum_info.SparsePauliOp(["ZZ", "XX", "XX"], [scale, 0.3 * scale, -0.3 * scale])
    assert PauliSum.from_qiskit(cancelled).terms() == {"ZZ": scale}


@pytest.mark.parametrize("scale", SCALES)
def test_units_lose_no_digit(scale: float) -> None:
    ordinary, unit = (ISING * scale).in_unit()
    assert np.frexp(unit)[0] == 0.5  # a power of two
    assert (ordinary * unit).terms() == (ISING * scale).terms()
    assert 1.0 <= np.abs(ordinary.coefficients).sum() < 2.0
    assert ISING.in_unit() == (ISING, 1.0) and PauliSum({"II": scale}).in_unit()[1] == 1.0


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize(
    "optimizer",
    [ScanLBFGS(), Rotosolve(), Cobyla(tolerance=1e-6), AdamSPSA(a=0.3, alpha=0.6, iterations=(600,))],
    ids=lambda optimizer: type(optimizer).__name__,
)
def test_optimizers_reach_the_same_angles(optimizer: object, scale: float) -> None:
    """The ansatz holds the ground state, whose energy is known in closed form."""
    circuit = Circuit(2).ry(0.4, 0).ry(0.4, 1).cx(0, 1).ry(0.1, 0)
    for simulator in (StatevectorSimulator(seed=1), PauliTransferSimulator(seed=1)):
        result = optimizer.minimize(simulator, circuit, ISING * scale, 2)  # type: ignore[attr-defined]
        assert result.energy == pytest.approx(scale * GROUND, rel=2e-3 if isinstance(optimizer, AdamSPSA) else 1e-6)
        energy = simulator.expectation(circuit, ISING * scale, result.params)
        assert energy == pytest.approx(result.energy, rel=1e-12)


@pytest.mark.parametrize("scale", SCALES)
def test_sweeps_and_batches(scale: float) -> None:
    operator, params = ISING * scale, np.array([0.4, 0.4, 0.1])
    circuit = Circuit(2).ry(0.4, 0).ry(0.4, 1).cx(0, 1).ry(0.1, 0)
    for simulator in (StatevectorSimulator(), PauliTransferSimulator(NoiseModel().add_readout(0.0))):
        moved, energy = params.copy(), simulator.expectation(circuit, operator, params)
        for _ in range(60):
            energy = simulator.objective(circuit, operator).sweep(moved, energy)
        assert energy == pytest.approx(scale * GROUND, rel=1e-9)
        batch = CircuitBatch([circuit.copy(), circuit.copy()], 8)
        result = ScanLBFGS().minimize_each(simulator, batch, operator, [0, 1], [3, 0])
        assert result is not None
        np.testing.assert_allclose(result.energies, scale * GROUND, rtol=1e-6)
        pulled = simulator.heisenberg(circuit, operator) if isinstance(simulator, PauliTransferSimulator) else operator
        expected = simulator.expectation(circuit, operator)
        if isinstance(simulator, PauliTransferSimulator):
            assert simulator.expectation(Circuit(2), pulled) == pytest.approx(expected, rel=1e-12)
