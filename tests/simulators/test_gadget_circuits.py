"""Linked angles and gadgets: equal to their expansion, whatever is done with them."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qas_simulators import Circuit, NoiseModel, PauliSum, PauliTransferSimulator, StatevectorSimulator, reference
from qas_simulators.channels import depolarizing
from qas_simulators.flat_circuit import Link
from qas_simulators.gadget_files import load_gadgets, save_gadgets
from qas_simulators.gadgets import Gadget, Part
from qas_simulators.gates import gate_index
from qas_simulators.optimizers import Cobyla, Rotosolve, ScanLBFGS
from tests.conftest import random_pauli_sum

SETS = Path(__file__).parents[2] / "qas_envs" / "gadget_sets"
ONE = (Link(0, 1.0, 0.0),)
RZ_CZ = Gadget("rz_cz", 2, 1, (Part("rz", (0,), ONE), Part("cz", (0, 1))))
NESTED = Gadget(
    "nested",
    3,
    2,
    (
        Part("ry", (2,), (Link(1, -0.5, 0.3),)),
        Part(RZ_CZ, (2, 0), (Link(0, 2.0, 0.1),)),
        Part("rx", (1,), (Link(-1, 0.0, 0.7),)),
        Part(RZ_CZ, (1, 2), (Link(1, 1.0, 0.0),)),
    ),
)


def linked_circuit(rng: np.random.Generator, num_qubits: int = 3) -> Circuit:
    circuit = Circuit(num_qubits)
    for _ in range(rng.integers(1, 15)):
        kind, qubit = rng.integers(5), int(rng.integers(num_qubits))
        if kind == 0:
            circuit.cx(qubit, (qubit + 1) % num_qubits)
        elif kind == 1:
            circuit.ry(rng.normal(), qubit)
        elif kind == 2:
            NESTED.append_to(circuit, rng.permutation(num_qubits)[:3].tolist(), rng.normal(size=2).tolist())
        else:
            source = int(rng.integers(-1, circuit.num_params)) if circuit.num_params else circuit.append_param(0.4)
            link = Link(source, float(rng.normal()), float(rng.normal()))
            circuit.append_linked(gate_index(["rx", "rz"][kind - 3]), qubit, -1, link)
    return circuit


# -- linked angles ---------------------------------------------------------------------------------------------------


@given(st.integers(0, 10**6), st.booleans())
@settings(max_examples=60, deadline=None)
def test_energies_and_gradients_of_linked_angles(seed: int, idles: bool) -> None:
    """Against the same circuit with an angle for every rotation, and the chain rule."""
    rng = np.random.default_rng(seed)
    noise = NoiseModel.depolarizing(1e-3, 1e-2)
    noise = noise.add_idle(depolarizing(1e-3)) if idles else noise
    circuit, observable = linked_circuit(rng), random_pauli_sum(3, 6, seed)
    free = Circuit(3)
    for name, qubits, angle in circuit:
        free.append(name, qubits, angle)
    for simulator in (StatevectorSimulator(), PauliTransferSimulator(noise)):
        energy, gradient = simulator.expectation_and_gradient(circuit, observable)
        free_energy, slopes = simulator.expectation_and_gradient(free, observable)
        expected = np.zeros(circuit.num_params)
        for (source, factor, _), slope in zip(circuit.links, slopes, strict=True):
            if source >= 0:
                expected[source] += factor * slope
        assert energy == pytest.approx(free_energy, abs=1e-12)
        np.testing.assert_allclose(gradient, expected, atol=1e-10)


@pytest.mark.parametrize("optimizer", [ScanLBFGS(), Cobyla()])
def test_linked_angles_are_optimised(optimizer: Any, rng: np.random.Generator) -> None:
    """A double excitation between two determinants: its energy is that of the two levels' best mixture."""
    double = load_gadgets(SETS / "excitations.json")["double_excitation"]
    circuit = Circuit(4).x(0).x(1)
    double.append_to(circuit, range(4))
    levels = PauliSum({"IIIZ": 0.4, "XXXX": 0.3, "YYYY": 0.1})
    matrix = levels.to_matrix()[np.ix_([3, 12], [3, 12])]
    result = optimizer.minimize(StatevectorSimulator(), circuit, levels, num_new=1)
    assert result.energy == pytest.approx(np.linalg.eigvalsh(matrix)[0], abs=1e-6)
    assert reference.expectation(circuit, levels, params=result.params) == pytest.approx(result.energy, abs=1e-12)


