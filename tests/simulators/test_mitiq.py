"""Extrapolation, folding and readout inversion, against mitiq.

mitiq 1.1 needs NumPy < 2.3 and Cirq < 1.7, which other packages of this library exclude, so that these tests are
skipped where those are installed. They run in an environment with mitiq, pytest, hypothesis and the library alone:

    python -m pytest tests/simulators/test_mitiq.py -p no:cacheprovider
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from qas_simulators import Circuit, NoiseModel, PauliSum, PauliTransferSimulator, ZeroNoise
from qas_simulators.folding import folded

mitiq = pytest.importorskip("mitiq")


@pytest.mark.parametrize(("scales", "order"), [((1, 2), 1), ((1, 2, 3), 1), ((1, 2, 3), 2), ((1, 1.5, 2, 4, 5), 3)])
def test_polynomials_are_those_of_mitiq(scales: tuple[float, ...], order: int) -> None:
    energies = np.random.default_rng(order).normal(size=len(scales))
    expected = mitiq.zne.inference.PolyFactory.extrapolate([*scales], energies.tolist(), order)
    assert ZeroNoise(scales, order).extrapolated(energies, 0.0) == pytest.approx(expected, abs=1e-10)
    if order == len(scales) - 1:
        richardson = mitiq.zne.inference.RichardsonFactory.extrapolate([*scales], energies.tolist())
        assert ZeroNoise(scales, order).extrapolated(energies, 0.0) == pytest.approx(richardson, abs=1e-10)


@pytest.mark.parametrize("order", [1, 2])
def test_exponentials_are_those_of_mitiq(order: int) -> None:
    scales = np.arange(1.0, order + 2)
    energies = -7.0 - 2.0 * np.exp(-0.3 * scales) - 0.01 * scales**2
    factory = mitiq.zne.inference.PolyExpFactory
    expected = factory.extrapolate(scales.tolist(), energies.tolist(), order, asymptote=-7.0, avoid_log=False)
    found = ZeroNoise(tuple(scales), order, "exponential").extrapolated(energies, -7.0)
    assert found == pytest.approx(expected, abs=1e-10)


@pytest.mark.parametrize("scale", [3, 5])
def test_folded_circuits_are_those_of_mitiq(scale: int) -> None:
    """All gates of both circuits, qubit by qubit, are the same matrices in the same order."""
    import cirq

    circuit = Circuit(3).ry(0.4, 0).h(1).cx(0, 1).t(1).rz(0.8, 2).cx(1, 2).rx(-0.3, 0).s(0)
    theirs = mitiq.zne.scaling.fold_all(circuit.to_cirq(), scale)
    ours = folded(circuit, scale).to_cirq()
    for qubit in cirq.LineQubit.range(3):
        rows: list[list[Any]] = [[op for op in one.all_operations() if qubit in op.qubits] for one in (theirs, ours)]
        assert len(rows[0]) == len(rows[1]) > scale
        for their, our in zip(*rows, strict=True):
            assert their.qubits == our.qubits
            np.testing.assert_allclose(cirq.unitary(their), cirq.unitary(our), atol=1e-10)


def test_inverted_readout_errors_are_those_of_mitiq() -> None:
    noise = NoiseModel().add_readout(0.02, 0.07, [0]).add_readout(0.05, 0.01, [1])
    circuit, simulator = Circuit(2).ry(0.7, 0).cx(0, 1).ry(0.3, 1), PauliTransferSimulator(noise)
    matrices = [np.array([[0.95, 0.01], [0.05, 0.99]]), np.array([[0.98, 0.07], [0.02, 0.93]])]  # qubit 1, then 0
    inverse = np.kron(np.linalg.inv(matrices[0]), np.linalg.inv(matrices[1]))
    theirs = mitiq.rem.generate_tensored_inverse_confusion_matrix(2, matrices)
    np.testing.assert_allclose(theirs, inverse, atol=1e-10)
    signs = {"ZZ": [1, -1, -1, 1], "ZI": [1, 1, -1, -1], "IZ": [1, -1, 1, -1], "II": [1, 1, 1, 1]}
    means = {label: simulator.expectation(circuit, PauliSum({label: 1.0})) for label in signs}
    read = sum(means[label] * np.array(values) for label, values in signs.items()) / 4  # probabilities, misread
    for label in ("ZZ", "ZI", "IZ"):
        observable = noise.unmeasured(PauliSum({label: 1.0}))
        assert simulator.expectation(circuit, observable) == pytest.approx(theirs @ read @ signs[label], abs=1e-10)
