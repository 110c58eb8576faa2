"""Writes the calibrations of Qiskit's fake backends to the file of snapshots (needs the ``devices`` extra).

``python -m qas_simulators.bridges.snapshots`` writes the shipped file.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

from qas_simulators.device_snapshots import FILE
from qas_simulators.errors import needs_extra

with needs_extra("devices"):
    import qiskit_ibm_runtime
    from qiskit_ibm_runtime import fake_provider

DEVICES: Final = (
    *("almaden", "athens", "belem", "boeblingen", "bogota", "burlington", "cambridge", "casablanca", "essex"),
    *("guadalupe", "jakarta", "johannesburg", "kolkata", "lagos", "lima", "london", "manila", "melbourne", "montreal"),
    *("mumbai", "nairobi", "ourense", "paris", "poughkeepsie", "quito", "rome", "santiago", "singapore", "sydney"),
    *("toronto", "valencia", "vigo", "yorktown"),
)
"""Devices of 5 to 28 qubits whose two-qubit gate was a CX with the same error in both directions."""


def calibrations_of(backend: Any) -> dict[str, Any]:
    """Return a backend's entry of the file; see :class:`~qas_simulators.device_snapshots.Snapshot`.

    Args:
        backend: With a target whose gates are CX, and SX or U3.
    """
    target = backend.target
    turn = "sx" if "sx" in target.operation_names else "u3"
    qubits: list[Any] = []
    for number, times in enumerate(target.qubit_properties):
        gate, measured = target[turn][number,], target["measure"][number,]
        values = (1e6 * times.t1, 1e6 * times.t2, gate.error, 1e9 * gate.duration, measured.error)
        works = gate.error < 1 and measured.error < 1
        qubits.append([_rounded(value) for value in values] if works else None)
    pairs = []
    for (first, second), there in sorted(target["cx"].items()):
        back = target["cx"][second, first]
        if first < second and there.error < 1 and qubits[first] and qubits[second]:
            pairs.append([first, second, *map(_rounded, (there.error, 1e9 * there.duration, 1e9 * back.duration))])
    return {"gates_per_turn": 2 if turn == "sx" else 1, "qubits": qubits, "pairs": pairs}


def _rounded(value: float) -> float:
    return float(f"{value:.10g}")


def write(path: Path) -> None:
    """Write the file."""
    rows = []
    for name in DEVICES:
        own = calibrations_of(getattr(fake_provider, f"Fake{name.capitalize()}V2")())
        rows.append(f"{json.dumps(name)}: {json.dumps(own, separators=(',', ':'))}")
    source = f"fake backends of qiskit-ibm-runtime {qiskit_ibm_runtime.__version__} (Apache License 2.0)"
    text = ",\n".join(rows)
    path.write_text(f'{{"source": {json.dumps(source)}, "devices": {{\n{text}\n}}}}\n', encoding="utf-8")


if __name__ == "__main__":
    write(Path(__file__).parents[1] / "data" / FILE)
