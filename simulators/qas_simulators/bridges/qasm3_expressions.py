"""Constant expressions of OpenQASM 3: integers, real numbers, functions."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

from qas_simulators.errors import needs_extra, unknown_name

with needs_extra("qiskit"):
    from openqasm3 import ast

Number = int | float
CONSTANTS: Final[dict[str, Number]] = {
    name: value
    for names, value in (("pi π", math.pi), ("tau τ", math.tau), ("euler ℇ", math.e))
    for name in names.split()
}
_FUNCTIONS: Final[dict[str, tuple[int, Callable[..., Number]]]] = {
    "arccos": (1, math.acos),
    "arcsin": (1, math.asin),
    "arctan": (1, math.atan),
    "ceiling": (1, math.ceil),
    "cos": (1, math.cos),
    "exp": (1, math.exp),
    "floor": (1, math.floor),
    "log": (1, math.log),
    "mod": (2, lambda left, right: _remainder(left, right)),
    "sin": (1, math.sin),
    "sqrt": (1, math.sqrt),
    "tan": (1, math.tan),
}
_MOST_BITS: Final = 64  # of an integer


class UnreadableError(Exception):
    """A part of a program that is not allowed or not supported; the message is the reason."""


def number(node: Any, names: Mapping[str, Number]) -> Number:
    """Return the value of an expression.

    Args:
        node: Expression of the reference parser.
        names: Values of the constants and parameters in scope.

    Raises:
        UnreadableError: An unknown name, something that is not a number, or arithmetic without a finite real result.
    """
    try:
        value = _value(node, names)
    except (ZeroDivisionError, OverflowError, ValueError) as error:
        raise UnreadableError(f"an expression has no value: {error}") from None
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        raise UnreadableError(f"an integer has more than {_MOST_BITS} bits")
    if not math.isfinite(value):
        raise UnreadableError("an expression is not finite")
    return value


def integer(node: Any, names: Mapping[str, Number]) -> int:
    """Return the value of an integer expression; arguments and errors are those of :func:`number`."""
    value = number(node, names)
    if not isinstance(value, int):
        raise UnreadableError(f"{value!r} is not an integer")
    return value


def constant(kind: Any, node: Any, names: Mapping[str, Number]) -> Number:
    """Return the value that an expression has as a constant of a type: ``int``, ``uint``, ``float`` or ``angle``."""
    size = None if getattr(kind, "size", None) is None else integer(kind.size, names)
    value = number(node, names)
    if isinstance(kind, ast.FloatType) and size in (None, 64):
        return float(value)
    if isinstance(kind, ast.AngleType) and size is None:
        return float(value)
    if isinstance(kind, ast.IntType | ast.UintType):
        bits = _MOST_BITS if size is None else size
        low, high = (0, 1 << bits) if isinstance(kind, ast.UintType) else (-(1 << bits - 1), 1 << bits - 1)
        if isinstance(value, int) and low <= value < high:
            return value
        raise UnreadableError(f"{value!r} does not fit the type of the constant")
    raise UnreadableError("constants may be of the types int, uint, float, float[64] and angle only")


def _value(node: Any, names: Mapping[str, Number]) -> Number:
    if isinstance(node, ast.IntegerLiteral | ast.FloatLiteral):
        return node.value
    if isinstance(node, ast.Identifier):
        if node.name in names:
            return names[node.name]
        if node.name in CONSTANTS:
            return CONSTANTS[node.name]
        raise UnreadableError(unknown_name("constant", node.name, [*names, *CONSTANTS]))
    if isinstance(node, ast.UnaryExpression) and node.op.name == "-":
        return -number(node.expression, names)
    if isinstance(node, ast.BinaryExpression) and node.op.name in _ARITHMETIC:
        return _ARITHMETIC[node.op.name](number(node.lhs, names), number(node.rhs, names))
    if isinstance(node, ast.FunctionCall):
        return _call(node, names)
    if isinstance(node, ast.Cast) and isinstance(node.type, ast.FloatType | ast.IntType | ast.UintType | ast.AngleType):
        return constant(node.type, node.argument, names)
    raise UnreadableError(f"{_words(type(node).__name__)} is no constant number")


def _words(name: str) -> str:
    """Return a class's name as words.

    Examples:
        >>> _words("BooleanLiteral")
        'a boolean literal'
    """
    words = "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in name).strip()
    return f"{'an' if words[0] in 'aeiou' else 'a'} {words}"


def _call(node: Any, names: Mapping[str, Number]) -> Number:
    if node.name.name not in _FUNCTIONS:
        raise UnreadableError(unknown_name("function", node.name.name, _FUNCTIONS))
    num_arguments, function = _FUNCTIONS[node.name.name]
    if len(node.arguments) != num_arguments:
        raise UnreadableError(f"{node.name.name} has {num_arguments} argument(s), but is given {len(node.arguments)}")
    return function(*(number(argument, names) for argument in node.arguments))


def _quotient(left: Number, right: Number) -> Number:
    """Divide; integers only without remainder, because readers of OpenQASM differ in what 1/2 is."""
    if isinstance(left, int) and isinstance(right, int):
        if left % right:
            raise UnreadableError(f"{left}/{right} divides integers: write {left}.0/{right} for the real number")
        return left // right
    return left / right


def _remainder(left: Number, right: Number) -> Number:
    if left < 0 or right < 0:
        raise UnreadableError("the remainder of a negative number is not supported")
    return left % right


def _power(left: Number, right: Number) -> Number:
    if isinstance(left, int) and isinstance(right, int):
        if right < 0:
            raise UnreadableError(f"{left}**{right} is no integer: write {left}.0**{right}")
        if right * left.bit_length() > _MOST_BITS and abs(left) > 1:
            raise UnreadableError(f"an integer has more than {_MOST_BITS} bits")
        return int(left**right)
    return math.pow(left, right)


_ARITHMETIC: Final[dict[str, Callable[[Number, Number], Number]]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _quotient,
    "%": _remainder,
    "**": _power,
}
