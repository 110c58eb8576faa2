"""Settings of papers and of our own defaults, as data. A preset fixes every rule; keyword arguments override it."""

from __future__ import annotations

from typing import Any, Final

_DEFAULT: Final[dict[str, Any]] = {
    "gates": "crlqas",
    "encoding": "tensor",
    "reward": "crlqas",
    "curriculum": "fixed",
    "halting": "none",
    "optimizer": "scan_lbfgs",
    "max_gates": 40,
}

PRESETS: Final[dict[str, dict[str, Any]]] = {
    "default": _DEFAULT,
    # Patel et al., arXiv:2402.03500, LiH on 4 qubits. Deviations from the released code: the new gate is optimised
    # before its energy is read, and masks are right (docs/environments.md).
    "crlqas": {
        **_DEFAULT,
        "curriculum": {"name": "moving", "initial": 2.45, "switch": 4.0},
        "optimizer": "cobyla",
    },
    # Kundu et al., arXiv:2406.17630, state preparation: fixed gates, nothing to optimise, fidelity 0.98.
    "kanqas": {
        **_DEFAULT,
        "gates": "kanqas",
        "encoding": {"name": "tensor", "energy": False},
        "reward": "kanqas",
        "optimizer": "none",
    },
    # Gadget RL on the transverse-field Ising chain, released "hardware" variant, 2 qubits at h = 1: IBM's native gates,
    # without the gadgets.
    "grl": {
        **_DEFAULT,
        "gates": "ibm",
        "curriculum": {"name": "moving", "initial": 2.0},
        "optimizer": "cobyla",
        "max_gates": 20,
    },
    # TensorRL-QAS, arXiv:2505.09371, "trainable": a fixed threshold and a prefix that is optimised with the rest. The
    # published prefixes of molecules are the Hartree-Fock state at 15 to 27 CNOT; here it is made of X gates.
    "tensorrl": {
        **_DEFAULT,
        "initial": "basis_state",
        "optimizer": "cobyla",
    },
}
