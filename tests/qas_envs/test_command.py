"""``qas-envs``: what it lists, shows and checks."""

from __future__ import annotations

import subprocess
import sys
from io import StringIO
from itertools import pairwise
from typing import Any

import pytest
from rich.console import Console

from qas_envs import ENVIRONMENTS, command
from qas_envs.command import arguments_of, check, fewest, list_all, show
from qas_envs.problems import h2, known_floors, lih, random_state, tfim
from qas_simulators import Circuit, StatevectorSimulator


def printed(function: Any, *arguments: Any) -> str:
    buffer = StringIO()
    function(*arguments, Console(width=200, file=buffer))
    return buffer.getvalue()


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "qas_envs", *arguments], capture_output=True, text=True, check=False, timeout=120
    )


@pytest.mark.parametrize("unit", ["gates", "blocks"])
@pytest.mark.parametrize("problem", [h2(), lih(), lih(bond_length=1.2), tfim(num_qubits=4)], ids=lambda p: p.name)
def test_known_floors_are_true(problem: Any, unit: str) -> None:
    """Each has a circuit of that many gates with that error, and more gates do no worse."""
    floors = known_floors(problem, unit)
    assert [floor.two_qubit_gates for floor in floors] == list(range(len(floors)))
    for floor in floors:
        circuit = Circuit.from_qasm3(floor.qasm)
        error = StatevectorSimulator().expectation(circuit, problem.hamiltonian) - problem.ground_energy
        assert circuit.num_two_qubit_gates == floor.two_qubit_gates
        assert error == pytest.approx(floor.error, abs=1e-9)
    errors = [floor.error for floor in floors]
    assert all(after < before + 1e-8 for before, after in pairwise(errors)) and errors[-1] < problem.accuracy


def test_floors_belong_to_one_hamiltonian() -> None:
    assert known_floors(tfim(num_qubits=4, field=0.9)) == []
    assert lih(bond_length=2.2).digest != lih(bond_length=3.4).digest == lih(bond_length=3.4).digest


def test_fewest() -> None:
    assert [fewest(problem) for problem in (lih(), h2(), random_state())] == ["3", "3", "?"]


def test_every_environment_is_listed() -> None:
    text = printed(list_all)
    for name in ENVIRONMENTS:
        assert name in text
    assert "-7.789089" in text and "TFIM (n=4, h=1)" in text


def test_an_environment_in_detail() -> None:
    text = printed(show, "QAS-LiH-v0", {"bond_length": 2.2})
    assert 'gym.make("QAS-LiH-v0", bond_length=2.2)' in text and "-7.844879093 Ha" in text
    assert "unit: angstrom" in text and lih(bond_length=2.2).digest in text
    assert "floor, 3 CNOT" in text and "floor over blocks, 3 CNOT" in text
    assert "best product state error 3.688e-02" in " ".join(text.split())


def test_actions_that_are_blocks_are_named_so() -> None:
    """On four qubits in a line, a block of a CX with RY has three pairs."""
    text = printed(show, "QAS-TFIM-v0", {"actions": "blocks", "couplings": "line"})
    assert " 4, 3 blocks, at most " in text


def test_arguments() -> None:
    texts = ["bond_length=2.2", "gates=ry_cz", "couplings=[(0, 1)]"]
    assert arguments_of(texts) == {"bond_length": 2.2, "gates": "ry_cz", "couplings": [(0, 1)]}
    with pytest.raises(ValueError, match="of the form name=value"):
        arguments_of(["bond_length"])


def test_check_names_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "find_spec", lambda name: None if name == "pyscf" else object())
    text = printed(check)
    assert "energies as they should be" in text
    assert '[chemistry] pyscf missing: pip install "qas-envs[chemistry]"' in text
    assert "[agents] installed" in text


def test_check_notices_wrong_energies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(StatevectorSimulator, "expectation", lambda self, circuit, hamiltonian: 0.0)
    assert "WRONG" in printed(check)


def test_the_command() -> None:
    shown = run("show", "QAS-TFIM-v0", "num_qubits=3")
    assert shown.returncode == 0 and "TFIM (n=3, h=1)" in shown.stdout
    wrong = [run("show", "QAS-LiHH-v0"), run("show", "QAS-TFIM-v0", "num_qubits=0")]
    assert [ended.returncode for ended in wrong] == [2, 2]
    assert "Did you mean 'QAS-LiH-v0'?" in wrong[0].stderr and len(wrong[1].stderr.splitlines()) == 1
