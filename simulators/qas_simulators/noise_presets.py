"""Named noise models with their settings, as functions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from qas_simulators.channels import Channel, depolarizing, thermal_relaxation
from qas_simulators.device_snapshots import snapshot
from qas_simulators.errors import unknown_name
from qas_simulators.noise import ONE_QUBIT_GATES, TWO_QUBIT_GATES, NoiseModel


def kanqas(p_bit_flip: float = 0.3, p_depolarizing: float = 0.2) -> NoiseModel:
    """Bit flips after one-qubit gates, two-qubit depolarising after CX: arXiv:2406.17630, the released setting."""
    return NoiseModel.bit_flip(p_bit_flip).add(depolarizing(p_depolarizing, 2), ["cx"])


def product_depolarizing(p1: float = 1e-3, p2: float = 5e-3) -> NoiseModel:
    """``p1`` after one-qubit gates, ``p2`` on each qubit of a two-qubit gate: arXiv:2402.03500, "0p001_0p005"."""
    return NoiseModel.depolarizing(p1=p1).add(depolarizing(p2), TWO_QUBIT_GATES)


def mumbai(level: str = "median") -> NoiseModel:
    """IBM Mumbai on 2023-08-08 as in arXiv:2402.03500: depolarising, thermal relaxation and readout errors.

    Args:
        level: ``"median"`` or ``"max"`` over the device's qubits, or ``"10max"``, ten times the worst.

    Raises:
        ValueError: Unknown level.
    """
    if level not in _MUMBAI:
        raise ValueError(unknown_name("level", level, _MUMBAI))
    p1, p2, readout, one, two = _MUMBAI[level]
    return (
        NoiseModel()
        .add(depolarizing(p1), ONE_QUBIT_GATES)
        .add(depolarizing(p2), TWO_QUBIT_GATES)
        .add(_relaxation(*one, 0.0758), ONE_QUBIT_GATES)
        .add(_relaxation(*two, 0.0758), TWO_QUBIT_GATES)
        .add_readout(readout)
    )


# Depolarising after one-qubit gates and on each qubit of a CX, readout; t/T1, t/T2 of both. Readout of "10max" is that
# of "max", as in the released code.
_MUMBAI: Final = {
    "median": (2.44e-4, 8.25e-3, 0.02246, (2.862e-4, 2.093e-4), (3.402e-3, 2.488e-3)),
    "max": (1.5e-3, 2.3e-2, 0.0869, (2.862e-4, 2.093e-4), (6.048e-3, 4.423e-3)),
    "10max": (1.5e-2, 2.3e-1, 0.0869, (2.862e-3, 2.093e-3), (6.048e-2, 4.423e-2)),
}


def ourense(p1: float = 5.22e-4, p2: float = 1.25e-2) -> NoiseModel:
    """IBM Ourense's qubits 0 to 3, coupled 0-1, 1-2 and 1-3, as in arXiv:2402.03500.

    Args:
        p1: Depolarising after one-qubit gates.
        p2: Depolarising on each qubit of a two-qubit gate.
    """
    model = NoiseModel().add(depolarizing(p1), ONE_QUBIT_GATES).add(depolarizing(p2), TWO_QUBIT_GATES)
    couplings = [(0, 1), (1, 2), (1, 3)]
    model.couplings = frozenset(couplings + [pair[::-1] for pair in couplings])
    for qubit, (one, _, readout) in enumerate(_OURENSE):
        model.add(_relaxation(*one, 0.0722), ONE_QUBIT_GATES, [qubit]).add_readout(readout, qubits=[qubit])
    for first, second in sorted(model.couplings):
        both = _relaxation(*_OURENSE[first][1], 0.0722).tensor(_relaxation(*_OURENSE[second][1], 0.0722))
        model.add(both, TWO_QUBIT_GATES, [first, second])
    return model


_OURENSE: Final = (  # by qubit: t/T1, t/T2 of one-qubit gates and of CX, readout
    ((4.620e-4, 6.888e-4), (3.960e-3, 5.904e-3), 0.0166),
    ((4.460e-4, 1.2700e-3), (3.823e-3, 1.0885e-2), 0.0237),
    ((3.448e-4, 3.271e-4), (2.955e-3, 2.804e-3), 0.0156),
    ((4.400e-4, 4.465e-4), (3.772e-3, 3.828e-3), 0.0396),
)


def _relaxation(by_t1: float, by_t2: float, excited_population: float) -> Channel:
    """Return relaxation over a gate whose duration is given in units of T1 and of T2."""
    return thermal_relaxation(1 / by_t1, 1 / by_t2, 1.0, excited_population)


def percent_1_5() -> NoiseModel:
    """Depolarising 1 % after one-qubit gates, 5 % after two-qubit gates: TensorRL-QAS' noisy BeH2 and H2O."""
    return NoiseModel.depolarizing(0.01, 0.05)


def none() -> NoiseModel:
    """No noise."""
    return NoiseModel()


NOISE_MODELS: Final[dict[str, Callable[..., NoiseModel]]] = {
    "none": none,
    "depolarizing": NoiseModel.depolarizing,
    "product_depolarizing": product_depolarizing,
    "bit_flip": NoiseModel.bit_flip,
    "kanqas": kanqas,
    "mumbai": mumbai,
    "ourense": ourense,
    "percent_1_5": percent_1_5,
    "snapshot": snapshot,
}
