"""The page about own code, settings and plugins: its files and commands work as it says; and what it does not show."""

from __future__ import annotations

import re
import shlex
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from qas_envs.imports import plugins
from tests.experiments.conftest import call, compose
from tests.test_docs import ROOT

PAGE = (ROOT / "docs" / "own_code.md").read_text("utf-8")
FILES = dict(re.findall(r'```\w+ title="(.*?)"\n(.*?)```', PAGE, re.DOTALL))
COMMANDS = [
    (command.replace("\\\n", ""), output.split("\n"))
    for block in re.findall(r"```console\n(.*?)```", PAGE, re.DOTALL)
    for command, output in re.findall(r"^\$ ((?:.*\\\n)*.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)
]
MODULES = ("rewards", "chains", "qas_rings", "damaged")
QUIET = ["training.progress=false", "training.baselines=false"]


def install(folder: Path, name: str, entry_points: dict[str, dict[str, str]]) -> None:
    """Write what pip writes of a package's entry points."""
    about = folder / f"{name}-1.0.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    sections = [
        "\n".join([f"[{group}]", *(f"{key} = {value}" for key, value in rows.items())])
        for group, rows in entry_points.items()
    ]
    (about / "entry_points.txt").write_text("\n".join(sections) + "\n")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder of the page: its files, the plugin installed, and another plugin that is damaged."""
    here = tmp_path_factory.mktemp("own")
    for name, text in FILES.items():
        (here / name).parent.mkdir(parents=True, exist_ok=True)
        (here / name).write_text(text)
    project = tomllib.loads(FILES["qas-rings/pyproject.toml"])["project"]
    install(here / "qas-rings", project["name"], project["entry-points"])
    install(here / "damaged", "damaged", {"qas_envs.problems": {"hole": "damaged:hole"}})
    (here / "damaged" / "damaged.py").write_text("1 / 0\n")
    before = [*sys.path]
    sys.path += [str(here / "qas-rings"), str(here / "damaged")]
    plugins.cache_clear()
    yield here
    sys.path[:] = before
    plugins.cache_clear()
    for name in MODULES:
        sys.modules.pop(name, None)


def test_the_page_has_them() -> None:
    assert len(FILES) == 6 and len(COMMANDS) == 13


@pytest.mark.parametrize(("command", "output"), COMMANDS, ids=[command for command, _ in COMMANDS])
def test_commands_of_the_page(command: str, output: list[str], folder: Path) -> None:
    program, *words = shlex.split(command)
    is_training = "run=" in command
    done = call(program.removeprefix("qas-"), *words, *(QUIET if is_training else []), cwd=folder)
    text = re.sub(r" +", " ", done.stdout + done.stderr)
    assert all(line in text for line in output), text
    is_error = any("error" in line or "Did you mean" in line for line in output)
    assert done.returncode == (2 if is_error else 0), text
    if is_error:
        assert done.stdout == "" and done.stderr.count("\n") == 1
    if is_training:
        assert (folder / command.partition("run=")[2] / "summary.json").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["env=hole"], "hole of damaged: ZeroDivisionError: division by zero, damaged.py line 1"),
        (["+hydra.calbacks.x=1"], "Did you mean 'hydra.callbacks'"),
        (["++trainig.seed=1"], "Did you mean 'training'"),
        (["--config-dir", "conf", "budget=tiny"], "use +budget=tiny"),
        (["--config-dir", "conf", "+budget=tny"], "Choices: tiny. Did you mean 'tiny'"),
        (["--config-dir", "conf", "-m", "experiment=small,smal"], "Did you mean 'small'"),
        (["--confg-dir", "conf"], "Unknown flag '--confg-dir'. Choices: --cfg, "),
        (["env.reward=rewards:Depth"], "module 'rewards' has no attribute 'Depth'"),
        (["env.reward={name: 'timeit:timeit', setup: x}"], "annotated with what it returns"),
        (["noise=rewards:DepthPrice"], "name an object for `noise`"),
    ],
    ids=lambda value: value[-1] if isinstance(value, list) else "",
)
def test_wrong_words(words: list[str], told: str, folder: Path) -> None:
    done = call("train", *words, "agent=random", "run=new", cwd=folder)
    assert done.returncode == 2 and done.stdout == "" and told in done.stderr
    assert done.stderr.count("\n") == 1 and not (folder / "new").exists()


def test_the_plugins_are_choices_and_a_damaged_one_hurts_nobody(folder: Path) -> None:
    done = call("train", "env=nothing", cwd=folder)
    assert " hole, " in done.stderr and " ring, " in done.stderr and "damaged" not in sys.modules
    assert "first_action" in call("train", "--help", cwd=folder).stdout


def test_callbacks_of_hydra(folder: Path) -> None:
    text = "from hydra.experimental.callback import Callback\n\n\nclass Said(Callback):\n"
    text += "    def on_job_start(self, config, **_):\n        print('starts', config.env.id)\n"
    (folder / "said.py").write_text(text)
    words = ["env=bell", "agent=random", "training.total_timesteps=20", "run=runs/said", *QUIET]
    done = call("train", "+hydra.callbacks.said._target_=said.Said", *words, cwd=folder)
    assert done.returncode == 0 and "starts QAS-Bell-v0" in done.stdout


def test_the_settings_of_a_study(folder: Path) -> None:
    pytest.importorskip("optuna")
    words = ["experiment=small", "tune.study=a", "training.max_evaluations=5,7", "--cfg", "job"]
    done = call("tune", "--config-dir", "conf", *words, cwd=folder)
    assert done.returncode == 0 and "_target_: rewards.DepthPrice" in done.stdout and "study: a" in done.stdout
    assert "max_evaluations: 5" in done.stdout
    refused = call("tune", "--info", "all", cwd=folder)
    assert refused.returncode == 2 and "Unknown flag '--info'" in refused.stderr


def test_targets_of_hydra_are_names() -> None:
    settings = compose("+agent._target_=a.b.Mine", "+agent.depth=3", "+noise._target_=c.lossy", "+noise.p=0.1")
    assert settings.agent["target"] == "a.b:Mine" and settings.agent["settings"]["depth"] == 3
    assert settings.noise == {"name": "c:lossy", "p": 0.1}
