"""Every Python example of the README and the docs runs; every link points at a file."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from importlib import import_module
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import unquote

import gymnasium as gym
import pytest

from qas_envs.rewards import REWARDS
from qas_simulators.noise_presets import NOISE_MODELS

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("*/README.md")])
EXAMPLES = {
    str(page.relative_to(ROOT)): blocks
    for page in PAGES
    if (blocks := re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.DOTALL))
}


@pytest.fixture
def registries() -> Iterator[None]:
    """Forget what examples add to the tables of names."""
    tables: list[dict[str, Any]] = [REWARDS, NOISE_MODELS, gym.registry]
    before = [dict(table) for table in tables]
    yield
    for table, kept in zip(tables, before, strict=True):
        table.clear()
        table.update(kept)


@pytest.mark.usefixtures("registries")
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


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built without a warning."""
    for module in ("mkdocs", "mkdocstrings", "mkdocs_jupyter"):
        pytest.importorskip(module)
    folder = tmp_path_factory.mktemp("docs") / "site"
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment, check=False)
    assert ended.returncode == 0 and "WARNING" not in ended.stderr, ended.stderr
    return folder


def test_the_site_has_all_names_and_no_broken_link(site: Path) -> None:
    reference = (site / "reference.html").read_text("utf-8")
    for package in ("qas_envs", "qas_simulators", "qas_agents"):
        for name in import_module(package).__all__:
            assert f'id="{package}.{name}"' in reference or name.isupper(), name
    broken = [
        (page.name, target)
        for page in site.rglob("*.html")
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
    """Else ``python docs/tables.py`` updates them."""
    tables = load("tables")
    stale = [page.name for page in tables.PAGES if tables.filled(text := page.read_text("utf-8")) != text]
    assert stale == []


def test_figures_are_those_of_the_committed_results() -> None:
    """``python docs/figures.py`` prints the sentences that a page should have."""
    assert load("figures").stale() == []


def load(name: str) -> ModuleType:
    """Import a script of ``docs/``, which is no package."""
    spec = spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)], ids=["desk", "phone"])
def test_pages_fit_and_show_their_pictures(site: Path, browser: Any, width: int, height: int) -> None:
    """No page is wider than the window, no picture is missing, nothing fails in the console."""
    browser.set_window_size(width, height)
    names = ["qas", "tutorial", "environments/molecules", "papers/crlqas", "notebooks/first_circuit", "index"]
    for name in names:
        browser.get((site / f"{name}.html").as_uri())
        shown = browser.execute_script(
            "return [document.documentElement.scrollWidth - window.innerWidth, "
            "[...document.images].filter(i => i.complete && !i.naturalWidth).length, document.images.length]"
        )
        assert shown[0] <= 0 and shown[1] == 0, (name, shown)
        assert browser.get_screenshot_as_png()[:4] == b"\x89PNG"
        severe = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
        assert severe == []
    assert shown[2] >= 1


def test_search_works_from_disk(site: Path, browser: Any) -> None:
    """Without a server and without a network."""
    browser.set_window_size(1280, 900)
    browser.get((site / "agents" / "dqn.html").as_uri())
    browser.execute_script("document.querySelector('[data-md-toggle=search]').click()")
    browser.find_element("css selector", "input.md-search__input").send_keys("thermal relaxation")
    ended, found = time.monotonic() + 20, []
    while not found and time.monotonic() < ended:
        found = browser.find_elements("css selector", "li.md-search-result__item a")
    assert any("/noise/" in link.get_attribute("href") for link in found)
    addresses = [src for src in re.findall(r'src="([^"]+)"', browser.page_source) if src.startswith("http")]
    assert addresses == []


def test_pictures_follow_the_theme(site: Path, browser: Any) -> None:
    """Of a picture for light pages and one for dark pages, one is shown at a time."""
    browser.set_window_size(1280, 900)
    browser.get((site / "tutorial.html").as_uri())
    visible = "return [...document.images].filter(i => i.offsetParent).map(i => i.src.split('/').pop())"
    seen = []
    for scheme in ("default", "slate"):
        browser.execute_script(f"document.body.setAttribute('data-md-color-scheme', '{scheme}')")
        seen.append([name.split("#")[0] for name in browser.execute_script(visible) if name.startswith("tutorial")])
    assert seen == [["tutorial_light.png"], ["tutorial_dark.png"]]
