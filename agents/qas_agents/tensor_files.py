"""Files of tensors with a line of JSON about them: written whole, checked when read, no code ever run."""

from __future__ import annotations

import json
import operator
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save
from torch import Tensor

from qas_simulators.errors import must
from qas_simulators.files import write_whole


def write_tensors(path: Path, tensors: Mapping[str, Tensor], key: str, about: Mapping[str, Any]) -> None:
    """Write tensors, and what JSON tells of them under a key of the file's metadata.

    Raises:
        ValueError: A number that is not finite; the file, if there is one, stays as it is.
        OSError: The file cannot be written.
    """
    _check_finite(tensors)
    own = {name: value.contiguous() for name, value in tensors.items()}
    write_whole(path, save(own, metadata={key: json.dumps(about)}))


def read_about(path: Path, key: str) -> dict[str, Any]:
    """Return what a file of :func:`write_tensors` tells of its tensors; see :func:`told_as_damage`."""
    with safe_open(path, framework="pt") as file:
        about = json.loads((file.metadata() or {})[key])
    if not isinstance(about, dict):
        raise ValueError(must(key, "be a mapping", about))
    return about


def read_tensors(path: Path, device: str) -> dict[str, Tensor]:
    """Return the tensors of a file, all numbers finite; see :func:`told_as_damage`."""
    tensors = load_file(path, device=device)
    _check_finite(tensors)
    return tensors


def check_tensors(tensors: Mapping[str, Tensor], like: Mapping[str, Tensor]) -> None:
    """Raise ``ValueError`` unless both have the same names, shapes and kinds; ``like`` may be on the meta device."""
    if tensors.keys() != like.keys():
        raise ValueError(must("tensors", "be those of the network", sorted(tensors.keys() ^ like.keys())[:4]))
    for name, own in like.items():
        given = tensors[name]
        if given.shape != own.shape or given.dtype != own.dtype:
            wanted = f"be {own.dtype} of shape {tuple(own.shape)}"
            raise ValueError(must(name, wanted, f"{given.dtype} of shape {tuple(given.shape)}"))


def check_sizes(settings: Any, tensors: Mapping[str, Tensor]) -> None:
    """Raise ``ValueError`` if settings want a network of more numbers than the file holds, before it is built.

    Args:
        settings: Mappings and lists, of which each list of whole numbers may be the widths of layers.
        tensors: What the file holds.
    """
    total = sum(value.numel() for value in tensors.values())
    waiting = [settings]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Mapping):
            waiting += one.values()
        elif isinstance(one, list | tuple):
            widths = [width for width in one if isinstance(width, int)]
            if len(one) > len(tensors) or sum(map(operator.mul, widths, widths[1:])) > total:
                raise ValueError(must("settings", f"fit a file of {total} numbers", str(one)[:80]))
            waiting += one
        elif isinstance(one, int) and one > max(total, 2**31):
            raise ValueError(must("settings", f"fit a file of {total} numbers", one))


@contextmanager
def told_as_damage(path: Path, wanted: str) -> Iterator[None]:
    """Turn whatever a damaged file makes its readers raise into one line that names the file.

    Raises:
        ValueError: Any exception in the block; an error about an argument other than the file stays as it is.
    """
    if not path.is_file():
        raise ValueError(must("path", f"name {wanted}", str(path)))
    try:
        yield
    except Exception as error:  # safetensors', JSON's, PyTorch's, memory: every reader has its own
        told = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(must("path", f"name {wanted} ({told[:300]})", str(path))) from None


def _check_finite(tensors: Mapping[str, Tensor]) -> None:
    for name, value in tensors.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise ValueError(must(name, "be finite", "not"))
