"""Noise of models estimated by pyGSTi (needs ``pygsti``)."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import permutations, product
from typing import Any, Final

import numpy as np

from qas_simulators.errors import must
from qas_simulators.gates import GATE_INDEX, GATES
from qas_simulators.noise import NoiseModel
from qas_simulators.tomography.gate_set import GateSet

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
    names = _names(model, gates)
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


def gate_set_from_pygsti(model: Any, gates: Mapping[str, str] | None) -> GateSet:
    """Read gates, the only preparation and the only measurement; see :meth:`GateSet.from_pygsti`."""
    names = _names(model, gates)
    register = list(model.state_space.sole_tensor_product_block_labels)
    size, found = len(register), {}
    if len(model.preps) != 1 or len(model.povms) != 1 or size not in (1, 2):
        raise ValueError(must("model", "have one preparation, one measurement, and one or two qubits", register))
    # pyGSTi's strings have the first qubit as the most significant digit, and are divided by the root of 2**n
    order = np.arange(4**size).reshape((4,) * size).transpose().ravel()
    scale = 2.0 ** (size / 2)
    for label, operation in model.operations.items():
        if label.name in names:
            places = tuple(register.index(qubit) for qubit in (register if label.sslbls is None else label.sslbls))
            found[names[label.name], places] = operation.to_dense()[np.ix_(order, order)]
    (preparation,), (measurement,) = model.preps.values(), model.povms.values()
    effects = {str(label): effect.to_dense()[order] / scale for label, effect in measurement.items()}
    outcomes = ["".join(bits[::-1]) for bits in product("01", repeat=size)]  # qubit 0 changes fastest
    if set(effects) != set(outcomes):
        raise ValueError(must("model", f"have the outcomes {outcomes}", sorted(effects)))
    return GateSet(found, preparation.to_dense()[order] * scale, np.array([effects[name] for name in outcomes]))


def _names(model: Any, gates: Mapping[str, str] | None) -> Mapping[str, str]:
    """Return the gate of each of pyGSTi's names.

    Raises:
        ValueError: The model is in another basis.
    """
    if any(factor != "pp" for factor in str(model.basis.name).split("*")):
        raise ValueError(must("model", "be in the Pauli-product basis", model.basis.name))
    return STANDARD_NAMES if gates is None else gates
