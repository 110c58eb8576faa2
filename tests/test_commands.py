"""Every shell command of the README and the docs works: settings compose, environments build, flags exist."""

from __future__ import annotations

import re
import shlex
import sys
import tomllib
import warnings
from importlib import import_module
from typing import Any

import pytest

pytest.importorskip("hydra")

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import OmegaConf

from qas_experiments.building import make_environment
from qas_experiments.composition import Composer, check_overrides, without_hydra
from qas_experiments.words import rewritten
from tests.test_docs import PAGES, ROOT

COMMANDS = sorted(
    {
        line.strip()
        for page in PAGES
        for block in re.findall(r"```bash\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
        for line in re.sub(r"\\\n", " ", block).splitlines()
        if line.strip() and not line.strip().startswith("#")
    }
)
WITH_HYDRA = {"qas-train": "train", "qas-benchmark": "benchmark", "qas-tune": "tune"}
_OF_FILES = ("rounds=", "env.gadgets=", "resume=")  # that tests do not have
NOT_OURS = {"git", "cd", "export", "ray", ".", "pip", "python3"}


def parts_of(line: str) -> list[list[str]]:
    """Return the commands that a line joins, comments left out."""
    words = shlex.split(line, comments=True)
    joined = " ".join(shlex.quote(word) if word != "&&" else "\n" for word in words)
    return [shlex.split(part) for part in joined.split("\n")]


def test_commands_are_found() -> None:
    assert len(COMMANDS) > 60 and sum(line.startswith("qas-train") for line in COMMANDS) > 20


@pytest.mark.parametrize("line", COMMANDS)
def test_commands_are_ones_that_work(
    line: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for program, *arguments in parts_of(line):
        arguments = [argument.replace("<run>", "first") for argument in arguments]
        if program in WITH_HYDRA:
            check_settings(WITH_HYDRA[program], arguments)
        elif program.startswith("qas-"):
            check_flags(program, arguments, monkeypatch, capsys)
        elif program == "make":
            assert f"\n{arguments[0]}:" in (ROOT / "Makefile").read_text("utf-8")
        elif program == "python" and arguments[0] != "-m":
            assert (ROOT / arguments[0]).exists()
        else:
            assert program in NOT_OURS, program
    for extra in re.findall(r'pip install "\S*\[(.*?)\]"', line):
        extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
        assert set(extra.split(",")) <= set(extras)


def check_settings(config: str, arguments: list[str]) -> None:
    """Compose the settings; of a training that is no sweep, build the environment too."""
    overrides = rewritten([argument for argument in arguments if not argument.startswith("-")])
    if config == "tune":
        check_overrides("tune", [override for override in overrides if override.startswith("tune.")])
        parsed = OverridesParser.create().parse_overrides([o for o in overrides if not o.startswith("tune.")])
        config, overrides = "train", [str(one.input_line) for one in parsed if not one.is_sweep_override()]
        arguments = [*arguments, "-m"]
    composed = Composer().checked(config, overrides)
    if config == "train" and "-m" not in arguments and not any(o.startswith(_OF_FILES) for o in overrides):
        settings: Any = OmegaConf.to_object(without_hydra(composed))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of tasks that cannot succeed
            make_environment(settings).reset(seed=0)


def check_flags(
    program: str, arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ask the command for its help: it must know every flag, and every name of a command of its own."""
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
    module, _, function = scripts[program].partition(":")
    own = [arguments[0]] if program in ("qas-gadgets", "qas-envs") and arguments else []
    monkeypatch.setattr(sys, "argv", [program, *own, "--help"])
    with pytest.raises(SystemExit) as ended:
        getattr(import_module(module), function)()
    told = capsys.readouterr().out
    assert ended.value.code == 0
    assert all(flag in told for flag in arguments if flag.startswith("--")), told
