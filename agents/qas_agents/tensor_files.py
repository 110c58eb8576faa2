"""Files of tensors with JSON metadata: written atomically, checked when read; reading runs no code."""

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
    """Write tensors, and metadata as JSON under a key of the file's header, with the SHA-256 of both.

    Raises:
        ValueError: A number that is not finite; an existing file is not changed.
        OSError: The file cannot be written.
    """
    _check_finite(tensors)
    own = {name: value.contiguous() for name, value in tensors.items()}
    header = json.dumps({**about, _SUM: _sum(own, about)})
    write_whole(path, save(own, metadata={key: header}))


def read_file(path: Path, key: str, device: str) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return metadata and tensors of a file of :func:`write_tensors`, usually inside :func:`damage_reported`.

    Raises:
        ValueError: A number that is not finite, or content without the recorded SHA-256 (early versions recorded none).
            Other exceptions if it is another kind of file.
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
    """Raise ``ValueError`` unless both have the same names, shapes and types; ``like`` may be on the meta device."""
    if tensors.keys() != like.keys():
        raise ValueError(must("tensors", "be those of the network", sorted(tensors.keys() ^ like.keys())[:4]))
    for name, own in like.items():
        given = tensors[name]
        if given.shape != own.shape or given.dtype != own.dtype:
            wanted = f"be {own.dtype} of shape {tuple(own.shape)}"
            raise ValueError(must(name, wanted, f"{given.dtype} of shape {tuple(given.shape)}"))


def check_sizes(settings: Any, tensors: Mapping[str, Tensor]) -> None:
    """Raise ``ValueError``, before a network is built, if its settings ask for more numbers than the file has.

    Args:
        settings: Nested mappings and lists; every list of integers may be the widths of layers.
        tensors: The tensors of the file.
    """
    total = sum(value.numel() for value in tensors.values())
    pending = [settings]
    while pending:
        one = pending.pop()
        if isinstance(one, Mapping):
            pending += one.values()
        elif isinstance(one, list | tuple):
            widths = [width for width in one if isinstance(width, int)]
            if len(one) > len(tensors) or sum(map(operator.mul, widths, widths[1:])) > total:
                raise ValueError(must("settings", f"fit a file of {total} numbers", str(one)[:80]))
            pending += one
        elif isinstance(one, int) and one > max(total, 2**31):
            raise ValueError(must("settings", f"fit a file of {total} numbers", one))


@contextmanager
def damage_reported(path: Path, wanted: str) -> Iterator[None]:
    """Replace any exception of reading a damaged file by a one-line error that names the file.

    Raises:
        ValueError: Any exception was raised in the block.
    """
    if not path.is_file():
        raise ValueError(must("path", f"name {wanted}", str(path)))
    try:
        yield
    except Exception as error:  # safetensors, JSON, PyTorch and memory errors have no common base class
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ValueError(must("path", f"name {wanted} ({reason[:300]})", str(path))) from None


def _check_finite(tensors: Mapping[str, Tensor]) -> None:
    for name, value in tensors.items():
        if value.is_floating_point() and not torch.isfinite(value).all():
            raise ValueError(must(name, "be finite", "not"))
