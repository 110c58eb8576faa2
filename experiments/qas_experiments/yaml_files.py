"""Reading untrusted YAML files: without running code, and with a limit on the size after alias expansion."""

from __future__ import annotations

from pathlib import Path

import yaml
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from qas_simulators.errors import must

_MOST_BYTES = 1_000_000
_MOST_NODES = 100_000  # with aliases expanded


def read_yaml(path: Path) -> DictConfig:
    """Return the mapping in a file.

    Raises:
        ValueError: The file cannot be read, is no YAML mapping, has Python tags, or is too large with its aliases
            expanded.
    """
    check_yaml(path)
    try:
        content = OmegaConf.load(path)
    except (OSError, UnicodeDecodeError, yaml.YAMLError, OmegaConfBaseException, RecursionError) as error:
        raise ValueError(_must(path, str(error) or type(error).__name__)) from None
    if not isinstance(content, DictConfig):
        raise ValueError(_must(path, "it is not a mapping"))
    return content


def check_yaml(path: Path) -> None:
    """Check the structure of a file before any object is built from it.

    Raises:
        ValueError: The file is no YAML, or too large with its aliases expanded.
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
        raise ValueError(_must(path, f"{size:,} values with aliases expanded"))


def _must(path: Path, reason: str) -> str:
    return must("file", f"hold settings as YAML ({' '.join(reason.split())[:200]})", str(path))


def _size(node: yaml.Node | None, sizes: dict[int, int], above: set[int]) -> int:
    """Return the number of values in a node with all aliases expanded."""
    if id(node) in above:
        raise yaml.YAMLError("an alias that contains itself")
    if id(node) not in sizes:
        above.add(id(node))
        parts = node.value if isinstance(node, yaml.CollectionNode) else []
        flat = [child for part in parts for child in (part if isinstance(part, tuple) else (part,))]
        sizes[id(node)] = 1 + sum(_size(child, sizes, above) for child in flat)
        above.discard(id(node))
    return sizes[id(node)]
