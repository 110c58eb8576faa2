"""Check that the built wheel holds our four packages, their data, and nothing else."""

import sys
import zipfile
from pathlib import Path

EXPECTED = {"qas_envs", "qas_agents", "qas_simulators", "qas_experiments"}
NEEDED = {
    "qas_envs/problems/data/lih_4_parity_3.4_angstrom.json",
    "qas_experiments/conf/train.yaml",
    "qas_simulators/py.typed",
}

wheels = sorted(Path(sys.argv[1]).glob("*.whl"), key=lambda path: path.stat().st_mtime)
names = set(zipfile.ZipFile(wheels[-1]).namelist())
top = {name.split("/")[0] for name in names}
packages = {name for name in top if not name.endswith(".dist-info")}
if packages != EXPECTED:
    sys.exit(f"{wheels[-1]}: top-level names are {sorted(packages)}, expected {sorted(EXPECTED)}")
if missing := NEEDED - names:
    sys.exit(f"{wheels[-1]}: missing {sorted(missing)}")
print(f"{wheels[-1].name}: {len(names)} files, top-level names {sorted(packages)}")
