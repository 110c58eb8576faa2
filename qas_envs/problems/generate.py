"""Regenerate the shipped instances: ``python -m qas_envs.problems.generate`` (needs the ``chemistry`` extra).

Writes one JSON file each into the folder ``data`` beside this file, or into the folder given as the first argument;
further arguments select names that contain them. All of them take about ten minutes, most of it for 12 qubits.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from qas_envs.problems.instances import shipped
from qas_envs.problems.molecules import instance_record


def main() -> None:
    """Write all files."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "data"
    for name, molecule in shipped().items():
        if len(sys.argv) > 2 and not any(part in name for part in sys.argv[2:]):
            continue
        text = json.dumps(instance_record(molecule), indent=1, ensure_ascii=False) + "\n"
        (folder / f"{name}.json").write_text(text, encoding="utf-8")
        sys.stdout.write(f"{folder / name}.json\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
