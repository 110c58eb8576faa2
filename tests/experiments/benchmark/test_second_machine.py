"""Records of another machine: other last digits are no other Hamiltonian and no other finding, anything more is."""

from __future__ import annotations

import dataclasses
import itertools
import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qas_envs.problems import Problem, h2, lih, tfim
from qas_experiments.benchmarking.cells import merge
from qas_experiments.benchmarking.comparison import allowed_difference, differences, hamiltonian_difference
from qas_experiments.benchmarking.judge import Judge
from qas_experiments.benchmarking.records import MOST_TERMS, Record, Records, write_lines
from qas_experiments.benchmarking.verification import faults_of
from qas_simulators import Circuit, PauliSum, StatevectorSimulator
from tests.experiments.conftest import of_another_machine

RESULTS = Path(__file__).parents[3] / "experiments" / "results" / "leaderboard"
LENGTH = 1.0  # of H2, in ångström; none that is shipped


def with_digits(problem: Problem, size: float) -> Problem:
    """Return a problem whose coefficients another machine computed: off by ``size`` or more, for another hash."""
    for seed in range(24):
        noise = np.random.default_rng(seed).uniform(-1.0, 1.0, len(problem.hamiltonian))
        changed = changed_by(problem, size * 1.3**seed * noise)
        if changed.digest != problem.digest:
            return changed
    raise AssertionError("no other hash")


def changed_by(problem: Problem, noise: Any) -> Problem:
    terms = problem.hamiltonian
    moved = PauliSum.from_masks(terms.num_qubits, terms.x, terms.z, terms.coefficients + noise)
    return dataclasses.replace(problem, hamiltonian=moved, ground_energy=moved.ground_energy())


def with_signs(problem: Problem, mask: int) -> Problem:
    """Return a problem with Z on some qubits: what other signs of orbitals do to a molecule."""
    terms = problem.hamiltonian
    signs = 1.0 - 2.0 * (np.bitwise_count(terms.x & mask) & 1)
    turned = PauliSum.from_masks(terms.num_qubits, terms.x, terms.z, terms.coefficients * signs)
    return dataclasses.replace(problem, hamiltonian=turned)


def record_on(record: Record, theirs: Problem, circuit: Circuit) -> Record:
    """Return the record that a machine with this Hamiltonian would write of a circuit for H2 at ``LENGTH``."""
    energy = StatevectorSimulator().expectation(circuit, theirs.hamiltonian)
    figures = {"energy": energy, "energy_error": energy - theirs.ground_energy, "depth": circuit.depth()}
    figures |= {"two_qubit_gates": circuit.num_two_qubit_gates, "gates": circuit.num_gates}
    best = {**record.circuits["best"], **figures, "qasm": circuit.to_qasm3()}
    env = {**record.settings["env"], "id": "QAS-H2-v0", "problem": {"bond_length": LENGTH}}
    return dataclasses.replace(
        record,
        instance=f"H2-4 {LENGTH} Å",
        instance_hash=theirs.digest,
        settings={**record.settings, "env": env},
        figures={**record.figures, "ground_energy": theirs.ground_energy},
        circuits={"best": best},
    )


HARTREE_FOCK = Circuit(4).rx(np.pi, 0).rx(np.pi, 1)
CORRELATED = Circuit(4).ry(np.pi, 0).ry(np.pi, 1).ry(0.4, 3).cx(3, 2).cx(3, 1).cx(3, 0)  # and the doubly excited


def test_a_computed_molecule_is_recognised_with_other_last_digits(record: Record) -> None:
    """Energies are those of PySCF: Hartree-Fock of the circuit, full configuration interaction of the ground state."""
    from pyscf import fci, gto, scf

    ours = h2(LENGTH)
    theirs = with_digits(ours, 1e-12)
    told = record_on(record, theirs, HARTREE_FOCK)
    mean_field = scf.RHF(gto.M(atom=f"H 0 0 0; H 0 0 {LENGTH}", basis="sto-3g", verbose=0)).run()
    assert told.circuits["best"]["energy"] == pytest.approx(mean_field.e_tot, abs=1e-9)
    assert told.figures["ground_energy"] == pytest.approx(fci.FCI(mean_field).kernel()[0], abs=1e-9)
    assert faults_of(told, theirs.hamiltonian) == []
    lie = {**told.circuits["best"], "energy": told.circuits["best"]["energy"] - 1e-6}
    assert "by Qiskit" in "; ".join(faults_of(dataclasses.replace(told, circuits={"best": lie}), theirs.hamiltonian))