def test_linked_circuits_copy_grow_and_pickle(rng: np.random.Generator) -> None:
    for _ in range(20):
        circuit = linked_circuit(rng)
        twins = [circuit.copy(), pickle.loads(pickle.dumps(circuit)), Circuit(3).extend(circuit)]
        twins.append(Circuit(3))
        twins[-1].assign(circuit)
        for twin in twins:
            np.testing.assert_allclose(twin.angles, circuit.angles, atol=1e-15)
            twin.params = twin.params + 0.1
            assert circuit.num_params == 0 or not np.array_equal(twin.params, circuit.params)
        double = circuit.copy().extend(circuit)
        assert double.num_params == 2 * circuit.num_params
        np.testing.assert_allclose(double.angles, np.tile(circuit.angles, 2), atol=1e-15)
    many = Circuit(2)
    for _ in range(100):
        RZ_CZ.append_to(many, [0, 1], [0.1])
        Gadget("twice", 1, 1, (Part("rx", (0,), ONE), Part("ry", (0,), ONE))).append_to(many, [1], [0.2])
    assert (many.num_gates, many.num_rotations, many.num_params) == (400, 300, 200)
    assert many == many.copy() and many != many.copy().x(0)


def test_sinusoids_need_angles_of_their_own() -> None:
    with pytest.raises(ValueError, match="have no linked angles"):
        Rotosolve().minimize(StatevectorSimulator(), NESTED.circuit(), PauliSum({"ZZZ": 1.0}))


# -- gadgets ---------------------------------------------------------------------------------------------------------


def test_a_gadget_is_its_expansion() -> None:
    params = np.array([0.37, -1.2])
    expansion = Circuit(3).ry(-0.5 * params[1] + 0.3, 2).rz(2 * params[0] + 0.1, 2).cz(2, 0).rx(0.7, 1)
    expansion.rz(params[1], 1).cz(1, 2)
    assert [tuple(o) for o in NESTED.circuit(params)] == [
        (name, qubits, angle if angle is None else pytest.approx(angle, abs=1e-15)) for name, qubits, angle in expansion
    ]
    unitary = np.eye(8, dtype=complex)
    for k in range(8):
        start = Circuit(3)
        for qubit in range(3):
            if k >> qubit & 1:
                start.x(qubit)
        unitary[:, k] = StatevectorSimulator().statevector(start.extend(expansion))
    np.testing.assert_allclose(NESTED.unitary(params), unitary, atol=1e-12)
    assert (NESTED.num_gates, NESTED.num_two_qubit_gates) == (6, 2)
    circuit = NESTED.circuit(params, num_qubits=5, qubits=[4, 0, 2])
    assert circuit.depth() == 4 and circuit.num_two_qubit_gates == 2 and circuit.count_ops()["cz"] == 2


def test_excitations_turn_two_determinants() -> None:
    gadgets = load_gadgets(SETS / "excitations.json")
    cosine, sine = np.cos(0.35), np.sin(0.35)
    for name, low, high in [("single_excitation", 1, 2), ("double_excitation", 3, 12)]:
        unitary = gadgets[name].unitary([0.7])
        expected = np.eye(len(unitary), dtype=complex)
        expected[low, low] = expected[high, high] = cosine
        sign = np.sign(unitary[high, low].real)
        expected[high, low], expected[low, high] = sign * sine, -sign * sine
        np.testing.assert_allclose(unitary, expected, atol=1e-12)


@pytest.mark.parametrize("path", sorted(SETS.glob("*.json")), ids=lambda path: path.stem)
def test_shipped_sets_and_files(path: Path, tmp_path: Path) -> None:
    gadgets = load_gadgets(path)
    save_gadgets(gadgets.values(), tmp_path / "again.json")
    assert (tmp_path / "again.json").read_text() == path.read_text()
    assert load_gadgets(tmp_path / "again.json") == gadgets


