"""Whatever a file of records holds: each record is verified or named in one line, and the true ones make the site."""

from __future__ import annotations

import copy
import dataclasses
import json
import lzma
import os
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from qas_experiments.benchmarking import judges as judges_module
from qas_experiments.benchmarking.judge import Judge
from qas_experiments.benchmarking.judge_process import answer_to
from qas_experiments.benchmarking.reading import LONGEST
from qas_experiments.benchmarking.records import FORMAT, Record, Records, write_lines
from qas_experiments.benchmarking.true_records import true_records
from qas_experiments.commands import report as report_module

Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def known(played: Path) -> list[Record]:
    return list(Records(played / "records.sqlite"))


def line_of(content: dict[str, Any]) -> bytes:
    """Return a line whose hash fits, as somebody who means harm would write it."""
    digest = dataclasses.replace(EMPTY, **content).hash if set(content) == FIELDS else "0" * 64
    return json.dumps({"hash": digest, "format": FORMAT, **content}).encode() + b"\n"


EMPTY = Record("", "", "", 0, "", {}, {}, "", "", {}, {})
FIELDS = {field.name for field in dataclasses.fields(Record)}


def put(value: Any, *path: Any) -> Change:
    """Return the change that puts a value into nested JSON."""

    def change(content: dict[str, Any]) -> None:
        for key in path[:-1]:
            content = content[key]
        content[path[-1]] = value

    return change


def drop(*path: Any) -> Change:
    """Return the change that leaves a field out."""

    def change(content: dict[str, Any]) -> None:
        for key in path[:-1]:
            content = content[key]
        del content[path[-1]]

    return change


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


BEST = ("circuits", "best")
ROTATION = "OPENQASM 3.0;\nqubit[4] q;\nrx({}) q[0];\n"
CHANGES: list[tuple[str, Change, str]] = [
    ("division by zero", put(ROTATION.format("1/0"), *BEST, "qasm"), "best: "),
    ("an angle of 400 digits", put(ROTATION.format("9" * 400), *BEST, "qasm"), "best: "),
    ("100,000 signs", put(ROTATION.format("-" * 100_000 + "1"), *BEST, "qasm"), "100038 characters are too many"),
    ("5,000 signs", put(ROTATION.format("-" * 5_000 + "1"), *BEST, "qasm"), "best: "),
    ("20,000 gate words", put("gate a " * 20_000, *BEST, "qasm"), "140000 characters are too many"),
    ("no statement", put("", *BEST, "qasm"), "best: OpenQASM"),
    (
        "30 qubits",
        put('OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[30] q;\nrx(1) q[29];\n', *BEST, "qasm"),
        "30 qubits instead of 4",
    ),
    ("no energy", drop(*BEST, "energy"), "`circuits.best.energy` must be given"),
    ("energy as text", put("-1.1", *BEST, "energy"), "`circuits.best.energy` must be a number, but is '-1.1'"),
    ("energy as truth", put(True, *BEST, "energy"), "`circuits.best.energy` must be a number, but is True"),
    ("energy not a number", put(float("nan"), *BEST, "energy"), "`circuits.best.energy` must be finite, but is nan"),
    ("energy infinite", put(float("inf"), *BEST, "energy_error"), "`circuits.best.energy_error` must be finite"),
    ("no OpenQASM", drop(*BEST, "qasm"), "`circuits.best.qasm` must be given"),
    ("OpenQASM as a list", put(["x"], *BEST, "qasm"), "`circuits.best.qasm` must be a text"),
    ("half a gate", put(0.5, *BEST, "gates"), "`circuits.best.gates` must be a nonnegative integer, but is 0.5"),
    ("no figures", drop("figures"), "`figures` must be given"),
    ("figures as a list", put([], "figures"), "`figures` must be an object"),
    ("firsts of nothing", put([None], "figures", "firsts"), "`figures.firsts[0]` must be a list of 3 numbers"),
    ("a first of one number", put([1], "figures", "first_solved"), "`figures.first_solved` must be a list of 2"),
    ("no settings", drop("settings"), "`settings` must be given"),
    ("settings as text", put("x", "settings"), "`settings` must be an object, but is 'x'"),
    ("no environment", drop("settings", "env"), "`settings.env` must be given"),
    ("an unknown environment", put("QAS-X-v0", "settings", "env", "id"), "settings: Unknown environment id"),
    ("a budget of 10**9 gates", put(10**9, "settings", "env", "max_gates"), "at most 100000"),
    ("a huge integer", put(10**400, "settings", "env", "max_gates"), "must be an integer of 64 bits at most"),
    ("a negative seed", put(-1, "seed"), "`seed` must be a nonnegative integer"),
    ("a seed as a list", put([0], "seed"), "`seed` must be a nonnegative integer"),
    ("another field", put(1, "more"), "`more` must be a field of records"),
    ("circuits as a list", put([1], "circuits"), "`circuits` must be an object"),
    ("a circuit as a number", put(3, *BEST), "`circuits.best` must be an object"),
    ("60 levels", put(nested(60), "settings", "env", "problem", "x"), "40 levels of JSON at most"),
    ("half a surrogate pair", put("\ud800", "agent"), "must be Unicode"),
    ("an agent without a policy", put({"name": "frozen", "run": 5}, "settings", "agent"), "cannot be verified"),
]


