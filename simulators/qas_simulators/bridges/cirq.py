"""Circuits to Cirq (``cirq-core``)."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from qas_simulators.circuit import Circuit
from qas_simulators.errors import needs_extra
from qas_simulators.gates import GATES, gate_index

with needs_extra("cirq"):
    import cirq

_FIXED: Final[dict[str, Any]] = {
    "id": cirq.I,
    "x": cirq.X,
    "y": cirq.Y,
    "z": cirq.Z,
    "h": cirq.H,
    "s": cirq.S,
    "t": cirq.T,
    "sdg": cirq.S**-1,
    "tdg": cirq.T**-1,
    "sx": cirq.X**0.5,
    "sxdg": cirq.X**-0.5,
    "cx": cirq.CNOT,
    "cz": cirq.CZ,
    "swap": cirq.SWAP,
}
_ROTATIONS: Final[dict[str, Any]] = {
    "rx": cirq.rx,
    "ry": cirq.ry,
    "rz": cirq.rz,
    "p": lambda angle: cirq.ZPowGate(exponent=angle / np.pi),
    "rxx": lambda angle: cirq.XXPowGate(exponent=angle / np.pi, global_shift=-0.5),
    "ryy": lambda angle: cirq.YYPowGate(exponent=angle / np.pi, global_shift=-0.5),
    "rzz": lambda angle: cirq.ZZPowGate(exponent=angle / np.pi, global_shift=-0.5),
}


def to_cirq(circuit: Circuit) -> cirq.Circuit:
    """Return the same gates; qubit ``k`` is ``LineQubit(k)``.

    A gate that Cirq does not have is a ``MatrixGate``. Qubits without gates get an identity, so that the register keeps
    its size. Note that Cirq's matrices and state vectors have qubit 0 as the most significant bit.
    """
    qubits = cirq.LineQubit.range(circuit.num_qubits)
    result = cirq.Circuit()
    touched: set[int] = set()
    for name, places, angle in circuit:
        own = [qubits[place] for place in places]
        touched |= {*places}
        if angle is not None and name in _ROTATIONS:
            result.append(_ROTATIONS[name](angle).on(*own))
        elif name in _FIXED:
            result.append(_FIXED[name].on(*own))
        else:
            matrix = GATES[gate_index(name)].matrix(angle or 0.0)  # the first qubit is its least significant bit
            result.append(cirq.MatrixGate(matrix, name=name).on(*own[::-1]))
    result.append(cirq.I.on(qubits[qubit]) for qubit in range(circuit.num_qubits) if qubit not in touched)
    return result
