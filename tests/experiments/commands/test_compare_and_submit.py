"""``qas-compare`` and ``qas-submit``: figures of runs beside each other, and records that ``qas-report`` accepts."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from qiskit.quantum_info import SparsePauliOp, Statevector

from qas_experiments.benchmarking.judge import Judge
from qas_experiments.benchmarking.records import Records
from qas_experiments.benchmarking.site.pages import report
from qas_experiments.commands.compare import differing
from qas_experiments.commands.submit import submit
from qas_experiments.runs.metrics import metrics_of
from qas_experiments.training.run import train
from qas_simulators import Circuit
from tests.experiments.conftest import call, compose

RANDOM = ["env=tfim", "env.problem.num_qubits=2", "agent=random", "training.progress=false"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    folder = tmp_path_factory.mktemp("compared")
    for seed, steps in ((0, 400), (1, 250)):  # the second one with baselines
        chosen = [f"training.seed={seed}", f"training.total_timesteps={steps}", f"run={folder / f'seed{seed}'}"]
        chosen.append(f"training.baselines={seed == 1}")
        train(compose(*RANDOM, *chosen))
    return folder / "seed0", folder / "seed1"


def test_two_runs_beside_each_other(runs: tuple[Path, Path], tmp_path: Path) -> None:
    result = call("compare", *map(str, runs), "--out", str(tmp_path / "both.png"), cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    lines = {line.split("  ")[1].strip(): line.split() for line in result.stdout.splitlines() if line.startswith("  ")}
    assert lines["training.seed"][-2:] == ["0", "1"]
    assert lines["training.total_timesteps"][-2:] == ["400", "250"]
    assert "training.evaluate_every" not in lines, "it does not differ"
    summaries = [json.loads((run / "summary.json").read_text())["rows"]["found in training"] for run in runs]
    assert lines["CNOT, as built"][-2:] == [str(row["two_qubit_gates"]) for row in summaries]
    assert lines["CNOT, by Qiskit, level 3"][-2:] == [str(row["transpiled_two_qubit_gates"]) for row in summaries]
    assert all(row["energy_error"] < 1e-9 for row in summaries)
    assert lines["error of the best circuit"][-2:] == ["exact", "exact"]
    rows = [list(metrics_of(run)) for run in runs]
    assert lines["evaluations of the training"][-2:] == [f"{some[-1]['evaluations']:,}" for some in rows]
    played = json.loads((runs[1] / "summary.json").read_text())["baselines"].values()
    spent = sum(account["evaluations"] for account in played)
    assert len(played) == 2 and lines["evaluations of its baselines, not counted above"][-2:] == ["-", f"{spent:,}"]
    common = min(some[-1]["evaluations"] for some in rows)
    errors = [min(row["energy_error"] for row in some if row["evaluations"] <= common) for some in rows]
    assert lines[f"{common:,}"][-2:] == ["exact" if error < 1e-9 else f"{error:.2e}" for error in errors]
    assert (tmp_path / "both.png").read_bytes().startswith(b"\x89PNG")


def test_what_cannot_be_compared_is_named(runs: tuple[Path, Path], tmp_path: Path) -> None:
    for wrong in ([runs[0]], [runs[0], runs[0]], [runs[0], tmp_path / "nowhere"]):
        result = call("compare", *map(str, wrong), cwd=tmp_path)
        assert result.returncode == 2 and result.stderr.startswith("error: Argument `run"), result.stderr
    assert differing([{"a": {"b": 1}}, {"a": {}}]) == {"a.b": [1, None], "a": [None, {}]}


def test_a_submission_is_verified_and_shown(runs: tuple[Path, Path], tmp_path: Path, judge: Judge) -> None:
    out = tmp_path / "mine.jsonl.xz"
    written = submit(runs, out, "submitted", None, "mine", judge)
    assert [*Records(out)] == written and [record.seed for record in written] == [0, 1]
    record = written[0]
    assert record.instance == "TFIM (n=2, h=1)" and record.settings["run"] is None
    state = Statevector(Circuit.from_qasm3(record.circuits["best"]["qasm"]).to_qiskit())
    terms = Records(out).read()[1][record.instance_hash]
    energy = state.expectation_value(SparsePauliOp.from_list([*terms.items()])).real
    assert record.circuits["best"]["energy"] == pytest.approx(energy, abs=1e-9)
    assert report([out], tmp_path / "site", "Title", floors=-1, judge=judge) == (2, [])
    with pytest.raises(ValueError, match="name a new file"):
        submit(runs, out, judge=judge)


def test_what_cannot_be_submitted_is_named(runs: tuple[Path, Path], tmp_path: Path, judge: Judge) -> None:
    out = tmp_path / "none.jsonl"
    with pytest.raises(ValueError, match="`runs` must differ in their settings or seeds"):
        submit([runs[0], shutil.copytree(runs[0], tmp_path / "copy")], out, judge=judge)
    unfinished = shutil.copytree(runs[0], tmp_path / "unfinished")
    (unfinished / "summary.json").unlink()
    with pytest.raises(ValueError, match="finished runs of a single training"):
        submit([unfinished], out, judge=judge)
    changed = shutil.copytree(runs[0], tmp_path / "changed")
    summary = json.loads((changed / "summary.json").read_text())
    summary["rows"]["found in training"]["energy"] -= 0.1
    (changed / "summary.json").write_text(json.dumps(summary))
    with pytest.raises(ValueError, match=r"hold valid circuits .*best: energy"):
        submit([changed], out, judge=judge)
    assert not out.exists()
