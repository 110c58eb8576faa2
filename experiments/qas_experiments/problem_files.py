"""Problems by name or by file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from qas_envs import ENVIRONMENTS
from qas_envs.imports import PROBLEM_PLUGINS, is_import_string, plugins
from qas_simulators.errors import must, unknown_name


def problem_of(name: str) -> tuple[str, dict[str, Any]]:
    """Return the environment's id of a problem, and the arguments that it needs.

    Args:
        name: An id such as ``"QAS-LiH-v0"``, or a file: JSON of labels and coefficients (``{"ZZI": -1.0}`` or pairs), a
            Hermitian matrix (``.npy``, sparse ``.npz``), or FCIDUMP; or a problem of a plugin or of another module, as
            ``package.module:function``.

    Raises:
        ValueError: Neither, or a file that cannot be read.
    """
    if name in ENVIRONMENTS:
        return name, {}
    path = Path(name)
    if not path.is_file():
        if is_import_string(name) or name in plugins(PROBLEM_PLUGINS):
            return "QAS-Problem-v0", {"problem": name}
        if name.startswith("QAS-"):
            raise ValueError(unknown_name("environment id", name, ENVIRONMENTS))
        raise ValueError(must("problem", "be an environment's id or a file", name))
    try:
        if path.suffix == ".json":
            read = json.loads(path.read_text(encoding="utf-8"))
            read = [tuple(one) for one in read] if isinstance(read, list) else read
        elif path.suffix == ".npy":
            read = np.load(path, allow_pickle=False)
        elif path.suffix == ".npz":
            from scipy.sparse import load_npz

            read = load_npz(path)
        else:
            read = name
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(must("problem", f"be a file that can be read ({error})", name)) from None
    return "QAS-GroundState-v0", {"hamiltonian": read, "name": path.name}
