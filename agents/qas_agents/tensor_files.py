"""Files of tensors with a line of JSON about them: written whole, checked when read, no code ever run."""

from __future__ import annotations

import hashlib
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

_SUM = "sha256"


def write_tensors(path: Path, tensors: Mapping[str, Tensor], key: str, about: Mapping[str, Any]) -> None:
    """Write tensors, and what JSON tells of them under a key of the file's metadata, with the SHA-256 of it all.

    Raises:
        ValueError: A number that is not finite; the file, if there is one, stays as it is.
        OSError: The file cannot be written.
    """
    _check_finite(tensors)
    own = {name: value.contiguous() for name, value in tensors.items()}
    told = json.dumps({**about, _SUM: _sum(own, about)})
    write_whole(path, save(own, metadata={key: told}))


def read_file(path: Path, key: str, device: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return what a file of :func:`write_tensors` tells of its tensors, and these; see :func:`damage_reported`.

    Raises:
        ValueError: A number that is not finite, or another content than was written; files of earlier versions have no
            sum that would tell. Other exceptions where the file is of another kind.
    """
    with safe_open(path, framework="pt") as file:
        about = json.loads((file.metadata() or {})[key])
    if not isinstance(about, dict):
        raise ValueError(must(key, "be a mapping", about))
    tensors = load_file(path, device=device)
    _check_finite(tensors)
    if (written := about.pop(_SUM, None)) not in (None, _sum(tensors, about)):
        raise ValueError(must("content", f"have the SHA-256 {written}", "another"))
    return about, tensors


def _sum(tensors: Mapping[str, Tensor], about: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(about).encode())
    for name, value in sorted(tensors.items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().numpy().tobytes())
    return digest.hexdigest()


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
def damage_reported(path: Path, wanted: str) -> Iterator[None]:
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