@pytest.mark.parametrize(("change", "reason"), [each[1:] for each in CHANGES], ids=[each[0] for each in CHANGES])
def test_hostile_records_are_named_and_the_others_are_kept(
    change: Change, reason: str, known: list[Record], tmp_path: Path, judge: Judge
) -> None:
    content = copy.deepcopy(dataclasses.asdict(known[0]))
    change(content)
    path = tmp_path / "records.jsonl"
    try:
        line = line_of(content)
    except UnicodeEncodeError:  # nothing has the hash of half a letter
        line = json.dumps({"hash": "0" * 64, "format": FORMAT, **content}).encode() + b"\n"
    write_lines([known[1]], path)
    path.write_bytes(line + path.read_bytes())
    found = true_records([path], judge)
    assert found.records == [known[1]]
    assert len(found.left_out) == 1 and reason in found.left_out[0], found.left_out
    assert found.left_out[0].startswith(f"{path}, line 1") and found.left_out[0].isprintable()
    assert len(found.left_out[0]) <= 400


LINES: list[tuple[str, bytes, str]] = [
    ("not JSON", b'{"hash": ', "must be JSON"),
    ("a list", b"[{}]", "must be a JSON object, but is a list"),
    ("deep JSON", b"{" + b'"a":{' * 100_000, "line 1: "),
    ("deep lists", b'{"a":' + b"[" * 100_000, "line 1: "),
    ("5,000 digits", b'{"seed": ' + b"9" * 5_000 + b"}", "line 1: "),
    ("not a number", b'{"seed": NaN}', "`seed` must be finite, but is nan"),
    ("1e999", b'{"seed": 1e999}', "`seed` must be finite, but is inf"),
    ("Latin-1", '{"agent": "é"}'.encode("latin-1"), "must be UTF-8"),
    ("UTF-16", '{"agent": "x"}'.encode("utf-16"), "must be UTF-8"),
    ("binary", bytes(range(11, 256)) * 40, "must be UTF-8"),
    ("no fields", b"{}", "`format` must be 1, but is None"),
    ("a format to come", b'{"format": 2}', "`format` must be 1, but is 2"),
    ("too long", b'{"a": "' + b"x" * LONGEST + b'"}', "must have 4,000,000 bytes at most"),
    ("no Hamiltonian", b'{"instance_hash": "x", "hamiltonian": {"QQ": 1.0}}', "letters I, X, Y, Z"),
    ("a Hamiltonian of texts", b'{"instance_hash": "x", "hamiltonian": {"ZZ": "1"}}', "numbers as coefficients"),
    ("an empty Hamiltonian", b'{"instance_hash": "x", "hamiltonian": {}}', "1 to 20,000 Pauli strings"),
]


@pytest.mark.parametrize(("line", "reason"), [each[1:] for each in LINES], ids=[each[0] for each in LINES])
def test_lines_that_are_no_records_are_named(
    line: bytes, reason: str, known: list[Record], tmp_path: Path, judge: Judge
) -> None:
    path = tmp_path / "records.jsonl"
    write_lines([known[1]], path)
    path.write_bytes(line + b"\n\n  \r\n" + path.read_bytes().replace(b"\n", b"\r\n"))
    found = true_records([path], judge)
    assert found.records == [known[1]], "blank lines and line ends of Windows are none"
    assert len(found.left_out) == 1 and reason in found.left_out[0], found.left_out


def test_damaged_compressed_files_give_one_line(known: list[Record], tmp_path: Path, judge: Judge) -> None:
    path = tmp_path / "records.jsonl.xz"
    write_lines([dataclasses.replace(known[0], seed=seed) for seed in range(40)], path)
    whole = path.read_bytes()
    middle = len(whole) // 2
    flipped = whole[:middle] + bytes([whole[middle] ^ 255]) + whole[middle + 1 :]
    for damaged in (whole[:6], whole[:middle], whole[:-1], flipped, whole[:6] + bytes(range(256)) * 9):
        path.write_bytes(damaged)
        entries, _ = Records(path).read()
        *good, last = entries
        assert last.record is None and "nor can the rest of the compressed file" in last.fault, last
        assert [entry.record.seed for entry in good if entry.record] == list(range(len(good)))
        assert last.place == f"line {len(good) + 1}" and last.fault.isprintable() and len(last.fault) < 300


