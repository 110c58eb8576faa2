"""Presets: sets of rules by name, the defaults and one per published setting. Arguments override a preset's rules.

The name of a paper, such as ``"crlqas"``, stands for the setting that its released code has for the instance. If it has
none, a warning is given, and the constants are those of the paper's first instance.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from inspect import signature
from typing import Any, Final

from qas_envs.components import chosen
from qas_envs.problems import PROBLEMS
from qas_envs.rules import RULES


@dataclass(frozen=True)
class Preset:
    """A set of rules.

    Attributes:
        rules: A value for every rule, by name.
        paper: Short name of the paper that published it; empty for other presets.
        problem: Name of the problem that it was published for.
        settings: Arguments of that problem.
    """

    rules: Mapping[str, Any]
    paper: str = ""
    problem: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    def fits(self, problem: str, settings: Mapping[str, Any]) -> bool:
        """Return whether this is the instance that the preset was published for."""
        if problem != self.problem:
            return False
        defaults = {name: parameter.default for name, parameter in signature(PROBLEMS[problem]).parameters.items()}
        return all({**defaults, **settings}[name] == value for name, value in self.settings.items())


_DEFAULT: Final[dict[str, Any]] = {name: rule.default for name, rule in RULES.items()}


def _moving(initial: float, switch: float | None = None, large: bool = False, **more: Any) -> dict[str, Any]:
    """Return CRLQAS's moving threshold; six and eight qubits have other constants than two to four."""
    constants = {"amortisation": 1e-3, "shift_time": 2000, "successes": 50} if large else {}
    return {
        "name": "moving",
        "initial": initial,
        "switch": switch if switch is not None else initial,
        **constants,
    } | more


def _cobyla(rules: Mapping[str, Any], max_evaluations: int = 1000) -> dict[str, Any]:
    return {**_DEFAULT, "optimizer": {"name": "cobyla", "max_evaluations": max_evaluations}, **rules}


# Patel et al., arXiv:2402.03500, the released noiseless settings (lbmt_cobyla_*, mt_cobyla_6qLiH*). Deviations: the new
# gate is optimised before its energy is read, and masks are right (docs/papers/crlqas.md).
_CRLQAS: Final[dict[str, tuple[dict[str, Any], int, str, dict[str, Any]]]] = {
    "crlqas_h2_2": ({"curriculum": _moving(0.97)}, 100, "h2", {"num_qubits": 2, "bond_length": 0.7414}),
    "crlqas_h2_3": ({"curriculum": _moving(1.63)}, 100, "h2", {"num_qubits": 3, "bond_length": 0.7414}),
    "crlqas_h2_4": ({"curriculum": _moving(1.0160872)}, 1000, "h2", {"num_qubits": 4, "bond_length": 0.7}),
    "crlqas_lih4": ({"curriculum": _moving(2.45, 4.0)}, 1000, "lih", {"num_qubits": 4, "bond_length": 3.4}),
    "crlqas_lih6": (
        {"curriculum": _moving(2.90, large=True), "max_gates": 70},
        1000,
        "lih",
        {"num_qubits": 6, "bond_length": 2.2},
    ),
    "crlqas_h2o8": (
        {"curriculum": _moving(5.0, large=True), "max_gates": 250},
        1000,
        "h2o",
        {"num_qubits": 8, "geometry": "legacy-bohr"},
    ),
}

# Kundu et al., arXiv:2503.11638, the released settings of the Ising chain without gadgets: spins, field, gate budget,
# first threshold. IBM's native gates are its variant "hardware"; the others have CX and rotations.
_GRL: Final = {
    "ibm": (
        *((2, 0.05, 30, 2), (2, 1.0, 20, 2), (3, 0.001, 50, 2), (3, 0.05, 50, 2), (4, 1.0, 80, 4)),
        *((5, 0.001, 70, 2), (5, 0.05, 70, 2), (6, 0.001, 70, 5), (6, 0.05, 70, 2)),
    ),
    "crlqas": ((2, 0.001, 20, 2), (2, 1.0, 20, 2), (3, 1.0, 50, 2), (4, 1.0, 80, 4), (5, 1.0, 80, 4), (6, 1.0, 80, 5)),
}

# TensorRL-QAS, arXiv:2505.09371, "trainable": a fixed threshold, and a prefix that is optimised with the rest. For
# molecules the prefix is the Hartree-Fock state, 15 to 27 CNOTs there; here X gates prepare it. Steps: its table 11.
_TENSORRL: Final[dict[str, tuple[int, str, dict[str, Any]]]] = {
    "tensorrl_beh2": (20, "beh2", {"geometry": "legacy-bohr"}),
    "tensorrl_ch2": (20, "ch2", {"geometry": "legacy-bohr"}),
    "tensorrl_h2o8": (20, "h2o", {"num_qubits": 8, "geometry": "legacy-bohr"}),
    "tensorrl_h2o10": (20, "h2o", {"num_qubits": 10, "geometry": "legacy-bohr"}),
    "tensorrl_lih12": (40, "lih", {"num_qubits": 12, "bond_length": 3.4, "geometry": "legacy-bohr"}),
}

