"""Dynamical Lie algebras by closed forms and matrices; simulability by statevectors."""

from __future__ import annotations

import numpy as np
import pytest

from qas_envs import make_env
from qas_envs.catalogue import ActionCatalogue
from qas_envs.diagnostics import gradient_variance, lie_algebra_dimension
from qas_envs.problems import heisenberg, tfim
from qas_simulators import Circuit, PauliSum, StatevectorSimulator
from qas_simulators.flat_circuit import Link
from qas_simulators.lie_algebra import algebra_of_strings, algebra_of_sums
from qas_simulators.simulability import propagated, simulability


def terms_of(operator: PauliSum) -> list[tuple[int, int]]:
    return list(zip(operator.x.tolist(), operator.z.tolist(), strict=True))


def dimension_by_matrices(generators: list[PauliSum]) -> int:
    """Nested commutators of matrices until the rank stays the same."""
    basis = [1j * one.to_matrix() for one in generators]

    def independent(matrices: list[np.ndarray]) -> list[np.ndarray]:
        rows = np.array([np.concatenate([m.real.ravel(), m.imag.ravel()]) for m in matrices])
        _, values, vectors = np.linalg.svd(rows, full_matrices=False)
        size = len(matrices[0])
        kept = vectors[values > 1e-9 * values[0]]
        return [(row[: size**2] + 1j * row[size**2 :]).reshape(size, size) for row in kept]

    basis = independent(basis)
    while True:
        grown = independent(basis + [a @ b - b @ a for a in basis for b in basis])
        if len(grown) == len(basis):
            return len(basis)
        basis = grown


@pytest.mark.parametrize("num_qubits", [2, 3, 5, 12])
def test_open_ising_chains(num_qubits: int) -> None:
    hamiltonian = tfim(num_qubits).hamiltonian
    assert algebra_of_strings(num_qubits, terms_of(hamiltonian)) == num_qubits * (2 * num_qubits - 1)
    pairs = PauliSum.from_masks(
        num_qubits, [0] * (num_qubits - 1), [3 << k for k in range(num_qubits - 1)], [1.0] * (num_qubits - 1)
    )
    fields = PauliSum.from_masks(num_qubits, [1 << k for k in range(num_qubits)], [0] * num_qubits, [1.0] * num_qubits)
    if num_qubits <= 5:
        assert algebra_of_sums([pairs, fields]) == num_qubits**2


@pytest.mark.parametrize("num_qubits", [2, 3, 4])
def test_gate_sets(num_qubits: int) -> None:
    size = 2**num_qubits
    assert lie_algebra_dimension(ActionCatalogue(num_qubits, "crlqas")) == size**2 - 1
    assert lie_algebra_dimension(ActionCatalogue(num_qubits, "ibm")) == size**2 - 1
    assert lie_algebra_dimension(ActionCatalogue(num_qubits, "ry_cz")) == size * (size - 1) // 2
    assert lie_algebra_dimension(ActionCatalogue(num_qubits, ["rz", "ry", "rzz"])) == size**2 - 1
    assert lie_algebra_dimension(ActionCatalogue(num_qubits, ["rx", "ry", "rz", "id"])) == 3 * num_qubits
    assert lie_algebra_dimension(ActionCatalogue(num_qubits, "clifford")) == 0
    assert lie_algebra_dimension(ActionCatalogue(num_qubits, "crlqas"), most=5) is None
    with pytest.raises(ValueError, match="rotations and Clifford gates for a Lie algebra, but is 't'"):
        lie_algebra_dimension(ActionCatalogue(num_qubits, "kanqas"))


def test_sums_by_matrices() -> None:
    chain = heisenberg(3).hamiltonian
    parts = [PauliSum({label: 1.0}) for label in ("XXI", "IZZ")]
    layers = [PauliSum({"XXI": 1.0, "YYI": 1.0}), PauliSum({"IXX": 1.0, "IZZ": -0.5}), PauliSum({"ZII": 1.0})]
    for generators in ([chain, PauliSum({"ZII": 1.0})], parts, layers, [chain]):
        assert algebra_of_sums(generators) == dimension_by_matrices(generators)
    assert algebra_of_sums(layers, most=3) is None
    with pytest.raises(ValueError, match="one register"):
        algebra_of_sums([chain, PauliSum({"Z": 1.0})])