def test_a_small_file_does_not_expand_without_end(tmp_path: Path, judge: Judge) -> None:
    path = tmp_path / "records.jsonl.xz"
    path.write_bytes(lzma.compress(b" \n" * 5_000_000))
    found = true_records([path], judge)
    assert found.records == [] and len(found.left_out) == 1
    assert "expands to more than 300 times the size of the file" in found.left_out[0]


def test_a_byte_order_mark_is_skipped(known: list[Record], tmp_path: Path, judge: Judge) -> None:
    path = tmp_path / "records.jsonl"
    write_lines(known, path)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    found = true_records([path], judge)
    assert found.records == known and found.left_out == []


def test_damaged_databases(known: list[Record], tmp_path: Path, judge: Judge) -> None:
    """Values of other kinds and a damaged page: the rows before are read."""
    records = Records(tmp_path / "r.sqlite")
    for seed in range(16):
        records.add(dataclasses.replace(known[1], seed=seed))
    with sqlite3.connect(records.path) as database:
        for seed, (column, value) in enumerate(
            [("content", 5), ("content", b"\xff\xfe"), ("hash", b"\xff"), ("format", "x"), ("content", "[]")]
        ):
            database.execute(f"UPDATE records SET {column} = ? WHERE seed = ?", (value, seed))
    database.close()
    found = true_records([records.path], judge)
    assert [record.seed for record in found.records] == [*range(5, 16)]
    assert len(found.left_out) == 5 and all("row" in line for line in found.left_out)
    content = bytearray(records.path.read_bytes())
    content[-8192:] = b"\xa5" * 8192  # pages of the last rows
    records.path.write_bytes(content)
    found = true_records([records.path], judge)
    assert 0 < len(found.records) < 11 and len(found.left_out) > 5


def test_times_that_are_none_are_refused() -> None:
    for seconds in (0.0, -1.0, float("nan"), 1e9):
        with pytest.raises(ValueError, match="`seconds` must lie between 0 and 86400"):
            Judge(seconds)


def test_files_of_another_kind_are_named(known: list[Record], tmp_path: Path, judge: Judge) -> None:
    (tmp_path / "words").write_text("no records here\n" * 50)
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "half.sqlite").write_bytes(b"SQLite format 3\x00" + b"\x01" * 5000)
    write_lines(known, tmp_path / "good.jsonl")
    found = true_records([tmp_path / name for name in ("words", "empty", "half.sqlite", "good.jsonl")], judge)
    assert found.records == known
    assert [line.split(":")[0] for line in found.left_out] == [str(tmp_path / "words"), str(tmp_path / "half.sqlite")]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_record_that_hangs_or_crashes_ends_its_process_alone(
    known: list[Record], tmp_path: Path, judge: Judge
) -> None:
    """The policy of its agent lies in a pipe that nobody writes to: opening it never returns."""
    os.mkfifo(tmp_path / "config.yaml")
    hangs = {**known[0].settings, "agent": {"name": "frozen", "run": str(tmp_path)}}
    judge.faults(known[0])  # the process is there
    seconds, judge.seconds = judge.seconds, 0.5
    began = time.monotonic()
    told = judge.faults(dataclasses.replace(known[0], settings=hangs))
    judge.seconds = seconds
    assert told == ["takes longer than 0.5 s"] and time.monotonic() - began < 10.0
    assert judge.faults(known[0]) == [], "the next record has another process"
    assert judge._process is not None
    judge._process.kill()  # as the system does where memory is short
    assert judge.faults(known[0])[0].startswith("ended the process that verified it (status")


@pytest.mark.slow
def test_a_system_that_is_too_large_is_named_in_time(known: list[Record], judge: Judge) -> None:
    env = {**known[0].settings["env"], "id": "QAS-Heisenberg-v0", "problem": {"num_qubits": 20}}
    judge.faults(known[0])  # the process is there
    seconds, judge.seconds = judge.seconds, 5.0
    began = time.monotonic()
    told = judge.faults(dataclasses.replace(known[0], settings={**known[0].settings, "env": env}))
    judge.seconds = seconds
    assert len(told) == 1 and time.monotonic() - began < 15.0


