"""Available memory, checked before it is needed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from qas_simulators.errors import must

_GIB = 2**30
_SMALL = 2**26  # bytes; allocations below it are not checked


def available_memory() -> int:
    """Return the number of bytes that this process may still use.

    It is the least of the machine's memory, that of the control group and that of the process's own limit; 2**62 where
    none of them is known.
    """
    return max(0, min(_figures(), default=2**62))


def check_memory(argument: str, num_bytes: int, what: str) -> None:
    """Refuse an allocation that does not fit into the available memory.

    Args:
        argument: The argument that determines the size.
        num_bytes: The size.
        what: Name of the thing to allocate, for the message.

    Raises:
        ValueError: The size is larger than the available memory; both are in the message.
    """
    if num_bytes < _SMALL:
        return
    available = available_memory()
    if num_bytes > available:
        needed = f"{num_bytes / _GIB:.1f} GiB for {what}"
        raise ValueError(must(argument, f"fit into the {available / _GIB:.1f} GiB of memory available", needed))


def _figures() -> Iterator[int]:
    """Yield the bytes left of every limit that this system has."""
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemAvailable:"):
            yield int(line.split()[1]) * 1024
            break
    else:
        if hasattr(os, "sysconf") and {"SC_PHYS_PAGES", "SC_PAGE_SIZE"} <= os.sysconf_names.keys():
            yield os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    group = "/sys/fs/cgroup/memory"
    limits, used = _lines(f"{group}.max"), _lines(f"{group}.current")
    if limits and used and limits[0].isdigit():
        yield int(limits[0]) - int(used[0])
    yield from _left_of_own_limit()


def _left_of_own_limit() -> Iterator[int]:
    """Yield the bytes left of ``ulimit -v``."""
    try:
        import resource
    except ImportError:  # Windows
        return
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY:
        sizes = _lines("/proc/self/statm")
        yield limit - (int(sizes[0].split()[0]) * os.sysconf("SC_PAGE_SIZE") if sizes else 0)


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text().splitlines()
    except OSError:
        return []
