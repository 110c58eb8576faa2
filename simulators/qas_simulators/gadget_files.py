"""Files of gadgets: JSON, one gadget a line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from qas_simulators.errors import must, unknown_name
from qas_simulators.flat_circuit import Link
from qas_simulators.gadgets import MOST_LEVELS, Gadget, Part, is_integer
from qas_simulators.gates import GATE_INDEX

_FORMAT, _VERSION = "qas-gadgets", 1
_DEFAULTS = {"factor": 1.0, "offset": 0.0}


def save_gadgets(gadgets: Iterable[Gadget], path: str | Path) -> None:
    """Write gadgets, and the gadgets inside them, as JSON; the file appears whole or not at all.

    Args:
        gadgets: The gadgets, in this order.
        path: The file.

    Raises:
        ValueError: Two different gadgets of one name.
    """
    found: dict[str, Gadget] = {}
    for gadget in gadgets:
        _collect(gadget, found)
    target = Path(path)
    rows = ",\n".join(json.dumps(_as_row(gadget)) for gadget in found.values())
    draft = target.with_name(target.name + ".tmp")
    draft.write_text(f'{{"format": "{_FORMAT}", "version": {_VERSION}, "gadgets": [\n{rows}\n]}}\n')
    draft.replace(target)


def load_gadgets(path: str | Path) -> dict[str, Gadget]:
    """Return the gadgets of a file by name, in its order.

    Args:
        path: A file that :func:`save_gadgets` wrote.

    Raises:
        ValueError: Not such a file, another version, a name given twice, a gate or gadget that is unknown or contains
            itself, a wrong number of qubits or angles, an angle bound twice.
    """
    try:
        data = json.loads(Path(path).read_text())
    except (OSError, ValueError, RecursionError) as error:  # no text, no JSON, or JSON that is nested too deeply
        raise ValueError(must("gadgets", f"name a file of gadgets ({error})", str(path))) from None
    if not isinstance(data, dict) or data.get("format") != _FORMAT or not isinstance(data.get("gadgets"), list):
        raise ValueError(must("gadgets", f"name a file of format {_FORMAT!r}", str(path)))
    if data.get("version") != _VERSION:
        raise ValueError(must("version", f"be {_VERSION} in {path}", data.get("version")))
    rows: dict[str, Mapping[str, Any]] = {}
    for row in data["gadgets"]:
        _require(row, {"name", "qubits", "params", "parts"}, set(), "gadget")
        if not isinstance(row["name"], str) or not isinstance(row["parts"], list):
            raise ValueError(must("gadget", "have a name and a list of parts", row))
        if row["name"] in rows:
            raise ValueError(must("names", "be given to one gadget each", row["name"]))
        rows[row["name"]] = row
    known: dict[str, Gadget] = {}
    for name in rows:
        _resolve(name, rows, known, ())
    return {name: known[name] for name in rows}


def _collect(gadget: Gadget, found: dict[str, Gadget]) -> None:
    for part in gadget.parts:
        if isinstance(part.what, Gadget):
            _collect(part.what, found)
    if found.setdefault(gadget.name, gadget) != gadget:
        raise ValueError(must("names", "be given to one gadget each", gadget.name))


def _as_row(gadget: Gadget) -> dict[str, Any]:
    parts = []
    for what, qubits, links in gadget.parts:
        row: dict[str, Any] = {"what": what if isinstance(what, str) else what.name, "qubits": list(qubits)}
        if links:
            row["angles"] = [_as_angle(link) for link in links]
        parts.append(row)
    return {"name": gadget.name, "qubits": gadget.num_qubits, "params": gadget.num_params, "parts": parts}


def _as_angle(link: Link) -> dict[str, float]:
    if link.source < 0:
        return {"value": link.offset}
    return {"param": link.source, "factor": link.factor, "offset": link.offset}


def _require(row: Any, needed: set[str], optional: set[str], what: str) -> None:
    if not isinstance(row, dict) or not needed <= {*row} or not {*row} <= needed | optional:
        raise ValueError(must(what, f"have {sorted(needed)} (and perhaps {sorted(optional)})", row))


def _resolve(
    name: str, rows: Mapping[str, Mapping[str, Any]], known: dict[str, Gadget], above: tuple[str, ...]
) -> Gadget:
    if len(above) > MOST_LEVELS:
        raise ValueError(must("gadgets", f"have at most {MOST_LEVELS} levels", f"deeper at {name!r}"))
    if name in above:
        raise ValueError(must("gadgets", "not be defined by themselves", " -> ".join([*above, name])))
    if name not in known:
        row, parts = rows[name], []
        for part in row["parts"]:
            _require(part, {"what", "qubits"}, {"angles"}, f"part of gadget {name!r}")
            what, angles = part["what"], part.get("angles", [])
            if not isinstance(what, str) or not isinstance(part["qubits"], list) or not isinstance(angles, list):
                requirement = "be of a gate or gadget on a list of qubits, and perhaps a list of angles"
                raise ValueError(must(f"part of gadget {name!r}", requirement, part))
            if what not in GATE_INDEX and what not in rows:
                raise ValueError(unknown_name(f"gate or gadget in gadget {name!r}", str(what), [*GATE_INDEX, *rows]))
            inner = what if what in GATE_INDEX else _resolve(what, rows, known, (*above, name))
            links = tuple(_as_link(angle, name) for angle in angles)
            parts.append(Part(inner, tuple(part["qubits"]), links))
        known[name] = Gadget(name, row["qubits"], row["params"], tuple(parts))
    return known[name]


def _as_link(angle: Any, name: str) -> Link:
    if isinstance(angle, dict) and "value" in angle:
        if {*angle} != {"value"}:
            raise ValueError(must(f"angles of gadget {name!r}", "be bound once, to a value or a parameter", angle))
        return Link(-1, 0.0, _number(angle["value"], name))
    _require(angle, {"param"}, {"factor", "offset"}, f"angle of gadget {name!r}")
    if not is_integer(angle["param"]):
        raise ValueError(must(f"parameters of gadget {name!r}", "be integers", angle["param"]))
    return Link(angle["param"], *(_number(angle.get(key, value), name) for key, value in _DEFAULTS.items()))


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > sys.float_info.max:
        raise ValueError(must(f"angles of gadget {name!r}", "be numbers, finite ones", value))
    return float(value)
