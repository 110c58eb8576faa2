"""The schema of records: names and types of their fields, as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from qas_simulators.errors import must

_FIELDS: Final[dict[str, type]] = {
    "suite": str,
    "instance": str,
    "agent": str,
    "seed": int,
    "instance_hash": str,
    "settings": dict,
    "versions": dict,
    "machine": str,
    "command": str,
    "figures": dict,
    "circuits": dict,
}
_SETTINGS: Final[dict[str, type]] = {"env": dict, "agent": dict, "noise": dict, "training": dict}
_FIGURES: Final[dict[str, type]] = {
    "steps": int,
    "episodes": int,
    "successes": int,
    "evaluations": int,
    "seconds": float,
    "accuracy": float,
    "ground_energy": float,
    "unit": str,
    "firsts": list,
}
_CIRCUIT: Final[dict[str, type]] = {
    "qasm": str,
    "energy": float,
    "energy_error": float,
    "two_qubit_gates": int,
    "gates": int,
    "depth": int,
    "evaluations": int,
    "seconds": float,
}
_BUDGETS: Final = ("max_seconds", "max_evaluations", "total_timesteps")
_KINDS: Final = {str: "a text", int: "a nonnegative integer", float: "a number", dict: "an object", list: "a list"}


def check_record(content: Mapping[str, Any]) -> None:
    """Check the fields of a record, without its hash.

    Raises:
        ValueError: A field is missing, unknown, or of another type; the message names it.
    """
    for name in content:
        if name not in _FIELDS:
            raise ValueError(must(name[:80], "be a field of records", content[name])[:200])
    _check_kinds("", content, _FIELDS)
    settings, figures = content["settings"], content["figures"]
    contents = settings.get("contents") or {}
    _check_kinds("settings.", settings, _SETTINGS)
    _check_kinds("settings.noise.", settings["noise"], {"name": str})
    for name in _BUDGETS:
        _check_kind(f"settings.training.{name}", settings["training"].get(name, 0), float)
    _check_kind("settings.contents", contents, dict)
    _check_kinds("settings.contents.", contents, dict.fromkeys(contents, str))
    _check_kinds("figures.", figures, _FIGURES)
    if figures.get("first_solved", 0) is not None:
        _check_numbers("figures.first_solved", figures.get("first_solved"), (int, float))
    for number, row in enumerate(figures["firsts"]):
        _check_numbers(f"figures.firsts[{number}]", row, (int, int, float))
    for name, circuit in content["circuits"].items():
        _check_kind(f"circuits.{name}", circuit, dict)
        _check_kinds(f"circuits.{name}.", circuit, _CIRCUIT)


def _check_kinds(prefix: str, content: Mapping[str, Any], kinds: Mapping[str, type]) -> None:
    for name, kind in kinds.items():
        if name not in content:
            raise ValueError(f"`{prefix}{name}` must be given.")
        _check_kind(f"{prefix}{name}", content[name], kind)


def _check_numbers(name: str, row: Any, kinds: tuple[type, ...]) -> None:
    if not isinstance(row, list) or len(row) != len(kinds):
        raise ValueError(must(name, f"be a list of {len(kinds)} numbers", _shortened(row)))
    for value, kind in zip(row, kinds, strict=True):
        _check_kind(name, value, kind)


def _check_kind(name: str, value: Any, kind: type) -> None:
    fits = isinstance(value, int | float if kind is float else kind) and not isinstance(value, bool)
    if not fits or (kind is int and value < 0):
        raise ValueError(must(name, f"be {_KINDS[kind]}", _shortened(value)))


def _shortened(value: Any) -> Any:
    return value if len(repr(value)) <= 60 else f"{repr(value)[:57]}..."