def test_other_orbital_signs_are_the_same_molecule(record: Record) -> None:
    """The energy of a circuit differs between the two, but not that of the record's own Hamiltonian."""
    ours = h2(LENGTH)
    theirs = with_signs(with_digits(ours, 1e-12), 0b0001)  # the first spin orbital
    of_ours, of_theirs = (
        StatevectorSimulator().expectation(CORRELATED, problem.hamiltonian) for problem in (ours, theirs)
    )
    assert abs(of_ours - of_theirs) > 1e-3
    assert np.allclose(
        np.linalg.eigvalsh(ours.hamiltonian.to_matrix()), np.linalg.eigvalsh(theirs.hamiltonian.to_matrix())
    )
    noise = hamiltonian_difference(ours, with_digits(ours, 1e-12).hamiltonian)
    assert hamiltonian_difference(ours, theirs.hamiltonian) == noise < allowed_difference(ours)
    assert faults_of(record_on(record, theirs, CORRELATED), theirs.hamiltonian) == []


@pytest.mark.parametrize("mask", range(1, 16, 2))
def test_any_signs_of_orbitals_of_lih_are_found(mask: int) -> None:
    problem = lih(2.2)
    assert hamiltonian_difference(problem, with_signs(problem, mask).hamiltonian) == 0.0


def test_truly_different_hamiltonians_are_refused(record: Record) -> None:
    ours = h2(LENGTH)
    one = np.zeros(len(ours.hamiltonian))
    one[3] = 1e-6
    for theirs, difference in ((changed_by(ours, one), "1e-06"), (changed_by(ours, 1e-3 + one), "0.001")):
        told = faults_of(record_on(record, theirs, HARTREE_FOCK), theirs.hamiltonian)
        assert len(told) == 1 and f"they differ by {difference} Ha, and rounding by" in told[0]
    longer = h2(1.1)
    assert "they differ by" in faults_of(record_on(record, longer, HARTREE_FOCK), longer.hamiltonian)[0]
    theirs = with_digits(ours, 1e-12)
    told = record_on(record, theirs, HARTREE_FOCK)
    assert "the file does not contain the record's" in faults_of(told)[0]
    assert "does not have the record's hash" in faults_of(told, ours.hamiltonian)[0]
    wider = PauliSum({"ZZZZZ": 1.0})
    assert hamiltonian_difference(ours, wider) == np.inf


def test_signs_are_no_freedom_of_other_problems() -> None:
    chain = tfim(4)
    turned = with_signs(chain, 0b0101)
    assert hamiltonian_difference(chain, turned.hamiltonian) == pytest.approx(2.0)


def test_the_tolerance_scales_with_the_operator() -> None:
    terms = {"ZZ": -1.0, "XI": -0.5}
    sizes = []
    for scale in (1e-18, 1.0, 1e18):
        hamiltonian = PauliSum({label: scale * value for label, value in terms.items()})
        problem = Problem("scaled", hamiltonian, hamiltonian.ground_energy(), scale, "J")
        sizes.append(allowed_difference(problem) / scale)
        assert hamiltonian_difference(problem, 1.001 * hamiltonian) > allowed_difference(problem)
        assert hamiltonian_difference(problem, (1 + 1e-12) * hamiltonian) < allowed_difference(problem)
    assert sizes == pytest.approx([3e-9] * 3, rel=1e-3)


