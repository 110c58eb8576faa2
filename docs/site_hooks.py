"""What the docs' pages link to outside ``docs/`` is part of the site: the README, the rooms' own, results, data."""

from __future__ import annotations

import os
import posixpath
import re
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[1]
_LINK = re.compile(r"(\]\()(?!https?:|#|mailto:)([^)#\s]+)")
_PAGES = [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "CODE_OF_CONDUCT.md",
    "SECURITY.md",
    "*/README.md",
    "experiments/results/*.md",
]
_DATA = [
    "experiments/qas_experiments/benchmarking/published.yaml",
    "experiments/qas_experiments/conf/campaign/*.yaml",
    "agents/qas_agents/dqn/config.py",
    "agents/qas_agents/dqn/guides.py",
    "LICENSE",
]

_SOURCES: dict[str, str] = {}
"""Files of the repository outside ``docs/`` by their place in the site."""


def on_files(files: Files, config: Any) -> Files:
    """Add what lies outside, under its own path; the README is the first page."""
    for pattern in (*_PAGES, *_DATA):
        for path in sorted(ROOT.glob(pattern)):
            if ".venv" not in path.parts:
                name = path.relative_to(ROOT).as_posix()
                _SOURCES[_place(name)] = name
                text = path.read_text(encoding="utf-8")
                files.append(File.generated(config, _place(name), content=_relinked(text, name)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """Let links of the docs' own pages lead to where things are in the site; add the link to the page's source."""
    name = _SOURCES.get(page.file.src_uri, f"docs/{page.file.src_uri}")
    if address := os.environ.get("QAS_ENVS_EDIT"):
        page.edit_url = f"{address.rstrip('/')}/{name}"
    return markdown if page.file.generated_by else _relinked(markdown, name)


def _place(name: str) -> str:
    """Return where a file of the repository is in the site."""
    if name == "README.md":
        return "index.md"
    if name.endswith(".ipynb"):
        return name.removeprefix("docs/")
    name = name.removeprefix("docs/").replace("experiments/results/", "results/")
    return name.replace("/README.md", "/index.md") if name.endswith(".md") else f"files/{Path(name).name}.txt"


def _relinked(text: str, name: str) -> str:
    """Return a page with its links, which are right in the repository, as they are in the site."""

    def link(match: re.Match[str]) -> str:
        target = posixpath.normpath(posixpath.join(posixpath.dirname(name), match[2]))
        is_image = target.endswith((".png", ".svg", ".gif"))
        place = target.removeprefix("docs/") if is_image else _place(target)
        return match[1] + posixpath.relpath(place, posixpath.dirname(_place(name)) or ".")

    return _LINK.sub(link, text)


def on_page_content(html: str, page: Any, **_: Any) -> str:
    """Drop the roles of reStructuredText before names in docstrings; let links of notebooks lead to pages."""
    if page.file.src_uri.endswith(".ipynb"):
        html = re.sub(r'href="(?!https?:)([^"#]+)\.md', r'href="\1.html', html)
    return re.sub(r":(?:meth|class|func|attr|mod|data):(?=<code>)", "", html)


def on_post_page(output: str, page: Any, config: Any) -> str:
    """Take the script that searches pages opened from disk from here, not from the network."""
    return output.replace(
        "https://unpkg.com/iframe-worker/shim",
        posixpath.relpath("assets/worker.js", posixpath.dirname(page.url) or "."),
    )
