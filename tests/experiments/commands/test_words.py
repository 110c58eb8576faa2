"""Wrong and hostile words: import strings, YAML, flags. One line each, nothing is run, nothing is written."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from qas_envs import ENVIRONMENTS
from qas_experiments.commands import launch
from qas_experiments.words import rewritten
from qas_experiments.yaml_files import check_yaml, read_yaml
from tests.experiments.conftest import QUICK, conf

Call = Callable[..., tuple[int, str, str]]
MODULES = {
    "raises": "x = 1\ny = x / 0\n",
    "exits": "raise SystemExit(0)\n",
    "wrong_syntax": "class A(:\n",
    "wrong_start": "class A:\n    def __init__(self, env): ...\n    def learn(self, steps, callback): ...\n",
    "fails": "class A:\n    def __init__(self, env, seed): [][1]\n    def learn(self, steps, callback): ...\n",
}


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Call a command in an empty folder; return its exit status and what it prints."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")

    def called(name: str, *arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", [f"qas-{name}", *arguments])
        status: object = 0
        try:
            getattr(launch, name)()
        except SystemExit as ended:
            status = ended.code
        assert isinstance(status, int)
        return status, *capsys.readouterr()

    return called


def assert_one_line(called: tuple[int, str, str], *words: str) -> None:
    status, out, err = called
    assert status == 2 and out == "" and err.startswith("error: ") and err.count("\n") == 1, called
    for word in words:
        assert word in err


@pytest.mark.parametrize(
    ("target", "told"),
    [
        ("builtins:print", "a class with a method learn"),
        ("os.path:join", "a class with a method learn"),
        ("collections:OrderedDict", "a class with a method learn"),
        ("typing:Any", "a class with a method learn"),
        ("nowhere.at:All", "No module named 'nowhere'"),
        ("os.path:nothing", "has no attribute 'nothing'"),
        ("..x:Y", "package.module:Name"),
        ("raises:A", "ZeroDivisionError: division by zero, raises.py line 2"),
        ("exits:A", "SystemExit"),
        ("wrong_syntax:A", "SyntaxError"),
        ("wrong_start:A", "can be called with (env, seed=..., **agent.settings)"),
        ("fails:A", "IndexError: list index out of range, fails.py line 2"),
    ],
)
def test_import_strings_that_name_no_agent(
    target: str, told: str, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path))
    for name, text in MODULES.items():
        (tmp_path / f"{name}.py").write_text(text)
    assert_one_line(call("train", f"agent={target}", "env=bell", "optimizer=none", "run=run"), told, target)
    assert not (tmp_path / "run").exists()


BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{k}: &a{k} [*a{k - 1}, *a{k - 1}]\n" for k in range(1, 60))
HOSTILE = {
    "a tag that would run code": "a: !!python/object/apply:os.system ['touch ran']\n",
    "another tag of Python": "a: !!python/name:os.system\n",
    "tabs": "a:\n\tb: 1\n",
    "a bomb of aliases": BOMB,
    "an alias of itself": "a: &a [*a]\n",
    "3000 levels": "a: " + "[" * 3000 + "]" * 3000 + "\n",
    "two megabytes": "a: " + "x" * 2_000_000 + "\n",
    "a list": "- 1\n- 2\n",
    "a word": "hello\n",
    "bytes": "a: \x00\n",
    "two documents": "a: 1\n---\nb: 2\n",
    "an interpolation of nothing": "env: {id: '${nowhere}'}\n",
}


@pytest.mark.parametrize("text", [*HOSTILE.values()], ids=[*HOSTILE])
def test_hostile_settings_of_runs(text: str, run: Path, call: Call, tmp_path: Path) -> None:
    """Of a run that someone else made: evaluated and listed."""
    place = shutil.copytree(run, tmp_path / "hostile")
    (place / "config.yaml").write_text(text)
    assert_one_line(call("evaluate", str(place)))
    assert call("runs", str(tmp_path), "--all")[0] == 0
    assert not (tmp_path / "ran").exists()


def test_hostile_settings_wherever_a_run_is_named(run: Path, call: Call, tmp_path: Path) -> None:
    """Resumed, played frozen, begun with."""
    place = shutil.copytree(run, tmp_path / "hostile")
    (place / "config.yaml").write_text(BOMB)
    small = ["env=tfim", "env.problem.num_qubits=2", "run=new"]
    assert_one_line(call("train", f"resume={place}"), "values with aliases expanded")
    assert_one_line(call("train", "agent=frozen", f"agent.run={place}", *small), "values with aliases expanded")
    assert_one_line(call("train", f"policy={place}", *QUICK, *small), "values with aliases expanded")
    assert not (tmp_path / "new").exists()


def test_what_yaml_may_be(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("a: &a {b: 1}\nc: [*a, *a]\n")
    assert read_yaml(file) == {"a": {"b": 1}, "c": [{"b": 1}, {"b": 1}]}
    file.write_text("")
    check_yaml(file)
    with pytest.raises(ValueError, match="No such file"):
        read_yaml(tmp_path / "none.yaml")


def test_hostile_folders_of_configurations(call: Call, tmp_path: Path) -> None:
    (tmp_path / "conf" / "experiment").mkdir(parents=True)
    for text in (HOSTILE["tabs"], BOMB):
        (tmp_path / "conf" / "experiment" / "mine.yaml").write_text(text)
        words = ("--config-dir", str(tmp_path / "conf"), "env=bell", "experiment=mine")
        assert_one_line(call("train", *words), "mine.yaml")


# -- flags -------------------------------------------------------------------------------------------------------------

COMMANDS = ("train", "evaluate", "tune", "benchmark", "report", "gadgets", "runs")


@pytest.mark.parametrize("name", COMMANDS)
def test_help_and_wrong_words(name: str, call: Call) -> None:
    for flag in ("--help", "-h"):
        status, out, err = call(name, flag)
        assert status == 0 and f"qas-{name}" in out and err == ""
    for wrong in ("--hlep", "hlep"):
        status, out, err = call(name, wrong)
        assert status == 2 and out == "" and "error: " in err and "Traceback" not in err and "Lexer" not in err


def test_help_of_a_study_names_its_settings(call: Call) -> None:
    _, out, _ = call("tune", "--help")
    for name in ("study", "trials", "seeds", "objective", "sampler", "pruner", "reports", "folder", "storage"):
        assert f"  tune.{name} " in out
    assert "two_qubit_gates" in out and "successive_halving" in out and "qas-train --help" in out


@pytest.mark.parametrize(
    "words",
    [
        ["env.problem.x=" + "[" * 2000],
        ["env.problem.field=" + "9" * 5000],
        ["training.seed=0,1"],
        ["env@foo=lih"],
        ["env.id=${nowhere}"],
        ["hydra.run.dir=/proc/nowhere"],
        ["training=null"],
        ["=3"],
        ["env.problem.x='"],
        ["--config-dir", "/nowhere"],
        ["-m", "training.seed=interval(0, 3)"],
        ["-m", "hydra/launcher=nowhere", "training.seed=0,1"],
    ],
    ids=lambda words: words[0][:30],
)
def test_overrides_that_are_none(words: list[str], call: Call, tmp_path: Path) -> None:
    assert_one_line(call("train", *words))
    assert not list(tmp_path.rglob("config.yaml"))


def test_flags_of_hydra_with_values(call: Call) -> None:
    status, out, err = call("train", "--cfg", "job", "env=bell")
    assert status == 0 and "id: QAS-Bell-v0" in out and err == ""


# -- words that newcomers try ------------------------------------------------------------------------------------------


def test_environments_are_also_named_by_id_and_in_other_letters() -> None:
    """Every id of the library that has settings of its own."""
    for word in ("env=LiH", "env=QAS-LiH-v0", "env=lih"):
        assert rewritten([word]) == ["env=lih"]
    found = {rewritten([f"env={name}"])[0].removeprefix("env=") for name in ENVIRONMENTS}
    assert {"stretched_h2o", "xxz_chains", "ising_graphs", "ground_state"} <= found & {*conf("env")}


def test_whole_numbers_may_have_an_exponent() -> None:
    words = ["training.total_timesteps=1e4", "suite.max_evaluations=2.5E+3", "agent.learning_rate=1e-4", "run=1e4"]
    assert rewritten(words) == ["training.total_timesteps=10000", "suite.max_evaluations=2500", *words[2:]]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--env", "lih"), "Unknown flag '--env'. Settings are written without dashes: env=lih."),
        (("--env=lih",), "Unknown flag '--env'. Settings are written without dashes: env=lih."),
        (("--seed", "3"), "Unknown flag '--seed'. Settings are written without dashes: training.seed=3."),
        (("--agnet", "dqn", "env=lih"), "Settings are written without dashes: agent=dqn."),
        (("--agent.batch-size", "env=lih"), "Settings are written without dashes: agent.batch_size=<value>."),
        (("--hlep",), "Did you mean '--help'? Settings are written without dashes: env=lih training.seed=3."),
        (("training.seed=abc",), "`training.seed` must be a whole number, but is 'abc'."),
        (("training.progress=maybe",), "`training.progress` must be true or false, but is 'maybe'."),
        (("loggers=tensorboard",), "`loggers` must be a list in brackets, but is 'tensorboard'."),
        (("env=bell", "agent.network.hidden=abc", "run=new"), "have settings of the right types"),
        (("env=bell", "training.device=gpu", "run=new"), "`training.device` must be a device that PyTorch finds"),
        (("env=bell", "agent=random", "training.device=nowhere", "run=new"), "a device that PyTorch finds"),
        (("lih",), "`settings` must be written name=value, such as env=lih"),
        (("seed=3",), "Did you mean 'training.seed'"),
        (("env=tfim", "env.reward=os.path:joinn"), "did you mean 'join'?"),
        (("env=tfim", "env.reward=mine.py:Reward"), "write 'mine', without .py"),
    ],
)
def test_newcomers_words_are_answered(words: tuple[str, ...], told: str, call: Call) -> None:
    assert_one_line(call("train", *words), told)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("evaluate", "run", "--rollouts", "many"), "argument --rollouts: invalid int value: 'many'"),
        (("solve", "QAS-TFIM-v0", "--evaluatons", "9"), "Did you mean '--evaluations'?"),
        (("solve", "QAS-TFIM-v0", "--seed", "-1"), "`seed` must not be negative"),
        (("solve", "QAS-TFIM-v0", "--out", "file/solved"), "`--out` must be in a folder that can be written to"),
        (("compare", "a", "b", "--out", "file/picture.png"), "`--out` must be in a folder that can be written to"),
        (("submit", "a", "--out", "file/mine.jsonl"), "`--out` must be in a folder that can be written to"),
        (("report", "a.jsonl", "--out", "file"), "`--out` must be in a folder that can be written to"),
        (("gadgets", "draw", "grl", "--out", "file"), "File exists: 'file'"),
        (("gadgets", "shwo", "grl"), "invalid choice: 'shwo'"),
        (("runs", "--folow"), "Did you mean '--follow'?"),
    ],
)
def test_arguments_are_answered_in_one_line(words: tuple[str, ...], told: str, call: Call, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    assert_one_line(call(*words), told)
    assert not (tmp_path / "solved").exists()


def test_an_interruption_of_imports_ends_in_one_line(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(name: str) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(launch, "import_module", interrupted)
    assert call("train", "env=lih") == (130, "", "interrupted\n")
