"""Noise of models estimated by pyGSTi (needs ``pygsti``)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations
from typing import Any, Final

import numpy as np

from qas_simulators.errors import must
from qas_simulators.gates import GATE_INDEX, GATES
from qas_simulators.noise import NoiseModel

STANDARD_NAMES: Final = {
    "Gi": "id",
    "Gxpi": "x",
    "Gypi": "y",
    "Gzpi": "z",
    "Gxpi2": "sx",
    "Gxmpi2": "sxdg",
    "Gzpi2": "s",
    "Gzmpi2": "sdg",
    "Gh": "h",
    "Gt": "t",
    "Gcnot": "cx",
    "Gcphase": "cz",
    "Gswap": "swap",
}


def noise_from_pygsti(model: Any, gates: Mapping[str, str] | None, tolerance: float) -> NoiseModel:
    """Read a model's matrices; see :meth:`NoiseModel.from_pygsti`.

    pyGSTi writes every operation on all qubits, the first of them most significant. Here each is restricted to the
    gate's own qubits, the first of them least significant.
    """
    names = STANDARD_NAMES if gates is None else gates
    if any(factor != "pp" for factor in str(model.basis.name).split("*")):
        raise ValueError(must("model", "be in the Pauli-product basis", model.basis.name))
    register = list(model.state_space.sole_tensor_product_block_labels)
    ptms = {}
    for label, operation in model.operations.items():
        if label.name not in names:
            continue
        if names[label.name] not in GATE_INDEX:
            raise ValueError(must("gates", f"map to {sorted(GATE_INDEX)}", names[label.name]))
        qubits = tuple(register if label.sslbls is None else label.sslbls)
        if len(qubits) != GATES[GATE_INDEX[names[label.name]]].num_qubits:
            raise ValueError(must("gates", "map to gates on as many qubits", f"{label} to {names[label.name]}"))
        dense = operation.to_dense().reshape((4,) * (2 * len(register)))
        axes = [register.index(qubit) for qubit in reversed(qubits)]  # the last qubit is the most significant digit
        for axis in reversed(range(len(register))):
            if axis not in axes:  # a qubit that the gate does not act on: from I to I
                dense = np.take(np.take(dense, 0, axis=dense.ndim // 2 + axis), 0, axis=axis)
                axes = [own - (own > axis) for own in axes]
        order = axes + [len(axes) + axis for axis in axes]
        places = tuple(register.index(qubit) for qubit in qubits)
        ptms[names[label.name], places] = dense.transpose(order).reshape(4 ** len(axes), -1)
    noise = NoiseModel.from_ptms(ptms, with_gate=True, tolerance=tolerance)
    noise.num_qubits = len(register)
    for gate in GATES:
        for places in permutations(range(len(register)), gate.num_qubits):
            if (gate.name, places) not in ptms:
                noise.refuse(gate.name, places, f"the model has no matrix of {gate.name}")
    return noise
