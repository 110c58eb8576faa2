"""Observables of other libraries, against the dense matrices that those libraries make themselves."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
import scipy.sparse
from numpy.typing import NDArray

from qas_simulators import PauliSum, lanczos, memory
from qas_simulators.bridges.operators import read_operator
from tests.conftest import random_pauli_sum

# 0.3 Z_2 X_0 - 0.7 Y_1 X_0 + 1.1 X_2 X_1 Y_0: no two qubits and no two letters may be exchanged
LABELS = {"ZIX": 0.3, "IYX": -0.7, "XXY": 1.1}


def matrix_of_labels() -> NDArray[np.complex128]:
    """By Kronecker products, the first letter the most significant."""
    single = {"I": np.eye(2), "X": [[0, 1], [1, 0]], "Y": [[0, -1j], [1j, 0]], "Z": [[1, 0], [0, -1]]}
    terms = [w * np.kron(np.kron(single[a], single[b]), single[c]) for (a, b, c), w in LABELS.items()]
    return np.asarray(sum(terms), dtype=np.complex128)


def first_qubit_last(matrix: NDArray[Any]) -> NDArray[Any]:
    """Turn the order of bits in the index of a matrix."""
    width = matrix.shape[0].bit_length() - 1
    turned = [*range(width)[::-1], *range(width, 2 * width)[::-1]]
    return matrix.reshape([2] * 2 * width).transpose(turned).reshape(matrix.shape)


def assert_reads(operator: Any, matrix: NDArray[Any], **settings: int) -> None:
    np.testing.assert_allclose(read_operator(operator, **settings).to_matrix(), matrix, atol=1e-12)


def assert_refused(operator: Any, message: str, **settings: Any) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        read_operator(operator, **settings)
    assert "\n" not in str(caught.value)


def test_labels_and_matrices() -> None:
    matrix = matrix_of_labels()
    sparse = [scipy.sparse.csr_matrix(matrix), scipy.sparse.coo_array(matrix), scipy.sparse.dok_matrix(matrix)]
    pairs = [("ZIX", 0.1), ("IYX", -0.7), ("XXY", 1.1), ("ZIX", 0.2)]  # equal labels add up
    for form in [PauliSum(LABELS), LABELS, list(LABELS.items()), pairs, matrix, matrix.tolist(), *sparse]:
        assert_reads(form, matrix)
    triples = [("ZX", [2, 0], 0.3), ("XY", [0, 1], -0.7), ("YXX", [0, 1, 2], 1.1)]
    assert_reads(triples, matrix, num_qubits=3)
    large = scipy.sparse.kron(scipy.sparse.diags_array(np.arange(2048.0)), scipy.sparse.csr_array(matrix))  # 14 qubits
    labels = {
        "I" * (10 - k) + "Z" + "I" * k + label: -(2.0 ** (k - 1)) * w for label, w in LABELS.items() for k in range(11)
    }
    labels |= {"I" * 11 + label: 2047 / 2 * weight for label, weight in LABELS.items()}  # k = sum 2**j (1 - Z_j) / 2
    assert read_operator(large).terms() == pytest.approx(labels)


def test_qiskit() -> None:
    qi = pytest.importorskip("qiskit.quantum_info")
    operator = qi.SparsePauliOp(list(LABELS), list(LABELS.values()))
    for form in (operator, qi.Operator(operator), qi.SparseObservable.from_sparse_pauli_op(operator)):
        assert_reads(form, operator.to_matrix())
        np.testing.assert_allclose(PauliSum.from_qiskit(form).to_matrix(), operator.to_matrix(), atol=1e-12)
    assert_reads(qi.Pauli("-XIZ"), qi.Pauli("-XIZ").to_matrix())
    assert_reads(qi.PauliList(["XI", "ZZ"]), qi.Pauli("XI").to_matrix() + qi.Pauli("ZZ").to_matrix())
    projectors = qi.SparseObservable.from_list([("01r", 0.5), ("+-l", 0.25)])
    assert_reads(projectors, qi.SparsePauliOp.from_sparse_observable(projectors).to_matrix())
    derived = type("Derived", (qi.SparsePauliOp,), {})(list(LABELS), list(LABELS.values()))
    assert_reads(derived, operator.to_matrix())
    assert_refused(qi.Pauli("iX"), "real coefficients")
    assert_refused(qi.Operator(np.eye(3)), r"shape \(2\*\*n")
    for other in (qi.Statevector([1, 0]), qi.Clifford(np.eye(2, dtype=bool))):
        assert_refused(other, "SparseObservable or Operator")


def test_pennylane() -> None:
    qml = pytest.importorskip("pennylane")
    x, y, z = qml.X, qml.Y, qml.Z
    operator = 0.3 * z(2) @ x(0) - 0.7 * y(1) @ x(0) + 1.1 * x(2) @ x(1) @ y(0)
    matrix = first_qubit_last(qml.matrix(operator, wire_order=range(3)))
    np.testing.assert_allclose(matrix, matrix_of_labels())
    terms = qml.Hamiltonian([0.3, -0.7, 1.1], [z(2) @ x(0), y(1) @ x(0), x(2) @ x(1) @ y(0)])
    for form in (operator, terms, (operator, 3), operator.pauli_rep):
        assert_reads(form, matrix)
    assert_reads(qml.numpy.tensor(matrix), matrix)
    assert read_operator((operator, 5)).num_qubits == 5  # the pair that qml.qchem returns
    hermitian = qml.Hermitian(np.diag([1.0, 2.0, 3.0, 5.0]), [2, 0])
    assert_reads(hermitian, first_qubit_last(qml.matrix(hermitian, wire_order=range(3))))
    for bad, message in [
        (z("a"), "numbered from 0"),
        (1j * z(0), "Hermitian"),
        (qml.Hermitian(np.eye(4), ["a", "b"]), "numbered from 0"),
        ((operator, 2), "at least 3"),
        (qml.tape.QuantumScript([]), "operator of Qiskit, PennyLane"),
    ]:
        assert_refused(bad, message)


def test_openfermion_and_cirq() -> None:
    openfermion = pytest.importorskip("openfermion")
    cirq = pytest.importorskip("cirq")
    term = openfermion.QubitOperator
    operator = 0.3 * term("X0 Z2") - 0.7 * term("X0 Y1") + 1.1 * term("Y0 X1 X2")
    matrix = first_qubit_last(openfermion.get_sparse_operator(operator).toarray())
    np.testing.assert_allclose(matrix, matrix_of_labels())
    assert_reads(operator, matrix)
    assert read_operator(operator, num_qubits=4).num_qubits == 4
    a, b, c = cirq.LineQubit.range(3)
    strings = 0.3 * cirq.Z(c) * cirq.X(a) - 0.7 * cirq.Y(b) * cirq.X(a) + 1.1 * cirq.X(c) * cirq.X(b) * cirq.Y(a)
    assert_reads(strings, first_qubit_last(strings.matrix([a, b, c])))
    assert read_operator(cirq.X(b)).terms() == {"XI": 1.0}
    for bad, message in [
        (1j * term("Z0"), "Hermitian"),
        (term(), "at least one term"),
        (openfermion.BosonOperator("0^ 0"), "QubitOperator"),
        (2.0 * cirq.X(cirq.NamedQubit("q")), "numbered from 0, but is 'q'"),
        (2.0 * cirq.X(cirq.GridQubit(0, 1)), "numbered from 0"),
        (cirq.Circuit(), "a PauliSum"),
    ]:
        assert_refused(bad, message)
    assert_refused(operator, "at least 3", num_qubits=2)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (None, "be a PauliSum, .* but is None"),
        ("ZZ", "but is 'ZZ'"),
        (3, "but is 3"),
        ([], "a matrix of shape|a PauliSum"),
        ({}, "at least one term"),
        (np.zeros(4), "a PauliSum"),
        (np.array([["a", "b"], ["c", "d"]]), "a PauliSum"),
        (np.array([[0, 1], [0, 0]]), "Hermitian"),
        (scipy.sparse.csr_matrix(np.array([[0, 1], [0, 0]])), "Hermitian"),
        (scipy.sparse.csr_matrix((3, 3)), "shape"),
        ({1: 2.0}, "labels such as 'ZZI'"),
        ([("ZZ", 1.0), ("Z", 1.0)], "one length"),
        ([("ZQ", 1.0)], "letters I, X, Y, Z"),
        ([("ZZ", 1e-14j)], "Hermitian"),
        ([("ZZ", "a")], "numbers as coefficients"),
        ({"ZZ": "1.0"}, "numbers as coefficients"),
        ({"ZZ": None}, "numbers as coefficients"),
        ([("ZZ", [0, 0], 1.0)], "one qubit for each letter"),
        ([("Z", [-1], 1.0)], "numbered from 0"),
        ([("Z", [0.5], 1.0)], "numbered from 0"),
        ({"Z" * 61: 1.0}, "at most 60"),
        (lambda: None, "a PauliSum"),
    ],
)
def test_what_is_no_observable_is_refused_in_a_line(bad: Any, message: str) -> None:
    assert_refused(bad, message)


def test_no_library_is_imported_for_another_format() -> None:
    code = (
        "import sys; from qas_simulators.bridges.operators import read_operator; read_operator({'ZZ': 1.0});"
        "sys.exit(bool({'qiskit', 'pennylane', 'openfermion', 'cirq'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_lanczos_agrees_with_dense_and_gives_up_in_a_line(monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    real, complex_ = PauliSum({"ZZIII": 1.0, "IXXII": 0.5, "IIIYY": 0.3, "IIZII": 0.1}), random_pauli_sum(5, 60, seed=2)
    monkeypatch.setattr(lanczos, "_QUIET", 0.0)
    for observable in (real, complex_):
        dense = np.linalg.eigvalsh(observable.to_matrix())[:3]
        np.testing.assert_allclose(lanczos.lowest_eigenvalues(observable.grouped(), 3), dense, atol=1e-9)
    assert "Exact ground energy of 5 qubits: 1 products" in capsys.readouterr().err
    monkeypatch.setattr(lanczos, "_RESTARTS", 1)
    with pytest.raises(ValueError, match=r"did not converge in .* `ground_energy`"):
        lanczos.lowest_eigenvalues(random_pauli_sum(8, 60, seed=1).grouped(), 1)


def test_what_does_not_fit_memory_says_how_much_it_needs(monkeypatch: pytest.MonkeyPatch) -> None:
    assert 0 < memory.available_memory() < 2**62
    monkeypatch.setattr(memory, "available_memory", lambda: 2**30)
    observable = PauliSum({"X" * k + "I" * (24 - k): 1.0 for k in range(25)})
    with pytest.raises(
        ValueError, match=r"fit into the 1\.0 GiB .* but is '11\.2 GiB for 25 groups of terms on 24 qubits'"
    ):
        observable.ground_energy()  # (25 + 20) * 16 * 2**24 bytes


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux")
def test_the_limit_of_the_process_counts() -> None:
    code = (
        "import resource; from qas_simulators.memory import available_memory;"
        "resource.setrlimit(resource.RLIMIT_AS, (6 << 30, 6 << 30)); assert available_memory() < 6 << 30"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
