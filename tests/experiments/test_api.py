"""Experiments from Python: the same results as those of the commands, as objects that notebooks show."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import pytest
from rich.console import Console

from qas_envs.problems import tfim
from qas_envs.rewards import Sparse
from qas_experiments import Benchmark, Run, Table, benchmark, solve, train
from qas_experiments.api import _grammar
from qas_experiments.benchmarking.records import Records
from qas_experiments.runs.metrics import reproducible_metrics
from qas_experiments.training import bars
from qas_simulators import Circuit, PauliSum
from tests.experiments.conftest import command

SMALL: dict[str, Any] = {"problem": {"num_qubits": 2}, "total_timesteps": 60, "progress": False}


def test_the_command_and_the_function_make_the_same_run(tmp_path: Path) -> None:
    run = train("tfim", "random", **SMALL, rules={"max_gates": 5}, seed=3, run=tmp_path / "api")
    words = ["env=tfim", "agent=random", "env.problem.num_qubits=2", "env.max_gates=5", "training.seed=3", "run=cli"]
    limits = ["training.total_timesteps=60", "training.baselines=false", "training.progress=false"]
    assert command(*words, *limits, cwd=tmp_path).returncode == 0
    assert reproducible_metrics(run.path) == reproducible_metrics(tmp_path / "cli")
    assert run.settings.env.max_gates == 5 and run.settings.env.reward == {"name": "priced"}
    assert len(run.metrics) == run.summary["training"]["episodes"]
    table = run.table()
    assert table.column("error")[0] == run.energy_error and not run.is_interrupted
    assert run.energy_error is not None and run.energy_error < 1e-9 and "exact" in str(table)
    circuit = run.best_circuit
    assert circuit is not None and circuit.num_two_qubit_gates == table.column("CNOT")[0]
    assert "<svg" in run._repr_html_() and "found in training" in str(run)


def test_classes_and_continuing(tmp_path: Path) -> None:
    rules = {"reward": {"name": Sparse, "bonus": 2.0}}
    run = train("bell", "random", rules=rules, total_timesteps=30, progress=False, run=tmp_path / "a")
    assert run.settings.env.reward == {"name": "qas_envs.rewards:Sparse", "bonus": 2.0}
    longer = train(resume=run, total_timesteps=50, progress=False)
    assert longer.path == run.path and longer.summary["training"]["steps"] == 50
    with pytest.raises(ValueError, match="no other settings than limits"):
        train(resume=run, seed=1)
    with pytest.raises(ValueError, match="never overwritten"):
        train("bell", "random", run=tmp_path / "a", progress=False)
    with pytest.warns(UserWarning, match="nothing was learned"):
        train("bell", "dqn", total_timesteps=20, progress=False, run=tmp_path / "b")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"env": "lhi"}, "Did you mean 'lih'"),
        ({"agent": {"name": "dqn", "n_stp": 3}}, "Did you mean 'agent.n_step'"),
        ({"agent": {"n_step": 3}}, "have a name"),
        ({"rules": {"rewrd": "priced"}}, "Did you mean 'env.reward'"),
        ({"problem": {"feild": 1.0}}, "Did you mean 'field'"),
        ({"words": ["+training.sed=1"]}, "Did you mean 'training.seed'"),
        ({"rules": {"reward": lambda transition: 0.0}}, "classes and functions of a module"),
        ({"rules": {"reward": Sparse()}}, "classes or functions"),
        ({"experiment": "grl_tfim"}, "set neither rounds"),
    ],
)
def test_wrong_settings(given: dict[str, Any], told: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=re.escape(told)):
        train(**{"env": None if "experiment" in given else "tfim", **given}, run=tmp_path / "run", progress=False)
    assert not (tmp_path / "run").exists()


def test_values_as_words() -> None:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    values = [
        None,
        True,
        -3,
        1.5e-7,
        "a'b\\c, d",
        "\\'\\\\'e\\",
        [1, "x", None],
        {"name": "a:b", "deep": {"k": [0.1]}},
        Path("x y"),
    ]
    for value in values:
        parsed = OverridesParser.create().parse_override(f"key={_grammar(value)}").value()
        parsed = parsed if isinstance(parsed, list | dict) or parsed is None else getattr(parsed, "text", parsed)
        wanted = str(value) if isinstance(value, Path) else value
        assert json.loads(json.dumps(_plain(parsed))) == wanted


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_plain(one) for one in value]
    return getattr(value, "text", value)


@pytest.mark.parametrize(
    "problem", [{"ZZ": -1.0, "XI": -0.5, "IX": -0.5}, PauliSum({"ZZ": -1.0, "XI": -0.5, "IX": -0.5}), tfim(2, 0.5)]
)
def test_solve(problem: Any) -> None:
    found = solve(problem, evaluations=400, progress=False)
    exact = -((1.0 + 1.0) ** 0.5)  # of two spins, -sqrt(J^2 + (2h)^2) with J = 1, h = 1/2
    assert found.env.problem.ground_energy == pytest.approx(exact, abs=1e-12)
    assert found.is_solution and found.circuit.num_two_qubit_gates == 1 and abs(found.energy_error) < 1e-3
    assert "<svg" in found._repr_html_() and "two qubit gates" in str(found)


def test_benchmark(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    given: dict[str, Any] = {"instances": ["TFIM-3"], "seeds": [0], "max_evaluations": 800, "progress": False}
    result = benchmark("quick", "annealing_blocks", **given)
    assert isinstance(result, Benchmark) and len(result) == 1 and not result.is_interrupted
    (record,) = Records(Path("runs/benchmark/records.sqlite"))
    assert result.records == [record] and record.agent == "annealing_blocks"
    assert "suite=quick" in record.command and "agent=annealing_blocks" in record.command
    best = record.circuits["best"]
    assert result.table().rows[0][:6:5] == ("TFIM-3", best["two_qubit_gates"])
    assert "quick: TFIM-3" in str(result) and result._repr_html_().count("<table>") == len(result.tables())
    with pytest.raises(ValueError, match="Unknown instance"):
        benchmark("quick", "random", **{**given, "instances": ["TFIM-33"]})


def test_tables() -> None:
    table = Table("a & b", ("name", "x"), [("<i>", 12345), ("none", None), ("small", 1e-5), ("yes", True)])
    assert str(table).splitlines() == [
        "a & b",
        "name           x",
        "<i>       12,345",
        "none           -",
        "small  1.000e-05",
        "yes          yes",
    ]
    root = ElementTree.fromstring(table._repr_html_())
    assert root[0].text == "a & b" and [cell.text for cell in root.iter("td")] == ["12,345", "-", "1.000e-05", "yes"]
    frame = pytest.importorskip("pandas") and table.to_pandas()
    assert frame.loc["<i>", "x"] == 12345
    with pytest.raises(ValueError, match="be one of"):
        table.column("y")


def test_folders_that_are_no_run(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="has ended"):
        Run(tmp_path)
    (tmp_path / "summary.json").write_text('{"rounds": []}')
    with pytest.raises(ValueError, match="single run"):
        Run(tmp_path).table()


def test_circuits_and_sums_in_notebooks() -> None:
    drawing = Circuit(2).h(0).cx(0, 1)._repr_svg_()
    assert drawing is not None and ElementTree.fromstring(drawing).tag.endswith("svg")
    large = Circuit(1)
    for _ in range(1001):
        large.x(0)
    assert large._repr_svg_() is None
    html = PauliSum(
        {format(k, "05b").replace("0", "I").replace("1", "Z"): float(k) for k in range(1, 31)}
    )._repr_html_()
    cells = [cell.text for cell in ElementTree.fromstring(html).iter("td")]
    assert cells[:2] == [None, "30"] and cells[-1] == "and 10 more"


def test_a_quiet_console_prints_nothing_in_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rich.console._is_jupyter", lambda: True)
    assert Console().is_jupyter and not bars.quiet_console().is_jupyter and not bars.visible_console().is_jupyter


def test_the_bar_of_a_notebook(monkeypatch: pytest.MonkeyPatch) -> None:
    shown: list[str] = []
    handle = SimpleNamespace(update=shown.append)
    module = SimpleNamespace(HTML=str, display=lambda html, display_id: handle)
    monkeypatch.setattr(bars, "import_module", lambda name: module)
    monkeypatch.setattr(bars, "Console", lambda: SimpleNamespace(is_jupyter=True))
    found = solve({"ZZ": -1.0, "XI": -0.5}, evaluations=60)
    assert shown and 'value="1.000"' in shown[-1] and f"{found.evaluations:,} evaluations" in shown[-1]
    assert "steps/s" not in shown[-1] and "J" not in shown[-1]
