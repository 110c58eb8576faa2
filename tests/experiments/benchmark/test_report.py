"""``qas-report``: only what is true is shown, and the page does what it says, in a browser."""

from __future__ import annotations

import dataclasses
import json
import lzma
import shutil
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import pytest
from omegaconf import OmegaConf

from qas_experiments.benchmarking.cells import merge
from qas_experiments.benchmarking.judge import Judge
from qas_experiments.benchmarking.published import dominating, published
from qas_experiments.benchmarking.records import Record, Records, write_lines
from qas_experiments.benchmarking.shorter import shorter_counts
from qas_experiments.benchmarking.site.pages import report
from tests.experiments.conftest import conf, of_another_machine


@pytest.fixture(scope="module")
def records(played: Path) -> list[Record]:
    """Two true records."""
    return list(Records(played / "records.sqlite"))


@pytest.fixture(scope="module")
def site(played: Path, tmp_path_factory: pytest.TempPathFactory, judge: Judge) -> Path:
    folder = tmp_path_factory.mktemp("site")
    assert report([played / "records.sqlite"], folder, "A <title>", floors=1, judge=judge) == (2, [])
    return folder


def suite_instances(suite: str) -> list[str]:
    with as_file(files("qas_experiments.conf.suite") / f"{suite}.yaml") as path:
        return [str(name) for name in OmegaConf.load(path).get("instances", {})]


def data_of(site: Path) -> dict[str, Any]:
    text = (site / "index.html").read_text(encoding="utf-8")
    found: dict[str, Any] = json.loads(
        text.split('<script id="data" type="application/json">')[1].split("</script>")[0].replace("<\\/", "</")
    )
    return found


def test_the_page_holds_every_record_and_what_it_stands_beside(site: Path, played: Path) -> None:
    data = data_of(site)
    known = {record.hash: record for record in Records(played / "records.sqlite")}
    assert {row["hash"] for row in data["records"]} == {*known}
    for row in data["records"]:
        assert row["error"] == known[row["hash"]].circuits["best"]["energy_error"]
        content = (site / "circuits" / f"{row['hash']}.js").read_text(encoding="utf-8")
        assert "OPENQASM 3" in content and "q0: " in content and "qas-benchmark " in content
        best = shorter_counts(known[row["hash"]])["best"]
        for name, counts in best.items():
            assert row[name] == counts["two_qubit_gates"] and f'"{name}": {json.dumps(counts)}' in content
    tfim = data["references"]["TFIM-3"]
    assert tfim["product"] == pytest.approx(0.3317, abs=1e-3)
    for floors in (tfim["floors"], tfim["block_floors"]):
        assert floors[0] == [0, pytest.approx(0.3317, abs=1e-3)] and len(floors) == 4 and floors[3][1] < 1e-8
    assert tfim["adapt"][-1][0] == 6 and tfim["adapt"][-1][1] < 1e-9
    assert "A &lt;title&gt;" in (site / "index.html").read_text(encoding="utf-8")
    assert "http" not in (site / "index.html").read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")


def test_what_is_not_true_is_left_out_and_named(played: Path, tmp_path: Path, judge: Judge) -> None:
    known = list(Records(played / "records.sqlite"))
    best = {**known[0].circuits["best"], "energy": known[0].circuits["best"]["energy"] - 0.1}
    liar = dataclasses.replace(known[0], agent="liar", circuits={**known[0].circuits, "best": best})
    records = Records(tmp_path / "r.sqlite")
    records.add(known[1])
    records.add(liar)
    shown, left_out = report([records.path], tmp_path / "site", "Title", floors=-1, judge=judge)
    assert shown == 1 and len(left_out) == 1
    assert left_out[0].startswith(f"{records.path}, row 2 of records, quick, H2-4, liar, seed 0: best: energy")
    assert {row["agent"] for row in data_of(tmp_path / "site")["records"]} == {"annealing"}


def test_contradictory_and_missing_files_are_named(played: Path, tmp_path: Path, judge: Judge) -> None:
    """The first of two records of a cell is kept; times, folders and machines make no difference, figures do."""
    known = list(Records(played / "records.sqlite"))
    elsewhere = of_another_machine(known[0])
    assert elsewhere.hash != known[0].hash and elsewhere.cell == known[0].cell
    otherwise = dataclasses.replace(known[1], figures={**known[1].figures, "steps": known[1].figures["steps"] + 1})
    write_lines([elsewhere, otherwise], tmp_path / "other.jsonl")
    paths = [played / "records.sqlite", tmp_path / "other.jsonl"]
    shown, left_out = report(paths, tmp_path / "site", "Title", floors=-1, judge=judge)
    assert shown == 2 and {row["hash"] for row in data_of(tmp_path / "site")["records"]} == {one.hash for one in known}
    steps = known[1].figures["steps"]
    assert len(left_out) == 1 and left_out[0].endswith(
        f"line 2, {known[1].label}: another record of this cell differs: figures.steps is {steps} and {steps + 1}"
    )
    with pytest.raises(ValueError, match="`records` must name files of records"):
        report([tmp_path / "nowhere"], tmp_path / "none", "Title", judge=judge)
    assert not (tmp_path / "none").exists()


