"""Every Python example of the README and the docs runs; every link points at a file."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/README.md")])
EXAMPLES = {
    str(page.relative_to(ROOT)): blocks
    for page in PAGES
    if (blocks := re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL))
}


@pytest.mark.parametrize("page", EXAMPLES)
def test_examples(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page's examples build on each other."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for number, code in enumerate(EXAMPLES[page]):
        exec(compile(code, f"{page}, example {number}", "exec"), names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links(page: Path) -> None:
    for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text("utf-8")):
        assert (page.parent / target).exists(), target


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs")
    pytest.importorskip("mkdocstrings")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment, check=False)
    assert ended.returncode == 0 and "WARNING" not in ended.stderr, ended.stderr
    reference = (tmp_path / "site" / "reference.html").read_text("utf-8")
    for package in ("qas_envs", "qas_simulators", "qas_agents"):
        for name in import_module(package).__all__:
            assert f'id="{package}.{name}"' in reference or name.isupper(), name
    broken = [
        (page.name, target)
        for page in (tmp_path / "site").rglob("*.html")
        for target in re.findall(r'(?:href|src)="(?!https?:|mailto:|#|data:|/)([^"#?]+)', page.read_text("utf-8"))
        if page.name != "404.html" and not (page.parent / unquote(target)).exists()
    ]
    assert broken == []


def test_table_of_environments_is_complete() -> None:
    import qas_envs

    text = (ROOT / "docs" / "environments.md").read_text("utf-8")
    for environment in qas_envs.ENVIRONMENTS:
        assert f"`{environment}`" in text


def test_tables_follow_from_the_code() -> None:
    """Else ``python docs/tables.py`` writes them anew."""
    tables = load("tables")
    stale = [page.name for page in tables.PAGES if tables.filled(text := page.read_text("utf-8")) != text]
    assert stale == []


def load(name: str) -> ModuleType:
    """Import a script of ``docs/``, which is no package."""
    spec = spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_recipe_for_a_gate(tmp_path: Path) -> None:
    """A copy of the simulators gets the row; then everything that the recipe says of the gate must hold."""
    pytest.importorskip("qiskit")
    text = (ROOT / "docs" / "recipes" / "gate.md").read_text("utf-8")
    blocks = dict(re.findall(r'```(?:python|text) title="(.*?)"\n(.*?)```', text, re.DOTALL))
    (place, row), (_, check) = blocks.items()
    shutil.copytree(ROOT / "simulators" / "qas_simulators", tmp_path / "qas_simulators")
    table = tmp_path / "qas_simulators" / "gates.py"
    rows = table.read_text("utf-8")
    end = ")\n\nGATE_INDEX"
    assert place.startswith("simulators/qas_simulators/gates.py") and rows.count(end) == 1
    table.write_text(rows.replace(end, row + end), "utf-8")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "QAS_ENVS_CACHE_DIR": str(tmp_path / "cache")}
    for code, works in ((check, True), (check.replace('"ch"', '"cha"'), False)):
        command = [
            sys.executable,
            "-c",
            f"import qas_simulators\nassert {str(tmp_path)!r} in qas_simulators.__file__\n{code}",
        ]
        ended = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
        assert (ended.returncode == 0) == works, ended.stderr
