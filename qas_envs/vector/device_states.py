"""States of environments on a device as arrays of NumPy: written, checked and restored."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from qas_envs.vector.episodes import EpisodeArrays
from qas_simulators.arrays import Array
from qas_simulators.errors import must

_CURRICULUM: Final = "curriculum."
_LEAST: Final = {"num_actions": 0, "wasted": 0, "halt_at": 0, "actions": 0}
_OTHERS: Final = ("actions", "waits")


def state_of(episodes: EpisodeArrays, waits: Array) -> dict[str, NDArray[Any]]:
    """Return episodes and their curricula, and which environments wait for their reset, as independent arrays."""
    columns = {f"{_CURRICULUM}{name}": column for name, column in episodes.curricula.state().items()}
    arrays = {**episodes.state(), **columns, "actions": episodes.actions, "waits": waits}
    return {name: np.array(episodes.library.host(array)) for name, array in arrays.items()}


def restore_into(episodes: EpisodeArrays, arrays: Mapping[str, NDArray[Any]]) -> Array:
    """Restore what :func:`state_of` returned to episodes of the same rules; return which environments wait.

    Raises:
        ValueError: Arrays of other names, shapes or types, numbers out of range, or actions that are not legal.
    """
    library = episodes.library
    _check(episodes, arrays)
    tensors = {name: library.shared(np.array(array)) for name, array in arrays.items()}
    if not episodes.replay(tensors["actions"], tensors["num_actions"]):
        raise ValueError(must("actions", "be legal one after the other", "not so"))
    columns = {name.removeprefix(_CURRICULUM): one for name, one in tensors.items() if name.startswith(_CURRICULUM)}
    episodes.curricula.restore(columns)
    episodes.actions[:] = tensors["actions"]
    episodes.restore({name: one for name, one in tensors.items() if _is_of_episodes(name)})
    return tensors["waits"]


def _is_of_episodes(name: str) -> bool:
    return not name.startswith(_CURRICULUM) and name not in _OTHERS


def _check(episodes: EpisodeArrays, arrays: Mapping[str, NDArray[Any]]) -> None:
    """Check names, shapes, types and ranges."""
    own = state_of(episodes, episodes.over)
    if set(arrays) != set(own):
        raise ValueError(must("arrays", f"be {sorted(own)}", sorted(arrays)))
    for name, array in arrays.items():
        wanted = own[name]
        if array.dtype != wanted.dtype or array.shape != wanted.shape:
            kinds = [f"{one.dtype} of shape {one.shape}" for one in (wanted, array)]
            raise ValueError(must(name, f"be {kinds[0]}", kinds[1]))
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            raise ValueError(must(name, "be finite", "not"))
        is_count = name in _LEAST or (name.startswith(_CURRICULUM) and array.dtype.kind == "i")
        if is_count and (array < 0).any():
            raise ValueError(must(name, "not be negative", int(array.min())))
    stages = getattr(episodes.curricula, "num_stages", None)
    most = {
        "num_actions": own["actions"].shape[1],
        "actions": len(episodes.rules.catalogue.actions) - 1,
        "wasted": episodes.rules.max_gates,
        **({} if stages is None else {f"{_CURRICULUM}stage": stages - 1}),
    }
    for name, largest in most.items():
        if (arrays[name] > largest).any():
            raise ValueError(must(name, f"be at most {largest}", int(arrays[name].max())))


def check_generator(state: Any) -> None:
    """Raise ``ValueError`` unless a value is the state of NumPy's default generator."""
    try:
        np.random.default_rng(0).bit_generator.state = state
    except (TypeError, ValueError, KeyError, OverflowError) as error:
        raise ValueError(must("rng", f"be the state of a PCG64 ({error})", state)) from None