# Kundu, Sarkar, Sadhu, arXiv:2406.17630, state preparation: nothing to optimise, fidelity above 0.98.
_KANQAS_RULES: Final[dict[str, Any]] = {
    **_DEFAULT,
    "gates": "kanqas",
    "encoding": {"name": "tensor", "energy": False},
    "reward": "kanqas",
    "optimizer": "none",
}


# Observations of gates stay small on 100 qubits.
_CLIFFORD_RULES: Final[dict[str, Any]] = {
    **_DEFAULT,
    "gates": "clifford",
    "encoding": "gates",
    "reward": "priced",
    "optimizer": "none",
    "simulator": "stabilizer",
}


def _grl_name(gates: str, spins: int, strength: float) -> str:
    return f"grl_tfim{spins}_h{strength:g}" + ("" if gates == "ibm" else "_cx")


PRESETS: Final[dict[str, Preset]] = {
    "default": Preset(_DEFAULT),
    "priced": Preset({**_DEFAULT, "reward": "priced"}),  # rewards short circuits
    "blocks": Preset({**_DEFAULT, "reward": "priced", "actions": "blocks"}),  # the default of qas-train
    "clifford": Preset(_CLIFFORD_RULES),  # of stabiliser states
    "crlqas": Preset(_cobyla(_CRLQAS["crlqas_lih4"][0])),
    "kanqas": Preset(_KANQAS_RULES),
    "grl": Preset(_cobyla({"gates": "ibm", "curriculum": _moving(2.0), "max_gates": 20})),
    "tensorrl": Preset(_cobyla({"initial": "basis_state"})),
    **{
        name: Preset(_cobyla(rules, evaluations), "crlqas", problem, settings)
        for name, (rules, evaluations, problem, settings) in _CRLQAS.items()
    },
    # the variant whose threshold is measured from the exact energy
    "crlqas_lih6_ground": Preset(
        _cobyla({"curriculum": _moving(5e-3, large=True, reference="ground"), "max_gates": 70}),
        problem="lih",
        settings=_CRLQAS["crlqas_lih6"][3],
    ),
    "kanqas_bell": Preset({**_KANQAS_RULES, "max_gates": 6}, "kanqas", "bell"),
    "kanqas_ghz": Preset({**_KANQAS_RULES, "max_gates": 12}, "kanqas", "ghz"),
    **{
        _grl_name(gates, spins, strength): Preset(
            _cobyla({"gates": gates, "curriculum": _moving(first), "max_gates": budget}),
            "grl" if gates == "ibm" else "",
            "tfim",
            {"num_qubits": spins, "field": strength},
        )
        for gates, rows in _GRL.items()
        for spins, strength, budget, first in rows
    },
    **{
        name: Preset(_cobyla({"initial": "basis_state", "max_gates": budget}), "tensorrl", problem, settings)
        for name, (budget, problem, settings) in _TENSORRL.items()
    },
}

PAPERS: Final = tuple(dict.fromkeys(preset.paper for preset in PRESETS.values() if preset.paper))
"""Names that stand for a paper's setting of the instance."""


def preset_for(name: str, problem: str, settings: Mapping[str, Any] | None) -> Preset:
    """Return the preset with a name, or the preset of a paper for an instance.

    Args:
        name: Name of the preset or of the paper.
        problem: Name of the problem; empty if it was given as an object.
        settings: Arguments of the problem.

    Raises:
        ValueError: Unknown name; the message names the choices.

    Warns:
        UserWarning: The preset was published for another instance, or the paper has none for this one.

    Examples:
        >>> preset_for("crlqas", "lih", {"num_qubits": 6, "bond_length": 2.2}).rules["max_gates"]
        70
    """
    preset = PRESETS[chosen("preset", name, PRESETS)]
    settings = settings if isinstance(settings, Mapping) else {}  # the problem refuses anything else
    if name in PAPERS:
        of_paper = {key: each for key, each in PRESETS.items() if each.paper == name}
        for each in of_paper.values():
            if each.fits(problem, settings):
                return each
        warnings.warn(
            f"Preset {name!r} has no published setting for this instance: gate budget and thresholds are those of "
            f"another one. Published are {', '.join(of_paper)}.",
            UserWarning,
            stacklevel=4,
        )
    elif preset.problem and not preset.fits(problem, settings):
        given = ", ".join(f"{key}={value!r}" for key, value in preset.settings.items())
        warnings.warn(
            f"The constants of preset {name!r} were published for {preset.problem}({given}), not for this instance.",
            UserWarning,
            stacklevel=4,
        )
    return preset
