"""``qas-solve``: files in, verified circuits out."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from qiskit import qasm3
from qiskit.quantum_info import SparsePauliOp, Statevector

from qas_experiments.solving import _policy_for, difference_from_qiskit, problem_of, solve
from qas_simulators import Circuit, PauliSum
from tests.experiments.conftest import call

CHAIN = {"ZZI": -1.0, "IZZ": 0.7, "XII": -0.5, "IXI": -0.6, "IIX": -0.8}


def test_a_file_is_solved_for_a_device(tmp_path: Path) -> None:
    (tmp_path / "chain.json").write_text(json.dumps(CHAIN))
    options = ["--couplings", "line", "--gates", "ry,cz", "--evaluations", "3000", "--policy", "none"]
    ran = call("solve", "chain.json", *options, cwd=tmp_path)
    assert ran.returncode == 0, ran.stderr
    assert "Qiskit  the same energy" in ran.stdout
    circuit = qasm3.loads((tmp_path / "solved" / "circuit.qasm").read_text())
    assert {*circuit.count_ops()} <= {"ry", "cz"}
    pairs = {tuple(sorted(circuit.find_bit(q).index for q in gate.qubits)) for gate in circuit if gate.name == "cz"}
    assert pairs <= {(0, 1), (1, 2)}
    hamiltonian = SparsePauliOp.from_list([*CHAIN.items()])
    energy = Statevector(circuit).expectation_value(hamiltonian).real
    exact = np.linalg.eigvalsh(hamiltonian.to_matrix())[0]
    summary = json.loads((tmp_path / "solved" / "summary.json").read_text())
    assert abs(energy - exact) < 1e-3 and summary["energy"] == pytest.approx(energy, abs=1e-8)
    assert summary["solved"] and summary["evaluations"] >= summary["found_after_evaluations"]
    assert (tmp_path / "solved" / "circuit.png").stat().st_size > 1000


def test_every_format_is_the_same_problem(tmp_path: Path) -> None:
    matrix = PauliSum(CHAIN).to_matrix()
    np.save(tmp_path / "chain.npy", matrix)
    (tmp_path / "chain.json").write_text(json.dumps([*CHAIN.items()]))
    wanted = np.linalg.eigvalsh(matrix)[0]
    for name in ("chain.npy", "chain.json"):
        environment, arguments = problem_of(str(tmp_path / name))
        solved = solve(environment, arguments, policy="none", evaluations=300)
        assert solved.env.problem.ground_energy == pytest.approx(wanted)
        assert solved.found.energy >= wanted - 1e-9 and solved.checked < 1e-9


def test_what_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.json").write_text("{")
    for arguments, message in (
        (["missing.json"], "be an environment's id or a file"),
        (["QAS-LiH-v1"], "Did you mean 'QAS-LiH-v0'"),
        (["broken.json"], "be a file that can be read"),
        (["QAS-LiH-v0", "--set", "bond_length"], "be name=value"),
        (["QAS-LiH-v0", "--couplings", "0-x"], "be a name, or pairs"),
        (["QAS-TFIM-v0", "--policy", "nothing"], "`policy` must be the path of a policy file"),
    ):
        ran = call("solve", *arguments, cwd=tmp_path)
        assert ran.returncode == 2 and message in ran.stderr, ran.stderr
    with pytest.raises(ValueError, match="Qiskit finds the energy"):
        difference_from_qiskit(Circuit(1).ry(0.3, 0), 0.5, PauliSum({"Z": 1.0}))


@pytest.mark.parametrize(
    ("terms", "policy"),
    [
        ({"ZZ": 1.0, "IX": 0.5}, "ising_graphs"),
        ({"IXX": 1.0, "IYY": 1.0, "ZII": 0.5}, "xxz_chains"),
        ({"XYI": 1.0}, "ising_graphs"),
        ({"XXZ": 1.0, "IXX": 1.0, "IYY": 1.0}, ""),
        ({"ZI": 1.0}, ""),
    ],
)
def test_the_terms_choose_the_policy(terms: dict[str, float], policy: str) -> None:
    hamiltonian = PauliSum(terms)
    assert _policy_for("auto", hamiltonian) == policy
    assert _policy_for("none", hamiltonian) == "" and _policy_for("lih_lengths", hamiltonian) == "lih_lengths"
