"""How threads that run the same kernel divide its items: each claims the next one when it is free."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types as _types
from numba.extending import intrinsic

types: Any = _types  # numba fills it at run time


@intrinsic  # type: ignore[untyped-decorator]
def claim(typing_context: Any, cursor: Any) -> Any:
    """Return ``cursor[0]`` and add 1 to it, in one step that no other thread can interrupt."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        array = context.make_array(signature.args[0])(context, builder, values[0])
        return builder.atomic_rmw("add", array.data, ir.Constant(ir.IntType(64), 1), "monotonic")

    return types.int64(cursor), generate
