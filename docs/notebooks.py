"""Notebooks of the docs: ``python docs/notebooks.py [name ...]`` runs them again and keeps their outputs.

Each runs in an empty folder. Cells have neither numbers nor times, so that a notebook changes only where it says
something else.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))
TIMEOUT = 300  # seconds per cell
FONTS = ("findfont: ", "Matplotlib is building the font cache")  # what Matplotlib says about a machine's fonts


def executed(path: Path, folder: Path) -> nbformat.NotebookNode:
    """Return a notebook with its outputs, run in a folder.

    Raises:
        CellExecutionError: A cell failed.
    """
    notebook = nbformat.read(path, as_version=4)
    resources = {"metadata": {"path": str(folder)}}
    NotebookClient(notebook, timeout=TIMEOUT, kernel_name="python3", resources=resources).execute()
    return tidied(notebook)


def tidied(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Return a notebook without what differs from run to run, or from machine to machine."""
    notebook.metadata = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    for number, cell in enumerate(notebook.cells):
        cell.id, cell.metadata = f"cell-{number}", {}
        if cell.cell_type == "code":
            cell.execution_count = None
            cell.outputs = [output for output in cell.outputs if not about_fonts(output)]
            for output in cell.outputs:
                if output.output_type == "stream":
                    output.text = output.text.replace(f"{ROOT}/", "")
                else:
                    output.metadata = {}
                if "execution_count" in output:
                    output.execution_count = None
    return notebook


def about_fonts(output: nbformat.NotebookNode) -> bool:
    """Say whether an output is Matplotlib's search for fonts, and nothing else."""
    if output.output_type != "stream" or output.name != "stderr":
        return False
    return all(line.startswith(FONTS) for line in output.text.splitlines())


def main(names: list[str]) -> None:
    """Run all notebooks, or those named."""
    for path in NOTEBOOKS:
        if not names or path.stem in names:
            with tempfile.TemporaryDirectory() as folder:
                notebook = executed(path, Path(folder))
            nbformat.write(notebook, path)
            print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(sys.argv[1:])