def test_a_file_carries_its_hamiltonians_once(record: Record, tmp_path: Path, judge: Judge) -> None:
    """A merge takes them along; the file of lines has them too."""
    theirs = with_digits(h2(LENGTH), 1e-12)
    told = record_on(record, theirs, HARTREE_FOCK)
    terms = theirs.hamiltonian.terms()
    other, mine = Records(tmp_path / "other.sqlite"), Records(tmp_path / "mine.sqlite")
    for seed in range(3):
        other.add(dataclasses.replace(told, seed=seed), terms)
    assert other.read()[1] == {theirs.digest: terms}
    assert merge(mine, other.path, judge) == (3, []) and mine.read()[1] == {theirs.digest: terms}
    write_lines(mine, tmp_path / "lines.jsonl", mine.read()[1])
    assert len((tmp_path / "lines.jsonl").read_text().splitlines()) == 4
    assert Records(tmp_path / "lines.jsonl").read()[1] == {theirs.digest: terms}
    many = {"".join(letters): 1.0 for letters in itertools.islice(itertools.product("XYZ", repeat=10), MOST_TERMS + 1)}
    other.add(dataclasses.replace(told, seed=9, instance_hash="0" * 64), many)
    assert [*other.read()[1]] == [theirs.digest], "one with too many terms is left out"


def test_what_another_machine_finds_in_the_same_cell(record: Record) -> None:
    """Times, folders, versions and rounded digits agree; gates, counts and energies beyond rounding do not."""
    elsewhere = of_another_machine(record)
    assert differences(record, elsewhere) == []
    for path, value, told in (
        (("figures", "evaluations"), 7, "figures.evaluations is "),
        (("circuits", "best", "energy"), record.circuits["best"]["energy"] + 1e-6, "circuits.best.energy is "),
        (("circuits", "best", "qasm"), record.circuits["best"]["qasm"] + "x q[0];\n", "circuits.best.qasm is "),
        (("figures", "first_solved"), None, "figures.first_solved is "),
    ):
        content = json.loads(json.dumps(dataclasses.asdict(elsewhere)))
        inner = content
        for key in path[:-1]:
            inner = inner[key]
        inner[path[-1]] = value
        found = differences(record, Record.of(content))
        assert len(found) == 1 and found[0].startswith(told)


def test_versions_of_what_computed_the_molecule_are_recorded(played: Path) -> None:
    records = {record.instance: record for record in Records(played / "records.sqlite")}
    versions = records["H2-4"].versions
    assert {name: versions[name] for name in ("pyscf", "openfermion")} == h2().provenance["tool_versions"]
    assert "pyscf" not in records["TFIM-3"].versions


def test_committed_records_of_families_have_the_shipped_instances() -> None:
    """Hash and exact energy of the file, which another machine wrote, are those of the shipped one."""
    told = {}
    for record in Records(RESULTS / "families.jsonl.xz"):
        told[record.instance] = (record.instance_hash, record.figures["ground_energy"])
    for length in (1.4, 1.8, 2.4, 2.8, 3.6):
        problem = lih(length)
        assert told[f"LiH-4 {length} Å"] == (problem.digest, problem.ground_energy)


_ELSEWHERE = """
import json, sys
from qas_envs.problems import instances
from qas_envs.problems.molecules import instance_record
print(json.dumps(instance_record(instances.lih(3.6, 4))["terms"]))
"""


@pytest.mark.slow
@pytest.mark.skipif(platform.machine() != "x86_64", reason="OpenBLAS has one kernel")
def test_another_blas_is_another_machine() -> None:
    """OpenBLAS' kernels of 2004 and of 2013 give other last digits; both are recognised as the shipped instance."""
    for kernel in ("Prescott", "Haswell"):
        environment = {**os.environ, "OPENBLAS_CORETYPE": kernel}
        ran = subprocess.run([sys.executable, "-c", _ELSEWHERE], env=environment, capture_output=True, check=True)
        difference = hamiltonian_difference(lih(3.6), PauliSum(json.loads(ran.stdout)))
        assert difference < allowed_difference(lih(3.6))
