"""The decorator that compiles kernels, and where the machine code is kept.

Numba looks for stale machine code only in the file of the outermost function, so a change in a kernel that another
kernel calls would go unnoticed. The cache folder's name therefore holds a hash of every kernel's source.
"""

from __future__ import annotations

import gc
import hashlib
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import numba
from numba import config as _config
from numba.core.event import Listener

from qas_simulators.files import cache_root
from qas_simulators.kernels import loops
from qas_simulators.kernels.passes import IS_PLAIN, PRIVATE_OPTIONS

config: Any = _config  # numba fills it at run time
_Function = TypeVar("_Function", bound=Callable[..., Any])


def cache_directory() -> Path:
    """Return the folder of compiled kernels.

    ``NUMBA_CACHE_DIR`` and ``QAS_ENVS_CACHE_DIR`` are respected, in this order; else the user's cache folder is used.
    """
    sources = sorted(Path(__file__).parent.glob("*.py"))
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]
    digest += "-plain" if IS_PLAIN else ""
    if config.CACHE_DIR:
        return Path(config.CACHE_DIR) / f"qas-kernels-{digest}"
    return cache_root() / f"kernels-{digest}"


_CACHE = str(cache_directory())


def kernel(function: _Function) -> _Function:
    """Compile ``function`` with numba: no GIL, machine code kept in :func:`cache_directory`."""
    previous = config.CACHE_DIR
    config.CACHE_DIR = _CACHE
    try:
        return cast(_Function, numba.njit(**loops.OPTIONS, no_cfunc_wrapper=True, cache=True)(function))
    finally:
        config.CACHE_DIR = previous


class _Compilation(Listener):  # type: ignore[misc]
    """Writes a line on standard error when the first kernel is compiled, and the first one for noise.

    Each takes up to half a minute. Meanwhile nothing is searched for garbage: the compiler makes a million objects, and
    a tenth of its time would go there. Numba compiles in one thread at a time.
    """

    def __init__(self) -> None:
        self.written: set[str] = set()
        self.depth = 0  # of functions that are compiled for others
        self.collects = False  # outside

    def on_start(self, event: Any) -> None:
        purpose = " for noise" if event.data["dispatcher"].py_func.__name__ == "solve_pauli_transfer" else ""
        if self.depth == 0 and purpose not in self.written:
            self.written.add(purpose)
            sys.stderr.write(f"compiling kernels{purpose}, once for this machine and version (kept in {_CACHE})\n")
            sys.stderr.flush()
        if self.depth == 0:
            self.collects = gc.isenabled()
            gc.disable()
        self.depth += 1

    def on_end(self, event: Any) -> None:
        self.depth -= 1
        if self.depth == 0 and self.collects:
            gc.enable()


numba.core.event.register("numba:compile", _Compilation())

INNER: Final[dict[str, Any]] = loops.INNER_OPTIONS | ({} if IS_PLAIN else PRIVATE_OPTIONS)


def inner(function: _Function) -> _Function:
    """Compile a function that only other kernels call; it is kept inside their machine code.

    It allocates and returns no arrays, so it needs no reference counts: these cost more than a small simulation.
    """
    return cast(_Function, numba.njit(**INNER)(function))


def inlined(function: _Function) -> _Function:
    """Paste a function into its only caller, so that it is optimised once and not once per level of calls."""
    return cast(_Function, numba.njit(**INNER, inline="always")(function))
