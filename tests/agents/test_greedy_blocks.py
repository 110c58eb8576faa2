"""Growth by blocks, annealing over blocks, and the conversion of circuits into blocks."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from qiskit.quantum_info import Statevector

import qas_envs  # noqa: F401  # registers the ids
from qas_agents import (
    GreedyBlocks,
    annealed_blocks,
    ceo_pool,
    determinant,
    pauli_pool,
    post_process,
    qeb_pool,
    qubit_adapt,
    spin_orbitals,
)
from qas_agents.block_conversion import as_blocks
from qas_agents.searchers.shortening import Draft, Effort, Workshop
from qas_envs.problems import known_floors
from qas_simulators import Circuit, PauliSum, StatevectorSimulator
from qas_simulators.block_circuits import BlockBench, BlockCircuit
from qas_simulators.exponentials import exchange, qubit_excitation, real_exponential
from qas_simulators.optimizers import ScanLBFGS


def made(environment: str = "QAS-TFIM-v0", **arguments: Any) -> Any:
    return gym.make(environment, reward="priced", **arguments).unwrapped


def played(env: Any, seed: int, circuits: int) -> list[dict[str, Any]]:
    infos: list[dict[str, Any]] = []

    def record(locals_: dict[str, Any], _: dict[str, Any]) -> bool:
        info = locals_["infos"][0]
        energy = Statevector(env.circuit.to_qiskit()).expectation_value(env.problem.hamiltonian.to_qiskit()).real
        assert info["energy"] == pytest.approx(energy, abs=1e-9)
        assert info["success"] == (info["energy_error"] < info["threshold"])
        assert info["num_two_qubit_gates"] == sum(len(gate.qubits) == 2 for gate in env.circuit)
        infos.append(info)
        return len(infos) < circuits

    GreedyBlocks(env, seed, cycle=30).learn(10**9, record)
    assert len(infos) == circuits
    return infos


def fewest(infos: list[dict[str, Any]]) -> int:
    return min(info["num_two_qubit_gates"] for info in infos if info["success"])


def test_molecules_grow_from_the_closed_shell_and_reach_the_floor() -> None:
    env = made("QAS-LiH-v0", bond_length=3.4, max_gates=80)
    infos = played(env, 0, 14)
    assert infos[0]["num_two_qubit_gates"] == 0
    assert infos[0]["energy"] == pytest.approx(env.problem.hamiltonian.basis_energies().min())
    assert sum(info["evaluations"] for info in infos) > 1000  # slopes alone are that many
    assert fewest(infos) == min(floor.two_qubit_gates for floor in known_floors(env.problem) if floor.error < 1.6e-3)


def test_growth_continues_without_the_blocks_that_the_environment_forbids() -> None:
    """The first growth has two equal blocks in a row, which an environment of blocks forbids."""
    env = made("QAS-LiH-v0", bond_length=2.5, actions="blocks")
    infos = played(env, 0, 5)
    assert infos[1]["num_two_qubit_gates"] == 5 and infos[1]["success"]
    assert fewest(infos) == 3  # the floor at 2.2 and 3.4 Å


@pytest.mark.parametrize("arguments", [{"actions": "blocks"}, {"gates": "ry_cz"}, {}])
def test_spin_chains_begin_with_their_pairs(arguments: dict[str, Any]) -> None:
    infos = played(made(num_qubits=4, max_gates=60, **arguments), 1, 8)
    assert infos[0]["num_two_qubit_gates"] == 6  # two layers of three pairs
    assert fewest(infos) <= 5


def test_blocks_of_chains_act_on_near_qubits() -> None:
    for reach in (1, 2):
        bench = GreedyBlocks(made(num_qubits=5, max_gates=80), 0, reach=reach)._bench_of_blocks
        assert {second - first for first, second in bench.ways} == {*range(1, reach + 1)}
    assert len(GreedyBlocks(made("QAS-LiH-v0", bond_length=3.4), 0, reach=1)._bench_of_blocks.ways) == 6
    with pytest.raises(ValueError, match="reach"):
        GreedyBlocks(made(num_qubits=3), reach=0)


def test_random_blocks_lead_away_from_where_all_slopes_vanish() -> None:
    hamiltonian = PauliSum({"XXX": -1.0})  # of the state 000, no rotation of one or two qubits changes the energy
    workshop = Workshop(BlockBench(hamiltonian), np.random.default_rng(0))
    flat = workshop.evaluated(BlockCircuit((), np.zeros(3)))
    assert workshop.grown(flat, quadruples=False) is None
    assert workshop.scattered(flat).energy == pytest.approx(-1.0, abs=1e-6)


def test_the_same_seed_finds_the_same() -> None:
    runs = [[info["energy"] for info in played(made(num_qubits=4, max_gates=60), 3, 6)] for _ in range(2)]
    assert runs[0] == runs[1]


def test_other_environments_are_refused() -> None:
    measured = made(num_qubits=3)
    measured.simulator.shots = 100
    with pytest.raises(ValueError, match="noise nor shots"):
        GreedyBlocks(measured)
    with pytest.raises(ValueError, match="blocks of CX or CZ"):
        GreedyBlocks(made(num_qubits=3, gates="ibm"))
    with pytest.raises(ValueError, match=r"blocks of CX or CZ with RY, but is \['cz', 'rz', 'sx'\]"):
        GreedyBlocks(made("QAS-LiH-v0", actions="blocks", gates="ibm"))
    with pytest.raises(ValueError, match="`initial` must have rotations about Y alone"):
        GreedyBlocks(made("QAS-LiH-v0", initial="basis_state"))
    with pytest.raises(ValueError, match="anneal_below"):
        GreedyBlocks(made(num_qubits=3), anneal_below=0.5)
    with pytest.raises(ValueError, match="width"):
        Effort(width=0)


def test_growth_inserts_what_lowers_the_energy() -> None:
    hamiltonian = made("QAS-H4-v0", bond_length=1.3).problem.hamiltonian
    workshop = Workshop(BlockBench(hamiltonian), np.random.default_rng(0))
    lowest = int(np.argmin(hamiltonian.basis_energies()))
    flat = BlockCircuit((), np.pi * np.array([lowest >> qubit & 1 for qubit in range(8)]))
    draft = workshop.evaluated(flat)
    first = workshop.grown(draft, quadruples=True)
    assert first is not None
    assert first.energy < draft.energy - 0.01
    assert 3 <= first.size <= 6  # a double excitation; blocks that act on basis states only are removed
    assert workshop.grown(draft, quadruples=False) is None  # Brillouin: no pair of qubits lowers the closed shell


def test_shortening_keeps_to_the_limit() -> None:
    problem = made(num_qubits=4).problem
    workshop = Workshop(BlockBench(problem.hamiltonian), np.random.default_rng(0))
    pairs = ((0, 1), (1, 2), (2, 3)) * 4
    rng = np.random.default_rng(5)
    long = workshop.optimized([BlockCircuit(pairs, rng.uniform(-3, 3, 28)) for _ in range(4)], 200)[0]
    limit = problem.ground_energy + 1e-3
    assert long.energy < limit
    short = workshop.shortened(long, limit)
    assert short.energy <= limit
    assert short.size < 9
    assert workshop.shortened(Draft(short.circuit, short.energy), short.energy - 1.0).size == short.size


def test_real_gates_become_blocks_of_the_same_state() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        circuit = Circuit(4)
        for _ in range(25):
            a, b = map(int, rng.choice(4, 2, replace=False))
            name = str(rng.choice(["ry", "cx", "cz", "swap", "h", "x", "z"]))
            circuit.append(name, [a, b] if name in ("cx", "cz", "swap") else [a], 0.4 if name == "ry" else None)
        blocks = BlockBench(PauliSum({"ZIII": 1.0})).circuit(as_blocks(circuit))
        assert Statevector(blocks.to_qiskit()).equiv(Statevector(circuit.to_qiskit()))
    with pytest.raises(ValueError, match="rz"):
        as_blocks(Circuit(1).rz(0.1, 0))


def test_adapt_circuits_get_shorter_by_annealing() -> None:
    problem = made("QAS-LiH-v0", bond_length=3.4).problem
    limit = problem.ground_energy + 1.6e-3
    pool = [real_exponential(label) for label in pauli_pool(4, (1, 2, 3, 4)) if label.count("Y") == 1]
    *_, last = (step for step in qubit_adapt(problem.hamiltonian, pool, 14))
    assert last.energy < limit
    effort = Effort(cycle=30)
    found = annealed_blocks(last.circuit, problem.hamiltonian, limit, cycles=3, effort=effort)
    energy = Statevector(found.circuit.to_qiskit()).expectation_value(problem.hamiltonian.to_qiskit()).real
    assert energy == pytest.approx(found.energy, abs=1e-9)
    assert energy <= limit
    assert found.circuit.num_two_qubit_gates <= 4 < last.circuit.num_two_qubit_gates
    with pytest.raises(ValueError, match="highest_energy"):
        annealed_blocks(Circuit(4), problem.hamiltonian, problem.ground_energy - 1.0)


def test_excitations_become_blocks_of_the_same_state() -> None:
    rng = np.random.default_rng(0)
    for _ in range(5):
        circuit, more = Circuit(6).x(0).x(2).x(3), 0
        for _ in range(8):
            a, b, c, d = map(int, rng.permutation(6)[:4])
            doubles = qubit_excitation([a, b], [c, d]), exchange([a, b, c, d], 1), exchange([a, b, c, d], -1)
            kind = int(rng.integers(4))
            chosen = doubles[kind] if kind < 3 else qubit_excitation([a], [b])
            chosen.append_to(circuit, float(rng.normal()))
            more += kind < 3
        blocks = BlockBench(PauliSum({"ZIIIII": 1.0})).circuit(as_blocks(circuit))
        assert {gate.name for gate in blocks} == {"ry", "cx"}
        assert blocks.num_two_qubit_gates == circuit.num_two_qubit_gates + more  # one each for a real CZ
        assert Statevector(blocks.to_qiskit()).equiv(Statevector(circuit.to_qiskit()))
    with pytest.raises(ValueError, match="sdg"):
        as_blocks(Circuit(2).sdg(1).cx(0, 1).s(1))  # without the gate on the control


@pytest.mark.parametrize("of_spins", [ceo_pool, qeb_pool])
def test_adapt_circuits_of_excitations_get_shorter_by_annealing(of_spins: Any) -> None:
    problem = made("QAS-H2-v0", num_qubits=4, bond_length=2.0).problem
    spins = spin_orbitals(4, problem.provenance["molecule"]["mapping"])
    limit = problem.ground_energy + 1.6e-3
    *_, last = qubit_adapt(problem.hamiltonian, of_spins(spins), 5, determinant(spins, 1, 1))
    assert last.energy < limit and last.circuit.num_two_qubit_gates >= 9
    found = post_process(last.circuit, problem.hamiltonian, limit, cycles=2, synthesise=False)
    energy = Statevector(found.circuit.to_qiskit()).expectation_value(problem.hamiltonian.to_qiskit()).real
    assert energy == pytest.approx(found.energy, abs=1e-9)
    assert energy <= limit
    assert found.circuit.num_two_qubit_gates <= 3


def test_strings_are_written_with_real_gates_if_asked() -> None:
    problem = made("QAS-LiH-v0", bond_length=3.4).problem
    pool = pauli_pool(4, (2, 4), "XY")
    paths = [[*qubit_adapt(problem.hamiltonian, pool, 3, real=real)] for real in (False, True)]
    for plain, real in zip(*paths, strict=True):
        assert plain.operators == real.operators
        assert Statevector(real.circuit.to_qiskit()).equiv(Statevector(plain.circuit.to_qiskit()))
        as_blocks(real.circuit)
    with pytest.raises(ValueError, match="only the gates"):
        as_blocks(paths[0][-1].circuit)


def test_post_processing_anneals_if_asked() -> None:
    ising = PauliSum({"ZZI": -1.0, "IZZ": -1.0, "XII": -0.5, "IXI": -0.5, "IIX": -0.5})
    rng = np.random.default_rng(1)
    long = Circuit(3)
    for _ in range(3):
        for qubit in range(3):
            long.ry(float(rng.normal()), qubit)
        long.cx(0, 1).cx(1, 2)
    long.params = ScanLBFGS(starts=10).minimize(StatevectorSimulator(), long, ising).params
    plain = post_process(long, ising, ising.ground_energy() + 1e-2, synthesise=False)
    found = post_process(long, ising, ising.ground_energy() + 1e-2, synthesise=False, cycles=1)
    assert found.circuit.num_two_qubit_gates <= plain.circuit.num_two_qubit_gates
    assert found.energy <= ising.ground_energy() + 1e-2
    assert found.evaluations > plain.evaluations
