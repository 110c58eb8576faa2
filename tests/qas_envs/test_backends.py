"""The rule ``backend``, and rules given as objects of Qiskit and networkx."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from qas_envs import CircuitBuildingEnv
from qas_simulators import Circuit, NoiseModel, PauliTransferSimulator

provider = pytest.importorskip("qiskit_ibm_runtime.fake_provider")
backends = pytest.importorskip("qas_simulators.bridges.backends")
nx = pytest.importorskip("networkx")
qiskit = pytest.importorskip("qiskit")


def build(**arguments: Any) -> CircuitBuildingEnv:
    env = gym.make(arguments.pop("id", "QAS-TFIM-v0"), **arguments).unwrapped
    assert isinstance(env, CircuitBuildingEnv)
    return env


def graph_of(target: Any) -> Any:
    """The device as a networkx graph, its two-qubit errors as weights."""
    graph = nx.Graph()
    for pair, details in target["cx"].items():
        error = min(details.error, graph.edges[pair]["weight"] if graph.has_edge(*pair) else 1.0)
        if error < 1:
            graph.add_edge(*pair, weight=error)
    return graph


@pytest.mark.parametrize("name", ["FakeManilaV2", "FakeMumbaiV2"])
def test_best_qubits_equal_those_of_all_subsets(name: str) -> None:
    backend = getattr(provider, name)()
    target, graph = backend.target, graph_of(backend.target)
    one = {
        q: target["measure"][(q,)].error + max(target[gate][(q,)].error for gate in ("id", "sx", "x", "rz"))
        for q in range(backend.num_qubits)
    }
    for size in (1, 2, 3, 4):
        subsets = [graph.subgraph(chosen) for chosen in combinations(range(backend.num_qubits), size)]
        connected = [part for part in subsets if nx.is_connected(part)]

        def cost(part: Any) -> float:
            return float(sum(one[q] for q in part) + nx.minimum_spanning_tree(part).size("weight"))

        best = min(connected, key=cost)
        assert backends.best_qubits(backend, size) == tuple(sorted(best))
        densest = min(connected, key=lambda part: (-part.number_of_edges(), cost(part)))
        assert backends.best_qubits(backend, size, "connected") == tuple(sorted(densest))


def test_names_of_backends() -> None:
    for name in ("fake_manila", "FakeManilaV2", "fake_manila_v2"):
        assert backends.backend_of(name).num_qubits == 5
    with pytest.raises(ValueError, match=r"Unknown backend 'fake_manilla'.* Did you mean 'fake_manila'"):
        backends.backend_of("fake_manilla")
    with pytest.raises(ValueError, match="`layout` must have 3 qubits"):
        build(backend={"name": "fake_manila", "layout": [0, 1]}, num_qubits=3)
    with pytest.raises(ValueError, match="Unknown layout 'best'"):
        build(backend={"name": "fake_manila", "layout": "best"}, num_qubits=3)
    with pytest.raises(ValueError, match="at most the device's 5"):
        build(backend="fake_manila", num_qubits=6)
    for wrong in (5, provider.FakeManilaV2, {"layout": [0]}, {"name": "fake_manila", "lay_out": [0]}):
        with pytest.raises(ValueError, match=r"backend|Did you mean 'layout'"):
            build(backend=wrong, num_qubits=3)


def test_one_argument_gives_layout_couplings_gates_and_noise() -> None:
    backend = provider.FakeMumbaiV2()
    env = build(backend=backend, num_qubits=3)
    part = env.rules.backend
    noise = NoiseModel.from_backend(backend, part.qubits)
    assert part.name == "fake_mumbai" and part.qubits == backends.best_qubits(backend, 3)
    assert set(env.catalogue.gates.two_qubit) == {"cx"} and set(env.catalogue.gates.one_qubit) == {"x", "sx", "rz"}
    pairs = {action.qubits for action in env.catalogue.actions if len(action.qubits) == 2}
    assert pairs == set(noise.couplings or ()) == set(part.couplings)
    env.reset(seed=0)
    for action in (env.catalogue.index("sx", 0), env.catalogue.index("cx", *min(pairs))):
        *_, info = env.step(np.int64(action))
    expected = PauliTransferSimulator(noise).expectation(env.circuit, env.problem.hamiltonian)
    assert info["energy"] == pytest.approx(expected, abs=1e-12) and info["energy"] > env.problem.ground_energy
    assert build(backend={"name": "fake_mumbai", "layout": [1, 4, 7]}, num_qubits=3).rules.backend.qubits == (1, 4, 7)


def test_explicit_rules_replace_those_of_the_device() -> None:
    env = build(backend={"name": "fake_manila", "noise": False}, num_qubits=3, gates="crlqas")
    assert not env.simulator.is_noisy and set(env.catalogue.gates.one_qubit) == {"rx", "ry", "rz"}
    assert {(0, 1), (1, 0), (1, 2), (2, 1)} == {a.qubits for a in env.catalogue.actions if len(a.qubits) == 2}
    noisy = build(backend="fake_manila", num_qubits=2, noise={"name": "depolarizing", "p1": 0.1, "p2": 0.2})
    assert noisy.simulator.noise.transfer_matrix("x", (0,))[1, 1] == pytest.approx(0.9, abs=0.05)  # type: ignore[attr-defined]


def test_vector_environments_share_the_device() -> None:
    envs = gym.make_vec("QAS-TFIM-v0", num_envs=2, num_qubits=2, backend="fake_manila").unwrapped
    first, second = (env.rules.backend for env in envs.envs)  # type: ignore[attr-defined]
    assert first is second and first.qubits == build(num_qubits=2, backend="fake_manila").rules.backend.qubits


def test_old_and_new_native_gates() -> None:
    assert backends.native_gates(provider.FakeSherbrooke()) == ("rz", "x", "sx", "ecr")
    assert set(backends.native_gates(provider.FakeMelbourneV2())) >= {"cx"}
    env = build(gates=provider.FakeManilaV2(), num_qubits=2)
    assert {action.gate for action in env.catalogue.actions} == {"cx", "x", "sx", "rz"}


def test_noise_of_aer() -> None:
    aer = pytest.importorskip("qiskit_aer.noise")
    model = aer.NoiseModel()
    model.add_all_qubit_quantum_error(aer.depolarizing_error(0.1, 1), ["ry"])
    env = build(noise=model, num_qubits=2, max_gates=3)
    env.reset(seed=0)
    env.step(env.catalogue.index("ry", 0))
    # RY of angle t under depolarising 0.1 on H = -ZZ - X0 - X1: both Paulis of qubit 0 shrink by 0.9
    [angle] = env.circuit.params
    hand = -0.9 * np.cos(angle) - 0.9 * np.sin(angle)
    assert env.energy == pytest.approx(hand, abs=1e-9)


@pytest.mark.parametrize("kind", ["ours", "qiskit", "qasm3", "qasm2"])
def test_initial_circuits_of_other_libraries(kind: str) -> None:
    circuit = Circuit(2).h(0).cx(0, 1).ry(0.3, 1)
    program = 'OPENQASM 2.0; include "qelib1.inc"; qreg q[2]; h q[0]; cx q[0], q[1]; ry(0.3) q[1];'
    given = {"ours": circuit, "qiskit": circuit.to_qiskit(), "qasm3": circuit.to_qasm3(), "qasm2": program}[kind]
    env = build(num_qubits=2, initial=given)
    assert env.initial == circuit
    with pytest.raises(ValueError, match="must have 3 qubits"):
        build(num_qubits=3, initial=given)
    with pytest.raises(ValueError, match="Unknown initial circuit 'basis'"):
        build(num_qubits=2, initial="basis")


def test_couplings_of_graphs() -> None:
    env = build(num_qubits=3, couplings=nx.path_graph(3))
    assert {a.qubits for a in env.catalogue.actions if len(a.qubits) == 2} == {(0, 1), (1, 0), (1, 2), (2, 1)}
    env = build(num_qubits=3, couplings=nx.DiGraph([(0, 1), (2, 1)]))
    assert {a.qubits for a in env.catalogue.actions if len(a.qubits) == 2} == {(0, 1), (2, 1)}
    with pytest.raises(ValueError, match="connect all 4 qubits"):
        build(num_qubits=4, couplings=nx.path_graph(3))
