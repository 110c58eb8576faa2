"""Regenerate the shipped instances: ``python -m qas_envs.problems.generate`` (needs the ``chemistry`` extra).

Writes one JSON file each into the folder ``data`` beside this file, or into the folder given as the only argument.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from qas_envs.problems.chemistry import Molecule
from qas_envs.problems.molecules import (
    H2_BOND_LENGTHS,
    LIH_BOND_LENGTHS,
    h2_molecule,
    instance_record,
    lih_molecule,
)


def instances() -> dict[str, Molecule]:
    """Return the definition of every shipped molecule by file name."""
    table = {f"h2_4_jordan_wigner_{length}_angstrom.json": h2_molecule(length) for length in H2_BOND_LENGTHS}
    table |= {f"lih_4_parity_{length}_angstrom.json": lih_molecule(length) for length in LIH_BOND_LENGTHS}
    return table


def main() -> None:
    """Write all files."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "data"
    for file_name, molecule in instances().items():
        text = json.dumps(instance_record(molecule), indent=1, ensure_ascii=False) + "\n"
        (folder / file_name).write_text(text, encoding="utf-8")
        sys.stdout.write(f"{folder / file_name}\n")


if __name__ == "__main__":
    main()
