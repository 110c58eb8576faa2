"""Is this a release? Builds it and uses it as its users will: wheel, sdist, fresh environments, examples, links.

    python .ci/check_release.py            # what needs a minute: version, wheel, sdist, README
    python .ci/check_release.py --full     # and fresh environments from the wheel: base, then the tutorial's extras
    python .ci/check_release.py --online   # and every link to the web answers

Nothing is published. The first thing that is wrong ends it with a line that says what.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tarfile
import tempfile
import time
import tomllib
import urllib.request
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
EXTRAS = "devices,plots"  # of the tutorial
MOST_MEGABYTES = 2.8  # of the wheel; five trained policies and a sample of circuits are 1.5 of it
BASE_MEGABYTES = 600.0  # of an environment with nothing but the base


def say(text: str) -> None:
    """Print at once."""
    print(text, flush=True)


def call(*command: object) -> None:
    """Run a command.

    Raises:
        SystemExit: It failed; the message is what it wrote last.
    """
    ended = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False)
    if ended.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{(ended.stderr or ended.stdout)[-2000:]}")


def version() -> str:
    """Return the version, which the package, the changelog and the citation agree on.

    Raises:
        SystemExit: They do not.
    """
    found = re.search(r'__version__ = "(.+)"', (ROOT / "qas_envs" / "__init__.py").read_text("utf-8"))
    assert found is not None
    given = found[1]
    if "version" not in tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["dynamic"]:
        sys.exit("pyproject.toml states a version of its own")
    changes = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.MULTILINE)
    if changes[0] not in ("Unreleased", given):
        sys.exit(f"CHANGELOG.md begins with {changes[0]}, the version is {given}")
    if re.search(rf"^version: {re.escape(given)}$", (ROOT / "CITATION.cff").read_text("utf-8"), re.MULTILINE) is None:
        sys.exit(f"CITATION.cff has another version than {given}")
    if changes[0] == "Unreleased":
        say(f"version {given}: CHANGELOG.md still says Unreleased")
    return given


def build(folder: Path, given: str) -> Path:
    """Build wheel and sdist; return the wheel.

    Raises:
        SystemExit: It is not pure, too large, of another version, or the sdist lacks what is needed to test it.
    """
    call(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT)  # the extra `dev` has hatchling
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    if wheel.name != f"qas_envs-{given}-py3-none-any.whl":
        sys.exit(f"{wheel.name} is no pure wheel of version {given}")
    size = wheel.stat().st_size / 1e6
    names = zipfile.ZipFile(wheel).namelist()
    if size > MOST_MEGABYTES or "qas_envs/problems/data/lih_4_parity_3.4_angstrom.json" not in names:
        sys.exit(f"{wheel.name}: {size:.1f} MB, {len(names)} files: too large, or data is missing")
    with tarfile.open(sdist) as archive:
        inside = {name.split("/", 1)[1] for name in archive.getnames() if "/" in name}
    if missing := {"README.md", "LICENSE", "constraints.txt", "tests/test_docs.py", "docs/tutorial.md"} - inside:
        sys.exit(f"{sdist.name} lacks {sorted(missing)}")
    say(f"{wheel.name}: {size:.2f} MB, {len(names)} files; {sdist.name}: {len(inside)} files")
    return wheel


def examples(page: str) -> str:
    """Return the Python of a page, one block after the other."""
    return "\n".join(re.findall(r"```python\n(.*?)```", (ROOT / page).read_text("utf-8"), re.DOTALL))


def use(wheel: Path, folder: Path, extras: str, page: str) -> None:
    """Install the wheel into a fresh environment, check it, run the examples of a page."""
    started = time.perf_counter()
    call(sys.executable, "-m", "venv", folder)
    python = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    wanted = f"{wheel}[{extras}]" if extras else str(wheel)
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-c", ROOT / "constraints.txt"]
    call(*pip, wanted)
    size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
    installed = time.perf_counter() - started
    with tempfile.TemporaryDirectory() as empty:
        for command in ([python, "-m", "qas_envs", "check"], [python, "-c", examples(page)]):
            ended = subprocess.run(command, cwd=empty, capture_output=True, text=True, check=False)
            if ended.returncode:
                sys.exit(f"[{extras}] {page}: {ended.stderr}")
    if not extras:
        heavy = "import importlib.util as u, sys; sys.exit(any(map(u.find_spec, ('torch', 'qiskit', 'matplotlib'))))"
        if subprocess.run([python, "-c", heavy], check=False).returncode or size > BASE_MEGABYTES:
            sys.exit(f"the base install is heavy: {size:.0f} MB")
    total = time.perf_counter() - started
    say(f"[{extras}] {size:.0f} MB, installed in {installed:.0f} s, {page} done after {total:.0f} s")


def links() -> None:
    """Ask every page of the web that the docs link to.

    Raises:
        SystemExit: Some do not answer.
    """
    pages = [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]
    found = {link for page in pages for link in re.findall(r"\]\((https?://[^)\s]+)\)", page.read_text("utf-8"))}
    dead = []
    for link in sorted(found):
        try:
            urllib.request.urlopen(urllib.request.Request(link, headers={"User-Agent": "qas-envs"}), timeout=20).close()
        except OSError as error:
            dead.append(f"{link}: {error}")
    if dead:
        sys.exit("\n".join(dead))
    say(f"{len(found)} links to the web answer")


def main() -> None:
    """Check."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--online", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        wheel = build(folder / "dist", version())
        if given.full:
            use(wheel, folder / "base", "", "README.md")
            use(wheel, folder / "tutorial", EXTRAS, "docs/tutorial.md")
    if given.online:
        links()
    say("a release, as far as this can tell")


if __name__ == "__main__":
    main()
