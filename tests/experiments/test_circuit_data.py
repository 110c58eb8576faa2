"""The data set of circuits: the sample is what other programs read and compute, and parts join to one table."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qas_experiments.circuit_data import CircuitTable, generation, load_circuits, verification
from qas_experiments.circuit_data.table import COLUMNS, SAMPLE
from qas_simulators import PauliTransferSimulator


@pytest.fixture(scope="module")
def table() -> CircuitTable:
    return load_circuits()


def test_the_sample_is_small_and_has_every_instance(table: CircuitTable) -> None:
    path = Path(generation.__file__).with_name(SAMPLE)
    assert path.stat().st_size <= 300_000
    assert 1000 <= len(table) <= 2000
    assert {one.name for one in table.instances} == {source.name for source in generation.SOURCES}
    assert all(len(table.where(one.name)) >= 60 and table.where(one.name, solved=True) for one in table.instances)


def test_an_independent_parser_reads_every_circuit_of_the_sample(table: CircuitTable) -> None:
    pytest.importorskip("qiskit")
    assert verification.accepted(table, range(len(table))) == len(table)
    pytest.importorskip("qiskit_qasm3_import")
    rows = verification.drawn(table, 20)
    assert verification.accepted(table, rows, 3) == 20


def test_a_program_that_the_parser_reads_otherwise_is_reported(
    table: CircuitTable, monkeypatch: pytest.MonkeyPatch
) -> None:
    qiskit = pytest.importorskip("qiskit")
    monkeypatch.setattr(verification, "_parser", lambda version: lambda text: qiskit.QuantumCircuit(4))
    with pytest.raises(ValueError, match="row 7: the parser of OpenQASM 2 reads other gates"):
        verification.accepted(table, [7])


def test_energies_are_those_of_qiskit(table: CircuitTable) -> None:
    pytest.importorskip("qiskit")
    rows = verification.drawn(table, 100)
    assert len({table.instance(row).name for row in rows}) == len(table.instances)
    assert verification.largest_difference(table, rows) < verification.MOST_DIFFERENCE
    columns = dict(table.columns)
    columns["energy"] = columns["energy"] + 1e-6
    assert verification.largest_difference(CircuitTable(table.instances, columns), rows[:1]) > 1e-7


def test_circuits_are_those_of_the_environment_and_its_other_simulator(table: CircuitTable) -> None:
    for source in (generation.SOURCES[2], generation.SOURCES[-1]):
        env = source.env()
        row = table.where(source.name)[3]
        played = env.player.play_many([table.skeleton(row)], [table.angles(row)], max_iterations=1)
        assert played.circuits[0].count_ops() == table.circuit(row).count_ops()
        energy = PauliTransferSimulator().expectation(table.circuit(row), env.problem.hamiltonian)
        assert energy == pytest.approx(table.columns["energy"][row], abs=1e-10)
        assert energy - env.problem.ground_energy == pytest.approx(table.columns["error"][row], abs=1e-10)


def test_skeletons_are_canonical_and_distinct(table: CircuitTable) -> None:
    keys = [(table.columns["instance"][row], table.skeleton(row)) for row in range(len(table))]
    assert len({*keys}) == len(keys)
    for row in range(0, len(table), 11):
        skeleton, pairs = table.skeleton(row), table.instance(row).pairs
        for before, after in pairwise(skeleton):
            assert before != after
            assert {*pairs[before]} & {*pairs[after]} or before < after  # exchanged, it would be smaller


@pytest.fixture(scope="module")
def parts() -> list[CircuitTable]:
    source = replace(generation.SOURCES[0], annealing=60, random=60)
    other = replace(generation.SOURCES[5], annealing=60, random=60)
    return [generation.part(each, search, 0) for each in (source, other) for search in generation.SEARCHES]


def test_parts_join_and_the_lowest_energy_is_kept(parts: list[CircuitTable]) -> None:
    joined = generation.merged(parts)
    energies: dict[tuple[str, tuple[int, ...]], list[float]] = {}
    visits = 0
    for part in parts:
        visits += int(part.columns["visits"].sum())
        for row in range(len(part)):
            key = part.instance(row).name, part.skeleton(row)
            energies.setdefault(key, []).append(float(part.columns["energy"][row]))
    assert len(joined) == len(energies) < sum(map(len, parts))
    for row in range(len(joined)):
        key = joined.instance(row).name, joined.skeleton(row)
        assert joined.columns["energy"][row] == min(energies[key])
    assert joined.columns["visits"].sum() == visits


def test_moves_lead_from_a_start_to_every_circuit(parts: list[CircuitTable]) -> None:
    joined = generation.merged(parts)
    seen = set()
    for row in range(len(joined)):
        moves = joined.moves(row)
        assert moves[0][0] == "start" and moves[-1][1] == row
        for (_, parent), (move, child) in pairwise(moves):
            seen.add(move)
            before, after = joined.skeleton(parent), joined.skeleton(child)
            # equal blocks that become neighbours are one block: a deletion can remove more than one
            if move in ("delete", "shorten"):
                assert len(after) < len(before) and not {*after} - {*before}
            elif move == "insert":
                assert len(after) <= len(before) + 1 and len({*after} - {*before}) <= 1
            elif move == "move":
                assert {*after} <= {*before}
            else:
                assert move == "replace" and len({*after} - {*before}) <= 1
    assert {"insert", "replace", "move"} <= seen


def test_files_give_the_same_table_and_the_same_bytes(parts: list[CircuitTable], tmp_path: Path) -> None:
    first, second = (parts[1].save(tmp_path / name) for name in ("a.npz", "b.npz"))
    assert first.read_bytes() == second.read_bytes()
    again = load_circuits(first)
    assert again.instances == parts[1].instances
    assert all(np.array_equal(again.columns[name], column) for name, column in parts[1].columns.items())


def test_parts_are_written_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = replace(generation.SOURCES[0], annealing=10, random=10, seeds=1)
    monkeypatch.setattr(generation, "SOURCES", (source,))
    paths = [path for *_, path in generation.parts(tmp_path)]
    assert [generation.generate_part(*each) for each in generation.parts(tmp_path)] == [True, True]
    paths[0].unlink()
    assert [generation.generate_part(*each) for each in generation.parts(tmp_path)] == [True, False]
    assert len(generation.joined(tmp_path)) > 5


def test_rows_can_be_taken(table: CircuitTable) -> None:
    rows = [5, 900, 20]
    taken = table.take(rows)
    assert [taken.skeleton(k) for k in range(3)] == [table.skeleton(row) for row in rows]
    assert all(np.array_equal(taken.angles(k), table.angles(row)) for k, row in enumerate(rows))
    assert len(table.take([])) == 0
    with pytest.raises(ValueError, match="must be one of H2-4, LiH-4"):
        table.where("LiH-5")


@pytest.mark.parametrize("damage", ["short", "text", "dtype", "missing", "block", "angles", "parent", "nan", "ends"])
def test_damaged_files_are_refused(parts: list[CircuitTable], tmp_path: Path, damage: str) -> None:
    path = parts[0].save(tmp_path / "circuits.npz")
    content = path.read_bytes()
    if damage in ("short", "text"):
        path.write_bytes(content[: len(content) // 2] if damage == "short" else b"circuits")
    else:
        with np.load(path) as file:
            columns: dict[str, Any] = {name: file[name].copy() for name in file.files}
        if damage == "dtype":
            columns["energy"] = columns["energy"].astype(np.float32)
        elif damage == "missing":
            del columns["move"]
        elif damage == "block":
            columns["skeleton"][0] = 200
        elif damage == "angles":
            columns["angles_ends"][0] += 1
        elif damage == "parent":
            columns["parent"][0] = len(columns["parent"])
        elif damage == "nan":
            columns["angles"][0] = np.nan
        else:
            columns["skeleton_ends"][-1] += 1
        np.savez_compressed(path, **columns)
    with pytest.raises(ValueError, match="must name a file of circuits"):
        load_circuits(path)


def test_every_column_has_a_meaning() -> None:
    assert all(column.meaning and np.dtype(column.dtype) for column in COLUMNS.values())