def test_gradient_variances() -> None:
    """One RY and Z: E[sin(a)**2] = 1/2. With more qubits, variances of universal circuits fall."""
    one = make_env(tfim(2), gates=["rx", "cx"], max_gates=1, optimizer="none")
    found = gradient_variance(one, circuits=400, seed=1)
    assert found.derivatives > 100 and found.largest <= 1.0 + 1e-12
    assert found.variance == pytest.approx(0.5, abs=0.1)  # <ZZ> = cos(a); X has mean 0
    few, many = (gradient_variance(make_env(tfim(n)), circuits=10, gates=40 * n) for n in (2, 6))
    assert many.variance / 36 < few.variance / 4  # per squared norm
    assert gradient_variance(make_env(tfim(2)), 3, 5, seed=7) == gradient_variance(make_env(tfim(2)), 3, 5, seed=7)
    with pytest.raises(ValueError, match="at least 1"):
        gradient_variance(one, circuits=0)


@pytest.mark.parametrize("seed", range(8))
def test_propagated_energies(seed: int) -> None:
    rng = np.random.default_rng(seed)
    circuit = Circuit(4)
    for _ in range(12):
        name = str(rng.choice(["rx", "ry", "rzz", "cx", "s", "t", "p", "ecr"]))
        pair = rng.permutation(4)[: 2 if name in ("rzz", "cx", "ecr") else 1].tolist()
        circuit.append(name, pair, float(rng.normal()) if name[0] in "rp" else None)
    observable = PauliSum({"".join(rng.choice([*"IXYZ"], 4)): float(rng.normal()) for _ in range(8)})
    strings, energy = propagated(circuit, observable, 0.0)
    assert energy == pytest.approx(StatevectorSimulator().expectation(circuit, observable), abs=1e-10)
    assert strings is not None and strings >= len(observable)
    fewer, near = propagated(circuit, observable, 0.05)
    assert fewer is not None and fewer <= strings and near is not None


def test_linked_angles_are_propagated() -> None:
    circuit = Circuit(2)
    shared = circuit.append_param(0.4)
    circuit.append_linked(0, 0, -1, Link(shared, -2.0, 0.3))
    observable = PauliSum({"IZ": 1.0})
    assert propagated(circuit, observable, 0.0)[1] == pytest.approx(np.cos(0.3 - 0.8))


def test_bond_dimensions_of_known_states() -> None:
    """GHZ has rank 2 and one bit; pairs across the middle have one bit each; product states have none."""
    ghz = Circuit(4).h(0).cx(0, 1).cx(1, 2).cx(2, 3)
    pairs = Circuit(4).h(0).h(1).cx(0, 3).cx(1, 2)
    for circuit, ranks, bits in (
        (ghz, (2, 2, 2), (1, 1, 1)),
        (pairs, (2, 4, 2), (1, 2, 1)),
        (Circuit(4).ry(1.0, 2), (1, 1, 1), (0, 0, 0)),
    ):
        found = simulability(circuit, PauliSum({"XXXX": 1.0}))
        assert found.bond_dimensions == ranks
        np.testing.assert_allclose(found.entropies, bits, atol=1e-12)


def test_clifford_fractions() -> None:
    circuit = Circuit(2).h(0).cx(0, 1).rx(np.pi / 2, 0).rz(-np.pi, 1).ry(0.3, 0).t(1)
    found = simulability(circuit, PauliSum({"ZZ": 1.0}))
    assert found.non_clifford_gates == 2 and found.clifford_fraction == pytest.approx(4 / 6)
    assert simulability(Circuit(2), PauliSum({"ZZ": 1.0})).clifford_fraction == 1.0
    wide = simulability(Circuit(70).h(0), PauliSum({"X" * 70: 1.0}))
    assert wide.strings is None and wide.bond_dimensions is None
