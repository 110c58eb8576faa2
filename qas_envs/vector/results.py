"""What steps and resets of a vector environment return, in Gymnasium's form."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qas_envs.encodings import Observation
from qas_envs.vector.rules import picked

Resets = tuple[Any, dict[str, Any]]
Step = tuple[Any, NDArray[np.float64], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]


def with_validity(columns: dict[str, Any]) -> dict[str, Any]:
    """Return infos with an array ``_name`` for every ``name``, which says that all entries are valid."""
    rows = np.ones((len(columns), len(columns["energy"])), dtype=np.bool_)
    return {**columns, **{f"_{name}": row for name, row in zip(columns, rows, strict=True)}}


def last_info(observations: Observation, columns: dict[str, Any], ended: NDArray[np.int64]) -> dict[str, Any]:
    """Return the infos of the last steps of episodes, where these are followed by a reset at once.

    Args:
        observations: The last observations of the environments ``ended``.
        columns: The infos of all environments before the reset.
        ended: The environments.
    """
    size = len(columns["energy"])
    over = np.zeros(size, dtype=np.bool_)
    over[ended] = True
    final = np.full(size, None, dtype=object)
    for place, row in enumerate(ended.tolist()):
        final[row] = picked(observations, place)
    infos: dict[str, Any] = {}
    for name, column in columns.items():
        infos[name] = np.zeros_like(column)
        infos[name][ended] = column[ended]
        infos[f"_{name}"] = over.copy()
    return {"final_obs": final, "_final_obs": over.copy(), "final_info": infos, "_final_info": over}
