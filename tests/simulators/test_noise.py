"""Channels and noise models."""

from __future__ import annotations

import numpy as np
import pytest
from qas_simulators import Channel, NoiseModel
from qas_simulators.channels import bit_flip, depolarizing, pauli_basis


@pytest.mark.parametrize(
    "channel", [depolarizing(0.1), depolarizing(0.2, 2), bit_flip(0.3), bit_flip(0.1).tensor(depolarizing(0.2))]
)
def test_channels_are_cptp(channel: Channel) -> None:
    size = 4**channel.num_qubits
    np.testing.assert_allclose(channel.ptm[0], np.eye(size)[0], atol=1e-12)
    basis = pauli_basis(channel.num_qubits)
    choi = sum(channel.ptm[i, j] * np.kron(basis[j].T, basis[i]) for i in range(size) for j in range(size))
    assert np.linalg.eigvalsh(choi).min() > -1e-12


def test_closed_forms() -> None:
    np.testing.assert_allclose(depolarizing(0.1).ptm, np.diag([1, 0.9, 0.9, 0.9]), atol=1e-14)
    np.testing.assert_allclose(depolarizing(0.2, 2).ptm, np.diag([1] + [0.8] * 15), atol=1e-14)
    np.testing.assert_allclose(bit_flip(0.3).ptm, np.diag([1, 1, 0.4, 0.4]), atol=1e-14)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: NoiseModel.depolarizing(p1=-0.1), r"`p1` must lie in \[0, 1\], but is -0.1"),
        (lambda: NoiseModel.bit_flip(1.5), "`p`"),
        (lambda: depolarizing(float("nan")), "nan"),
        (lambda: NoiseModel().add(depolarizing(0.1, 2), ["rx"]), "one qubit"),
        (lambda: NoiseModel().add(bit_flip(0.1), ["cnot"]), "Unknown gate"),
        (lambda: Channel.from_kraus([[[1, 0], [0, 0.5]]]), "trace"),
    ],
)
def test_bad_noise(build: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()  # type: ignore[operator]