def test_every_published_figure_has_its_source() -> None:
    rows = published()
    assert len(rows) > 30 and all(row.source and row.error > 0 for row in rows)
    suites = {name for suite in conf("suite") for name in suite_instances(suite)}
    assert {row.instance for row in rows} <= suites
    assert all(row.instance in suite_instances(row.suite) for row in rows if row.suite)
    assert all(row.is_partial == ("not counted" in row.caveat) for row in rows)
    assert len({(row.instance, row.method) for row in rows}) == len(rows)


@pytest.mark.parametrize(
    ("cnot", "error", "expected"),
    [(5, 1e-3, [(3, 1e-3), (4, 1e-4)]), (3, 1e-3, []), (4, 1e-4, []), (4, 1.0001e-4, []), (3, 1.1e-3, [(3, 1e-3)])],
)
def test_what_dominates(cnot: int, error: float, expected: list[tuple[int, float]]) -> None:
    assert dominating(cnot, error, [(3, 1e-3), (4, 1e-4), (9, 1e-9)]) == expected


def test_odd_figures_are_left_out(records: list[Record], tmp_path: Path, judge: Judge) -> None:
    missing = {name: value for name, value in records[0].figures.items() if name != "firsts"}
    odd = [
        dataclasses.replace(records[0], seed=1, figures=missing),
        dataclasses.replace(records[0], seed=2, figures={**records[0].figures, "seconds": float("nan")}),
    ]
    stored = Records(tmp_path / "r.sqlite")
    for record in odd:
        stored.add(record)
    shown, left_out = report([stored.path], tmp_path / "site", "Title", floors=-1, judge=judge)
    assert shown == 0 and "`figures.firsts` must be given" in left_out[0] and "seconds` must be finite" in left_out[1]


def test_lines_never_replace_what_is_read(played: Path, tmp_path: Path, judge: Judge) -> None:
    path = shutil.copy(played / "records.sqlite", tmp_path / "r.sqlite")
    with pytest.raises(ValueError, match="differ from the files that are read"):
        report([path], tmp_path / "site", "Title", lines=tmp_path / "." / "r.sqlite", judge=judge)
    assert len(list(Records(path))) == 2
    for text in ('{"hash": "x", "format": 1}\n', '{"a": 1}\n[1, 2]\n'):
        (tmp_path / "odd.jsonl").write_text(text)
        with pytest.raises(ValueError, match="must have a valid line"):
            list(Records(tmp_path / "odd.jsonl"))
    strange = dataclasses.replace(next(iter(Records(path))), agent="a\u2028b")
    write_lines([strange], tmp_path / "strange.jsonl")
    assert list(Records(tmp_path / "strange.jsonl")) == [strange]


def test_records_as_lines_of_text(played: Path, tmp_path: Path, judge: Judge) -> None:
    lines = tmp_path / "records.jsonl"
    report([played / "records.sqlite"], tmp_path / "site", "Title", floors=-1, lines=lines, judge=judge)
    known = list(Records(played / "records.sqlite"))
    assert list(Records(tmp_path / "records.jsonl")) == known
    other = Records(tmp_path / "other.sqlite")
    assert merge(other, lines, judge) == (len(known), []) and list(other) == known
    assert other.read()[1] == Records(played / "records.sqlite").read()[1] != {}, "with the Hamiltonians"
    text = (tmp_path / "records.jsonl").read_text(encoding="utf-8")
    (tmp_path / "records.jsonl").write_text(text.replace('"seed": 0', '"seed": 1'), encoding="utf-8")
    with pytest.raises(ValueError, match="`hash` must match the content"):
        list(Records(tmp_path / "records.jsonl"))
    (tmp_path / "records.jsonl").write_text(text[:-20], encoding="utf-8")
    with pytest.raises(ValueError, match=f"must have a valid line {text.count(chr(10))} "):
        list(Records(tmp_path / "records.jsonl"))


def test_compressed_lines_are_the_same_records(played: Path, tmp_path: Path, judge: Judge) -> None:
    known, hamiltonians = list(Records(played / "records.sqlite")), Records(played / "records.sqlite").read()[1]
    write_lines(known, tmp_path / "plain.jsonl", hamiltonians)
    path = tmp_path / "records.jsonl.xz"
    report([tmp_path / "plain.jsonl"], tmp_path / "site", "Title", floors=-1, lines=path, judge=judge)
    assert lzma.decompress(path.read_bytes()) == (tmp_path / "plain.jsonl").read_bytes()
    other = Records(tmp_path / "other.sqlite")
    assert merge(other, path, judge) == (len(known), []) and list(other) == known
    assert Records(path).read()[1] == hamiltonians == other.read()[1]
