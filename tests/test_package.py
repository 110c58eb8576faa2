"""The package as users get it."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from importlib import import_module
from pathlib import Path

import pytest

from qas_envs.problems.instances import shipped

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("package", ["qas_envs", "qas_agents", "qas_simulators"])
def test_all_names_exist_and_are_documented(package: str) -> None:
    module = import_module(package)
    assert module.__all__ == sorted(module.__all__, key=lambda name: (not name.isupper(), name[0].islower(), name))
    for name in module.__all__:
        value = getattr(module, name)
        assert name.isupper() or value.__doc__, name


def test_wheel_holds_our_four_packages(tmp_path: Path) -> None:
    pytest.importorskip("build")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    top = {name.split("/")[0] for name in names if ".dist-info" not in name}
    assert top == {"qas_envs", "qas_agents", "qas_simulators", "qas_experiments"}
    assert sum(name.startswith("qas_envs/problems/data/") and name.endswith(".json") for name in names) == len(
        shipped()
    )
    assert "qas_experiments/conf/agent/dqn.yaml" in names
