"""Every notebook runs from the first cell to the last, in an empty folder, and its committed outputs are small.

All except one are marked slow: python -m pytest tests/test_notebooks.py -m slow
"""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import pytest

from tests.test_docs import ROOT, load

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
NAMES = {"first_circuit", "gadgets", "kan", "noise", "own_agent", "own_molecule", "training"}
QUICK = {"first_circuit"}  # each of the others takes half a minute or, where agents are trained, minutes
MOST_BYTES = 250_000


@pytest.fixture(scope="module")
def runner() -> ModuleType:
    for module in ("nbclient", "ipykernel"):
        pytest.importorskip(module)
    return load("notebooks")


def test_all_are_there() -> None:
    assert {path.stem for path in NOTEBOOKS} == NAMES


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of Jupyter itself
@pytest.mark.parametrize(
    "path",
    [pytest.param(path, id=path.stem, marks=() if path.stem in QUICK else pytest.mark.slow) for path in NOTEBOOKS],
)
def test_notebooks_run(path: Path, runner: ModuleType, tmp_path: Path) -> None:
    notebook = runner.executed(path, tmp_path)
    committed = runner.nbformat.read(path, as_version=4)
    assert path.stat().st_size < MOST_BYTES
    assert re.search(r"/(home|tmp|Users|root|work)/", path.read_text("utf-8")) is None
    for made, kept in zip(notebook.cells, committed.cells, strict=True):
        kinds = [{output.output_type for output in cell.get("outputs", [])} for cell in (made, kept)]
        assert kinds[0] == kinds[1], made.source  # pictures where there were pictures, text where there was text


def test_fonts_of_a_machine_are_no_output(runner: ModuleType) -> None:
    """What Matplotlib writes where its list of fonts is old or has to be made: text as it stood in a run."""
    new = runner.nbformat.v4
    fonts = [
        "findfont: Font family ['cmr10'] not found. Falling back to DejaVu Sans.\n",
        "Matplotlib is building the font cache; this may take a moment.\n",
    ]
    kept = ["UserWarning: divide by zero\n", f"{fonts[0]}UserWarning: divide by zero\n"]
    outputs = [new.new_output("stream", name="stderr", text=text) for text in [*fonts, "".join(fonts), *kept]]
    outputs.append(new.new_output("stream", name="stdout", text=fonts[0]))
    notebook = new.new_notebook(cells=[new.new_code_cell("plot()", outputs=outputs)])
    left = runner.tidied(notebook).cells[0].outputs
    assert [(output.name, output.text) for output in left] == [
        *(("stderr", text) for text in kept),
        ("stdout", fonts[0]),
    ]
