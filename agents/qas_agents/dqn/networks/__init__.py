"""Value networks, chosen by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from torch import nn

from qas_agents.dqn.networks.dueling import Dueling
from qas_agents.dqn.networks.kan import KAN
from qas_agents.dqn.networks.mlp import mlp
from qas_agents.dqn.networks.pykan import PyKAN, from_pykan, to_pykan
from qas_agents.settings import check_names
from qas_simulators.errors import must, unknown_name

__all__ = ["KAN", "NETWORKS", "Dueling", "PyKAN", "from_pykan", "make_network", "mlp", "to_pykan"]


def _kan(
    num_inputs: int,
    num_outputs: int,
    hidden: tuple[int, ...] = (2,),
    grid: int = 5,
    order: int = 3,
    start: str = "exact",
) -> KAN:
    return KAN([num_inputs, *hidden, num_outputs], grid, order, start)


def _pykan(num_inputs: int, num_outputs: int, hidden: tuple[int, ...] = (2,), grid: int = 5, order: int = 3) -> PyKAN:
    return PyKAN([num_inputs, *hidden, num_outputs], grid, order)


NETWORKS: Final[dict[str, Callable[..., nn.Module]]] = {"mlp": mlp, "kan": _kan, "pykan": _pykan}


def make_network(settings: Mapping[str, Any], num_inputs: int, num_actions: int, dueling: bool = False) -> nn.Module:
    """Return a network; ``settings`` are its ``name`` and the arguments of its function.

    Raises:
        ValueError: Unknown name or setting, or an impossible size.
    """
    given = dict(settings)
    name = given.pop("name", None)
    if name not in NETWORKS:
        raise ValueError(unknown_name("network", name, NETWORKS))
    check_names(f"network {name!r}", NETWORKS[name], given, without=("num_inputs", "num_outputs"))
    try:
        network = NETWORKS[name](num_inputs, num_actions + dueling, **given)
    except TypeError as error:  # such as hidden=abc
        raise ValueError(must(f"network {name!r}", f"have settings of the right types ({error})", given)) from None
    return Dueling(network) if dueling else network
