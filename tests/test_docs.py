"""Every Python example of the README and the docs runs; every link points at a file."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/*.md"), *ROOT.glob("*/README.md")])
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


def test_table_of_environments_is_complete() -> None:
    import qas_envs

    text = (ROOT / "docs" / "environments.md").read_text("utf-8")
    for environment in qas_envs.ENVIRONMENTS:
        assert f"`{environment}`" in text
