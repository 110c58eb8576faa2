"""What the borders of the simulators refuse: masks and qubits outside the register, and numbers of a wrong kind."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import sympy

from qas_simulators import Channel, Circuit, NoiseModel, PauliSum, PauliTransferSimulator, StatevectorSimulator
from qas_simulators.channels import bit_flip, depolarizing, pauli_channel, thermal_relaxation
from qas_simulators.flat_circuit import Link
from qas_simulators.gates import GATES, gate_index
from qas_simulators.optimizers import ScanLBFGS

Z = PauliSum({"Z": 1.0})
NOT_REAL = {
    "complex": 0.5 + 0.1j,
    "single precision": np.complex64(0.5 + 0.1j),
    "extended precision": np.clongdouble(0.5 + 0.1j),
    "no dimensions": np.array(0.5 + 0.1j),
    "imaginary NaN": complex(0.5, float("nan")),
    "text": "0.5",
    "complex text": "0.5+0.1j",
    "symbol": sympy.Symbol("a"),
    "symbolic complex": sympy.Rational(1, 2) + sympy.I / 10,
    "truth value": True,
    "NumPy's truth value": np.True_,
    "list": [0.5],
    "nothing": None,
}
REAL = [1, 0.5, Fraction(1, 2), Decimal("0.5"), np.float32(0.5), np.array(0.5), np.complex64(0.5), sympy.Rational(1, 2)]


@pytest.mark.parametrize("kind", NOT_REAL)
def test_numbers_that_are_not_real(kind: str) -> None:
    value = NOT_REAL[kind]
    borders: list[Callable[[], Any]] = [
        lambda: PauliSum({"Z": value}),
        lambda: Z * value,
        lambda: value * Z,
        lambda: Circuit(1).rx(value, 0),
        lambda: Circuit(1).append_param(value),
        lambda: bit_flip(value),
        lambda: depolarizing(value),
        lambda: pauli_channel(0.0, value, 0.0),
        lambda: thermal_relaxation(value, 0.4, 1.0),
        lambda: NoiseModel().add_readout(value, 0.0),
        lambda: NoiseModel.depolarizing(value),
    ]
    for border in borders:
        with pytest.raises(ValueError, match=r"must be (a real number|given for gate 'rx')"):
            border()


@pytest.mark.parametrize("value", REAL, ids=repr)
def test_numbers_of_every_real_type(value: Any) -> None:
    expected = 1.0 if value == 1 else 0.5
    assert PauliSum({"Z": value}).terms() == {"Z": expected}
    assert (Z * value).terms() == {"Z": expected}
    assert Circuit(1).rx(value, 0).params.tolist() == [expected]
    assert NoiseModel().add(bit_flip(value), ["x"]).transfer_matrix("x", (0,))[3, 3] == pytest.approx(1 - 2 * expected)


def test_arrays_that_are_not_real() -> None:
    circuit, turned = Circuit(1).ry(0.3, 0), np.array([0.5j])
    simulator = StatevectorSimulator()
    for border in (
        lambda: PauliSum.from_masks(1, [1], [0], turned),
        lambda: PauliSum.from_masks(1, [1], [0], ["1.0"]),
        lambda: PauliSum.from_masks(1, [1], [0], [sympy.I]),
        lambda: PauliSum.from_masks(1, [1], [0], [True]),
        lambda: PauliSum.from_indices(1, [1], np.full(4, 1j)),
        lambda: simulator.expectation(circuit, Z, turned),
        lambda: simulator.expectations(circuit, Z, turned[None]),
        lambda: simulator.expectations_and_gradients(circuit, Z, turned[None]),
        lambda: setattr(circuit, "params", turned),
        lambda: Channel.from_ptm(np.eye(4) + 1e-3j),
        lambda: NoiseModel.from_ptms({("x", (0,)): np.eye(4) * (1 + 1e-3j)}),
    ):
        with pytest.raises(ValueError, match="must be a real number"):
            border()
    assert PauliSum.from_masks(1, [1], [0], np.array([2 + 0j])).terms() == {"X": 2.0}


@pytest.mark.parametrize(
    ("x", "z", "message"),
    [
        ([1 << 29], [0], "`x` must hold integers from 0 to 1, but is 536870912"),
        ([0], [4], "`z` must hold integers from 0 to 1, but is 4"),
        ([-1], [0], "`x` must hold integers from 0 to 1, but is -1"),
        ([0], [1 << 70], "`z` must be a list of integers"),
        ([1.0], [0], "`x` must be a list of integers"),
        ([0], ["1"], "`z` must be a list of integers"),
        ([True], [0], "`x` must be a list of integers"),
        ([[1]], [0], "`x` must be a list of integers"),
        ([0, 1], [0], "one length"),
        ([0, 1], [0, 1], "one length"),
        ([], [], "at least 1"),
    ],
)
def test_masks_that_do_not_fit(x: Any, z: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        PauliSum.from_masks(1, x, z, [1.0] if x else [])


@pytest.mark.parametrize("num_qubits", [0, -1, 129, 1.0, True, "1"])
def test_registers_that_do_not_exist(num_qubits: Any) -> None:
    with pytest.raises(ValueError, match="`num_qubits` must be an integer from 1 to 128"):
        PauliSum.from_masks(num_qubits, [0], [0], [1.0])
    with pytest.raises(ValueError, match="`num_qubits` must be an integer from 1 to 128"):
        PauliSum.from_indices(num_qubits, [0], np.ones(4))


def test_indices_that_do_not_fit() -> None:
    for indices, vector, message in [
        ([4], np.ones(4), "integers from 0 to 3, but is 4"),
        ([-1], np.ones(4), "integers from 0 to 3, but is -1"),
        ([1.0], np.ones(4), "list of integers"),
        ([1], np.ones(3), r"shape \(4,\), but is \(3,\)"),
        ([1], np.ones((2, 2)), r"shape \(4,\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            PauliSum.from_indices(1, indices, vector)
    assert PauliSum.from_indices(1, [3], np.arange(4.0)).terms() == {"Z": 3.0}


def test_rows_that_do_not_fit() -> None:
    """By number as by name: gates that do not exist, qubits outside, links to nowhere; nothing is appended."""
    rx, cx, x = gate_index("rx"), gate_index("cx"), gate_index("x")
    circuit = Circuit(2).ry(0.1, 0)
    for row in [(-1, 0, -1), (len(GATES), 0, -1), (rx, 2, -1), (rx, -1, -1), (rx, 0, 1), (cx, 0, 0), (cx, 0, -1),
                (cx, 0, 2), (cx, -2, 1)]:  # fmt: skip
        with pytest.raises(ValueError, match=r"`(gate|qubits)` must"):
            circuit.append_row(*row)
        with pytest.raises(ValueError, match=r"`(gate|qubits)` must"):
            circuit.append_linked(*row, Link(0, 1.0, 0.0))
    for gate, source in [(rx, 1), (rx, -2), (x, 0)]:
        with pytest.raises(ValueError, match="`link` must"):
            circuit.append_linked(gate, 0, -1, Link(source, 1.0, 0.0))
    for qubit in (0.5, True, "0", None):
        with pytest.raises(ValueError, match="`qubits` must"):
            circuit.append("rx", [qubit], 0.1)
    assert circuit == Circuit(2).ry(0.1, 0) and not circuit.is_linked
    for num_new in (-1, 2):
        with pytest.raises(ValueError, match=r"`num_new` must lie in 0\.\.1"):
            ScanLBFGS().minimize(StatevectorSimulator(), circuit, PauliSum({"ZZ": 1.0}), num_new)


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: NoiseModel().add(bit_flip(0.5), ["cx"], [0]), r"be 2 qubit\(s\) for gate 'cx', but is \[0\]"),
        (lambda: NoiseModel().add(bit_flip(0.5), ["x", "cz"], [0]), r"be 2 qubit\(s\) for gate 'cz'"),
        (lambda: NoiseModel().add(bit_flip(0.5), ["x"], [0, 1]), r"be 1 qubit\(s\) for gate 'x'"),
        (lambda: NoiseModel().add(bit_flip(0.5), ["cx"], [1, 1]), "different qubits"),
        (lambda: NoiseModel().add(bit_flip(0.5), ["x"], [-1]), "different qubits"),
        (lambda: NoiseModel().add(bit_flip(0.5), ["x"], [0.0]), "different qubits"),
        (lambda: NoiseModel().add(bit_flip(0.5), ["x"], 0), "different qubits"),
        (lambda: NoiseModel().add(bit_flip(0.5), ["x"], []), "different qubits"),
        (lambda: NoiseModel().add(bit_flip(0.5), []), "at least one gate"),
        (lambda: NoiseModel().add(bit_flip(0.5), ["cx"], except_on=[(0,)]), "`except_on` must"),
        (lambda: NoiseModel().add(np.eye(4), ["x"]), "be a Channel"),
        (lambda: NoiseModel().add_idle(depolarizing(0.1, 2)), "act on one qubit"),
        (lambda: NoiseModel().add_idle(bit_flip(0.1), -1), "different qubits"),
        (lambda: NoiseModel().add_readout(0.1, qubits=0), "different qubits"),
        (lambda: NoiseModel().add_readout(0.1, qubits=[1, 1]), "different qubits"),
        (lambda: NoiseModel().add_readout(0.1, qubits=["0"]), "different qubits"),
        (lambda: setattr(NoiseModel(), "couplings", [(0, -1)]), "`couplings` must"),
        (lambda: setattr(NoiseModel(), "couplings", [(0, 1, 2)]), "pairs of qubits"),
        (lambda: PauliTransferSimulator("depolarizing"), "be a NoiseModel"),  # type: ignore[arg-type]
    ],
)
def test_rules_that_never_match(build: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()


def test_one_gate_by_name() -> None:
    assert NoiseModel().add(bit_flip(0.5), "sx").channels("sx", (0,))
    assert not NoiseModel().add(bit_flip(0.5), "sx").channels("x", (0,))
