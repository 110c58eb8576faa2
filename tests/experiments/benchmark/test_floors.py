"""``experiments/benchmarks/floors.py``: searches that are cut off continue, and the report shows what was searched."""

from __future__ import annotations

import json
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from qas_envs.problems import known_floors, lih, tfim
from qas_envs.problems.floors import UNITS

ROOT = Path(__file__).parents[3]


@pytest.fixture
def floors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The script, with other folders and small parts."""
    spec = spec_from_file_location("floors", ROOT / "experiments" / "benchmarks" / "floors.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, value in {"RUNS": tmp_path, "RESULTS": tmp_path, "DATA": tmp_path / "floors.json", "PART": 4}.items():
        monkeypatch.setattr(module, name, value)
    module.DATA.write_text("[]")
    return module


def without_seconds(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "seconds"}


@pytest.mark.parametrize("unit", ["gates", "blocks"])
def test_a_search_that_was_cut_off_continues(floors: ModuleType, unit: str) -> None:
    """Also inside a line; nothing that is finished is searched again, and the result is the same."""
    problem = tfim(num_qubits=4)
    whole = floors.search("TFIM-4", problem, 2, unit, 2)
    assert whole["skeletons"] == 15, "(27 + 3) / 2: the chain has a reflection"
    path = floors.part_file("TFIM-4", 2, unit, 2)
    lines = path.read_text().splitlines(keepends=True)
    assert [json.loads(line)["skeletons"] for line in lines] == [4, 4, 4, 3]
    path.write_text("".join(lines[:2]) + lines[2][:40])
    before = path.stat().st_mtime_ns
    assert without_seconds(floors.search("TFIM-4", problem, 2, unit, 2)) == without_seconds(whole)
    again = path.read_text().splitlines(keepends=True)
    assert again[:2] == lines[:2] and len(again) == 4 and path.stat().st_mtime_ns > before
    other = floors.search("TFIM-4", problem, 2, unit, 1)
    assert (other["starts"], other["skeletons"]) == (1, 15) and other["evaluations"] < whole["evaluations"]


def test_one_command_searches_gates_and_blocks(floors: ModuleType, tmp_path: Path) -> None:
    floors.main(["run", "TFIM-2", "GHZ-3"])
    floors.main(["run", "--blocks", "--starts", "3", "GHZ-3"])
    rows = floors.committed()
    found = [(row["instance"], row["unit"], row["two_qubit_gates"], row["starts"]) for row in rows]
    gates = [("GHZ-3", "gates", k, 4) for k in range(3)]
    blocks = [("GHZ-3", "blocks", k, 3) for k in range(3)]
    assert found == [*gates, *blocks, ("TFIM-2", "gates", 0, 4), ("TFIM-2", "gates", 1, 4)]
    assert rows[3]["block"] == ["cx", "ry"] and "block" not in rows[0]
    text = (tmp_path / "floors.md").read_text("utf-8")
    assert text.count("| GHZ-3 | 5.0e-01 | 5.0e-01 | **exact** |") == 2 and "no proof of a global minimum" in text
    floors.main(["run", "GHZ-3"])
    assert floors.committed() == rows, "nothing is searched twice"


def test_committed_floors_over_blocks_are_not_below_those_over_gates() -> None:
    """Blocks are gates; both find the lowest error to within what their random starts miss."""
    for problem in (tfim(num_qubits=4), lih(bond_length=2.2), lih(bond_length=2.2, num_qubits=6)):
        gates, blocks = ({one.two_qubit_gates: one for one in known_floors(problem, unit)} for unit in UNITS)
        both = sorted({*gates} & {*blocks})
        assert len(both) >= 5
        for k in both:
            assert gates[k].error <= blocks[k].error + 1e-6, (problem.name, k)
            assert blocks[k].starts >= 1 and blocks[k].skeletons >= 1 and blocks[k].evaluations > blocks[k].skeletons
    with pytest.raises(ValueError, match=r"Unknown unit of floors 'block'.*Did you mean 'blocks'"):
        known_floors(lih(), "block")