def test_files_keep_nested_gadgets(tmp_path: Path) -> None:
    save_gadgets([NESTED], tmp_path / "set.json")
    assert list(load_gadgets(tmp_path / "set.json")) == ["rz_cz", "nested"]
    assert load_gadgets(tmp_path / "set.json")["nested"] == NESTED
    other = Gadget("rz_cz", 1, 0, (Part("x", (0,)),))
    with pytest.raises(ValueError, match="one gadget each, but is 'rz_cz'"):
        save_gadgets([NESTED, other], tmp_path / "bad.json")
    assert not (tmp_path / "bad.json").exists()


def test_qiskit_reads_the_definition() -> None:
    qiskit = pytest.importorskip("qiskit")
    pytest.importorskip("qiskit_qasm3_import")
    head = f'OPENQASM 3.0;\ninclude "stdgates.inc";\n{NESTED.to_qasm3()}\n'
    text = f"{head}qubit[3] q;\nnested(0.37, -1.2) q[0], q[1], q[2];"
    from qiskit import qasm3
    from qiskit.quantum_info import Operator

    assert qiskit is not None
    np.testing.assert_allclose(Operator(qasm3.loads(text)).data, NESTED.unitary([0.37, -1.2]), atol=1e-12)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("cx", 2, 0, (Part("cx", (0, 1)),)), "not be that of a gate"),
        (("a b", 1, 0, (Part("x", (0,)),)), "identifier"),
        (("empty", 1, 0, ()), "at least one operation"),
        (("arity", 2, 0, (Part("cx", (0,)),)), "2 distinct ones"),
        (("twins", 2, 0, (Part("cx", (1, 1)),)), "2 distinct ones"),
        (("gap", 3, 0, (Part("cx", (0, 1)),)), r"0..2, all used, but is \[0, 1\]"),
        (("outside", 1, 0, (Part("cx", (0, 1)),)), r"0..0, all used"),
        (("unbound", 1, 0, (Part("rx", (0,)),)), "'unbound'` must be 1, but is"),
        (("unused", 1, 1, (Part("x", (0,)),)), "parameters of gadget 'unused'"),
        (("beyond", 1, 1, (Part("rx", (0,), (Link(1, 1.0, 0.0),)),)), "lie in 0..0, but is 1"),
        (("infinite", 1, 0, (Part("rx", (0,), (Link(-1, 0.0, float("inf")),)),)), "finite"),
        (("unknown", 1, 0, (Part("foo", (0,)),)), "foo"),
    ],
)
def test_bad_gadgets(arguments: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Gadget(*arguments)


def test_bad_places_change_nothing() -> None:
    circuit = Circuit(3).x(0)
    for qubits, params, message in [
        ([0, 1], None, "3 distinct"),
        ([0, 1, 1], None, "3 distinct"),
        ([0, 1, 3], None, "0..2"),
        ([0, 1, 2], [0.1], "2 finite numbers"),
        ([0, 1, 2], [0.1, float("nan")], "2 finite numbers"),
    ]:
        with pytest.raises(ValueError, match=message):
            NESTED.append_to(circuit, qubits, params)
    assert circuit == Circuit(3).x(0)


def row(name: str, parts: list[dict[str, Any]], qubits: int = 1, params: int = 0) -> dict[str, Any]:
    return {"name": name, "qubits": qubits, "params": params, "parts": parts}


def test_odd_linked_circuits() -> None:
    """Parameters of no rotation, more parameters than gates, and a scan of angles that only look linked."""
    bare = Circuit(1)
    bare.append_param(0.3)
    assert (bare.angles.size, list(bare), bare.num_params) == (0, [], 1)
    z = PauliSum({"Z": 1.0})
    assert StatevectorSimulator().expectation(bare, z) == 1.0
    twin = Circuit(1)
    for _ in range(100):
        bare.append_param(0.1)
    twin.assign(bare)
    assert twin == bare
    bare.ry(0.3, 0)
    result = ScanLBFGS(scan_all=True).minimize(StatevectorSimulator(), bare, z)
    assert result.energy == pytest.approx(-1.0) and result.params[0] == 0.3
    plain, linked = Circuit(1).rx(0.2, 0).ry(0.0, 0), Circuit(1)
    linked.append_linked(gate_index("rx"), 0, -1, Link(linked.append_param(0.2), 1.0, 0.0))
    linked.ry(0.0, 0)
    results = [ScanLBFGS().minimize(StatevectorSimulator(), circuit, z, num_new=1) for circuit in (plain, linked)]
    assert results[0].evaluations == results[1].evaluations
    np.testing.assert_allclose(np.cos(results[0].params - results[1].params), 1.0, atol=1e-9)


@pytest.mark.parametrize("num_threads", [1, 2])
@pytest.mark.parametrize("kind", [StatevectorSimulator, PauliTransferSimulator])
def test_parameters_of_no_rotation_have_no_slope(kind: Any, num_threads: int) -> None:
    """Exactly 0, whatever is in memory: without any rotation, beside constant ones, and beside one of their own."""
    only_fixed = Circuit(2).h(0).cx(0, 1)
    constant = Circuit(2).h(0)
    beside = Circuit(2).ry(0.3, 0)
    for circuit in (only_fixed, constant, beside):
        circuit.append_param(0.1)
        circuit.append_param(0.2)
    constant.append_linked(gate_index("rx"), 1, -1, Link(-1, 0.0, 0.4))
    zz, simulator = PauliSum({"ZZ": 1.0, "IX": 0.5}), kind(num_threads=num_threads)
    for circuit, expected in [(only_fixed, [0.0, 0.0]), (constant, [0.0, 0.0]), (beside, [None, 0.0, 0.0])]:
        for _ in range(5):
            dirty = [np.full(circuit.num_params, 7.0) for _ in range(100)]  # memory that is given back full
            del dirty
            _, gradient = simulator.expectation_and_gradient(circuit, zz)
            _, gradients = simulator.expectations_and_gradients(circuit, zz, np.tile(circuit.params, (300, 1)))
            for slope, rows, exact in zip(gradient, gradients.T, expected, strict=True):
                assert exact is None or (slope == exact and not rows.any())
        result = ScanLBFGS(scan_all=True).minimize(simulator, circuit, zz)
        np.testing.assert_array_equal(result.params[-2:], [0.1, 0.2])
        assert result.energy <= simulator.expectation(circuit, zz) + 1e-12
    assert ScanLBFGS().minimize(simulator, only_fixed, zz, 2).energy == pytest.approx(1.0, abs=1e-12)  # <ZZ> of Bell


X = {"what": "x", "qubits": [0]}


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([row("a", [X]), row("a", [X])], "one gadget each, but is 'a'"),
        ([row("a", [{"what": "b", "qubits": [0]}]), row("b", [{"what": "a", "qubits": [0]}])], "'a -> b -> a'"),
        ([row("a", [{"what": "y2", "qubits": [0]}])], "Unknown gate or gadget in gadget 'a' 'y2'"),
        ([row("a", [{"what": "rx", "qubits": [0], "angles": [{"value": 1.0, "param": 0}]}])], "bound once"),
        ([row("a", [{"what": "x"}])], "part of gadget 'a'"),
        ([{"name": "a"}], "gadget"),
        ([{**row("a", [X]), "name": ["a"]}], "have a name"),
        ([{**row("a", [X]), "parts": 5}], "list of parts"),
        ([row("a", [{"what": "x", "qubits": "0"}])], "list of qubits"),
        ([row("a", [{"what": "x", "qubits": [0.0]}])], "be integers"),
        ([row("a", [{"what": "rx", "qubits": [0], "angles": [{"param": 0.7}]}], params=1)], "be integers"),
        ([row("a", [{"what": "rx", "qubits": [0], "angles": [{"value": None}]}])], "be numbers"),
        ([row("measure", [X])], "word of OpenQASM"),
    ],
)
def test_bad_files(rows: list[dict[str, Any]], message: str, tmp_path: Path) -> None:
    (tmp_path / "set.json").write_text(json.dumps({"format": "qas-gadgets", "version": 1, "gadgets": rows}))
    with pytest.raises(ValueError, match=message):
        load_gadgets(tmp_path / "set.json")


def test_foreign_files(tmp_path: Path) -> None:
    for text, message in [
        ("{", "name a file of gadgets"),
        ("[]", "format 'qas-gadgets'"),
        ('{"format": "qas-gadgets", "version": 2, "gadgets": []}', "version` must be 1"),
    ]:
        (tmp_path / "set.json").write_text(text)
        with pytest.raises(ValueError, match=message):
            load_gadgets(tmp_path / "set.json")
    with pytest.raises(ValueError, match="name a file of gadgets"):
        load_gadgets(tmp_path / "nowhere.json")