def test_the_command_names_them_writes_the_site_and_ends_with_one(
    known: list[Record],
    tmp_path: Path,
    judge: Judge,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = []
    for seed, (_, change, _) in enumerate(CHANGES[:20]):
        content = copy.deepcopy(dataclasses.asdict(known[0])) | {"seed": seed + 1}
        change(content)
        lines.append(line_of(content))
    path = tmp_path / "records.jsonl"
    write_lines(known, path)
    path.write_bytes(b"".join(lines) + path.read_bytes())
    arguments = [
        "qas-report",
        str(path),
        "--out",
        str(tmp_path / "site"),
        "--floors",
        "-1",
        "--workers",
        "1",
        "--again",
    ]
    monkeypatch.setattr(sys, "argv", arguments)
    monkeypatch.setattr(judges_module, "Judge", lambda *_, **settings: judge)
    with pytest.raises(SystemExit) as ended:
        report_module.main()
    shown = capsys.readouterr().out.splitlines()
    assert ended.value.code == 1
    assert [line.startswith(f"left out: {path}, line {k}") for k, line in enumerate(shown[:-1], 1)] == [True] * 20
    assert shown[-1] == f"2 records in {tmp_path / 'site' / 'index.html'}"
    assert known[0].hash in (tmp_path / "site" / "index.html").read_text(encoding="utf-8")


# -- drawn -------------------------------------------------------------------------------------------------------------

SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["", "1/0", "gate a ", "/dev/zero", "../..", "\x00", 10**400, -1, 0, 2**63, 1e308, -0.0]),
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
OPENQASM = st.lists(
    st.sampled_from(
        ["OPENQASM 3.0;", "qubit[4] q;", "qubit[2] a;", "rx(", "ry(pi/2)", ") q[0];", "cx q[0], q[1];", "x q[9];",
         "gate h a {", "}", "-", "((", "1/0", "1e999", "//", "/*", "include", "\n", "measure", "π", "\x00"]
    ),
    max_size=30,
).map(" ".join)  # fmt: skip


def places_of(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the paths of all values in nested JSON."""
    inner: list[tuple[Any, Any]] = []
    if isinstance(value, dict):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    return [*([path] if path else []), *(place for key, each in inner for place in places_of(each, (*path, key)))]


@st.composite
def mutations(draw: st.DrawFn, content: dict[str, Any]) -> bytes:
    """Draw a line: a true record with one to three changes of values, fields or bytes, its hash mostly fitting."""
    content = copy.deepcopy(content)
    for _ in range(draw(st.integers(0, 3))):
        *parent, last = draw(st.sampled_from(places_of(content)))
        kind = draw(st.sampled_from(["value", "drop", "qasm", "add"]))
        if kind == "drop":
            drop(*parent, last)(content)
        elif kind == "add" and isinstance(last, str):
            put(draw(VALUES), *parent, draw(st.text(max_size=5)))(content)
        else:
            put(draw(OPENQASM if kind == "qasm" or last == "qasm" else VALUES), *parent, last)(content)
    try:
        line = line_of(content)
    except (UnicodeEncodeError, ValueError, TypeError):
        line = json.dumps({"hash": "0" * 64, "format": FORMAT, **content}).encode() + b"\n"
    if draw(st.integers(0, 4)) == 0:
        start = draw(st.integers(0, len(line)))
        line = line[:start] + draw(st.binary(max_size=8)) + line[start + draw(st.integers(0, 8)) :]
    return line.replace(b"\n", b" ") + b"\n"


def judged_in_this_process(line: bytes, path: Path) -> list[str]:
    """Return the faults of a line; nothing but one-line texts may come out, and within ten seconds."""
    began = time.monotonic()
    path.write_bytes(b"{}\n" + line)
    entries, _ = Records(path).read()
    told = [entry.fault for entry in entries if entry.record is None]
    for entry in entries:
        if entry.record is not None:
            assert entry.record.cell and entry.record.label and entry.record.hash
            task = {"record": dataclasses.asdict(entry.record), "hamiltonian": None}
            told += answer_to(json.loads(json.dumps(task)))["faults"]
    assert all(isinstance(each, str) for each in told) and time.monotonic() - began < 10.0
    return told


def fuzzed(known: list[Record], path: Path, examples: int) -> None:
    contents = [json.loads(json.dumps(dataclasses.asdict(record))) for record in known]

    @settings(max_examples=examples, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(st.sampled_from(contents).flatmap(mutations))
    def run(line: bytes) -> None:
        judged_in_this_process(line, path)

    run()


def test_drawn_records_are_verified_or_named(known: list[Record], tmp_path: Path) -> None:
    fuzzed(known, tmp_path / "r.jsonl", 40)


@pytest.mark.slow
def test_many_drawn_records_are_verified_or_named(known: list[Record], tmp_path: Path) -> None:
    fuzzed(known, tmp_path / "r.jsonl", 3_000)
