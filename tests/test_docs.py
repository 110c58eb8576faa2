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
from xml.etree import ElementTree

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
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1", "QAS_ENVS_EDIT": "https://example.org/edit/main/"}
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


def test_pages_link_to_their_source(site: Path) -> None:
    """Those of ``docs/`` and those from elsewhere, where the address of the repository is given."""
    for name in ("docs/agents/dqn.md", "README.md", "experiments/results/floors.md", "qas_envs/README.md"):
        assert (ROOT / name).is_file()
        place = name.removeprefix("docs/").replace("experiments/results", "results").replace("README.md", "index.md")
        text = (site / place).with_suffix(".html").read_text("utf-8")
        assert f'href="https://example.org/edit/main/{name}"' in text


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


def test_charts_are_those_of_the_committed_records() -> None:
    """Else ``python docs/charts.py`` draws them again."""
    assert load("charts").stale() == []


def test_charts_show_the_records() -> None:
    """A front is the lowest error for each number of CNOTs; rows are ordered by seeds solved, then evaluations."""
    charts = load("charts")

    def record(first: float | None, *circuits: tuple[int, float]) -> dict[str, Any]:
        found = {str(k): {"two_qubit_gates": n, "energy_error": error} for k, (n, error) in enumerate(circuits)}
        return {"circuits": found, "figures": {"first_solved": first and [first, 0.1]}}

    some = [record(100, (3, 1e-2), (5, 1e-3)), record(None, (3, 5e-3), (4, 6e-3), (9, 0.0))]
    front = charts.front_of(some)
    assert front == [(3, 5e-3), (5, 1e-3), (9, 1e-12)]
    assert charts.stairs(front) == [(3, 5e-3), (5, 5e-3), (5, 1e-3), (9, 1e-3), (9, 1e-12)]
    assert (charts.fewest_of(front, 2e-3), charts.fewest_of(front, 1e-13)) == (5, None)
    rows = charts.firsts_of({"half": some, "slow": some[:1] * 4, "none": some[1:], "quick": [record(7, (1, 0.0))]})
    assert [(row.agent, row.solved, row.runs) for row in rows] == [
        ("quick", 1, 1),
        ("slow", 4, 4),
        ("half", 1, 2),
        ("none", 0, 1),
    ]
    assert rows[1].mean == (100.0, 100.0, 100.0) and rows[3].mean is None
    for path in sorted((ROOT / "docs" / "images" / "benchmarks").glob("*.svg")):
        assert ElementTree.parse(path).getroot().tag.endswith("svg") and path.stat().st_size < 20_000


def test_pictures_are_small() -> None:
    """There is an animation on the page of every family of environments."""
    assert max(path.stat().st_size for path in (ROOT / "docs" / "images").glob("*.*")) < 150_000
    for name in ("molecules", "spin_models", "states", "combinatorial"):
        text = (ROOT / "docs" / "environments" / f"{name}.md").read_text("utf-8")
        assert re.search(r"!\[.+\]\(\.\./images/episode\w*\.gif\)", text)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_code_blocks_fit(page: Path) -> None:
    """Code has 88 columns at most; what benchmarks print is shown as it is."""
    text = re.sub(r"<!-- docs/tables\.py: printed.*?<!-- end -->", "", page.read_text("utf-8"), flags=re.DOTALL)
    lines = [
        line for block in re.findall(r"^```[^\n]*\n(.*?)^```", text, re.DOTALL | re.M) for line in block.splitlines()
    ]
    assert [line for line in lines if len(line) > 88] == []


def load(name: str) -> ModuleType:
    """Import a script of ``docs/``, which is no package."""
    spec = spec_from_file_location(name, ROOT / "docs" / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)], ids=["desk", "phone"])
def test_pages_fit_and_show_their_pictures(site: Path, browser: Any, width: int, height: int) -> None:
    """No page is wider than the window, no picture is missing, nothing fails in the console.

    At the desk, tables fit the page; on a phone they scroll within it.
    """
    window = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}  # windows are 500 at least
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", window)
    names = ["qas", "tutorial", "environments", "environments/molecules", "papers/crlqas", "notebooks/first_circuit"]
    names += ["results/leaderboard", "results/floors", "benchmarks", "published_numbers", "noise/devices", "index"]
    wide_tables = (
        "document.querySelectorAll('details').forEach(d => { d.open = true; });"
        "return [...document.querySelectorAll('.md-content table')].filter(t => t.offsetParent)"
        ".map(t => [t, t.closest('.md-typeset__scrollwrap') || t.parentElement])"
        ".filter(([t, box]) => box.getBoundingClientRect().right > innerWidth"
        " || (innerWidth > 1000 && t.getBoundingClientRect().width > box.clientWidth + 1))"
        ".map(([t]) => t.textContent.slice(0, 60))"
    )
    for name in names:
        browser.get((site / f"{name}.html").as_uri())
        shown = browser.execute_script(
            "return [document.documentElement.scrollWidth - window.innerWidth, "
            "[...document.images].filter(i => i.complete && !i.naturalWidth).length, document.images.length]"
        )
        assert shown[0] <= 0 and shown[1] == 0, (name, shown)
        assert browser.execute_script(wide_tables) == [], name
        assert browser.get_screenshot_as_png()[:4] == b"\x89PNG"
        severe = [entry["message"] for entry in browser.get_log("browser") if entry["level"] == "SEVERE"]
        assert severe == []
    assert shown[2] >= 1
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


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
