"""YAML that others may have written: read without running code, and only as large as it looks."""

from __future__ import annotations

from pathlib import Path

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from qas_simulators.errors import must

_MOST_BYTES = 1_000_000
_MOST_NODES = 100_000  # with aliases written out


def read_yaml(path: Path) -> DictConfig:
    """Return the mapping that a file holds.

    Raises:
        ValueError: It cannot be read, is no mapping in YAML, has tags of Python, or is too large, its aliases written
            out.
    """
    check_yaml(path)
    try:
        content = OmegaConf.load(path)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, OmegaConfBaseException, RecursionError) as error:
        raise ValueError(_must(path, str(error) or type(error).__name__)) from None
    if not isinstance(content, DictConfig):
        raise ValueError(_must(path, "it is no mapping"))
    return content


def check_yaml(path: Path) -> None:
    """Look at the structure of a file before anything is made of it.

    Raises:
        ValueError: No YAML, or larger than settings are, its aliases written out.
    """
    try:
        with path.open("rb") as file:
            text = file.read(_MOST_BYTES + 1)
        if len(text) > _MOST_BYTES:
            raise ValueError(_must(path, f"more than {_MOST_BYTES:,} bytes"))
        size = _size(yaml.compose(text, yaml.SafeLoader), {}, set())
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise ValueError(_must(path, str(error) or type(error).__name__)) from None
    if size > _MOST_NODES:
        raise ValueError(_must(path, f"{size:,} values, aliases written out"))


def _must(path: Path, told: str) -> str:
    return must("file", f"hold settings as YAML ({' '.join(told.split())[:200]})", str(path))


def _size(node: yaml.Node | None, sizes: dict[int, int], above: set[int]) -> int:
    """Return how many values a node has when all aliases are written out."""
    if id(node) in above:
        raise yaml.YAMLError("an alias of what it is in")
    if id(node) not in sizes:
        above.add(id(node))
        parts = node.value if isinstance(node, yaml.CollectionNode) else []
        flat = [child for part in parts for child in (part if isinstance(part, tuple) else (part,))]
        sizes[id(node)] = 1 + sum(_size(child, sizes, above) for child in flat)
        above.discard(id(node))
    return sizes[id(node)]
