"""Regenerate the shipped instances: ``python -m qas_envs.problems.generate`` (needs the ``chemistry`` extra).

Writes JSON files into the folder ``data`` beside this file, or into the folder given as the first argument; further
arguments select files whose names contain them. Most files have one instance, those of a family one instance a line.
All of them take about ten minutes, most of it for 12 qubits.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from qas_envs.problems.chemistry import Molecule
from qas_envs.problems.instances import file_of, shipped
from qas_envs.problems.molecules import instance_record


def main() -> None:
    """Write all files."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "data"
    contents: dict[str, dict[str, Molecule]] = {}
    for name, molecule in shipped().items():
        file, instance = file_of(name)
        contents.setdefault(file, {})[instance] = molecule
    for file, molecules in contents.items():
        if len(sys.argv) > 2 and not any(part in file for part in sys.argv[2:]):
            continue
        records = {instance: instance_record(molecule) for instance, molecule in molecules.items()}
        (folder / file).write_text(_text(records), encoding="utf-8")
        sys.stdout.write(f"{folder / file}\n")
        sys.stdout.flush()


def _text(records: dict[str, dict[str, Any]]) -> str:
    """Return the text of a file: that of its only instance, or of instances by name."""
    if "" in records:
        return json.dumps(records[""], indent=1, ensure_ascii=False) + "\n"
    rows = [f"{json.dumps(name)}: {json.dumps(record, ensure_ascii=False)}" for name, record in records.items()]
    return "{\n" + ",\n".join(rows) + "\n}\n"


if __name__ == "__main__":
    main()
