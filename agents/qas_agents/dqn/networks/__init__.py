"""Value networks, chosen by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from torch import nn

from qas_agents.dqn.config import SIZE_FREE
from qas_agents.dqn.networks.dueling import Dueling
from qas_agents.dqn.networks.graph import GraphQNetwork
from qas_agents.dqn.networks.kan import KAN
from qas_agents.dqn.networks.mlp import mlp
from qas_agents.dqn.networks.pykan import PyKAN, from_pykan, to_pykan
from qas_agents.graph.layout import GraphLayout
from qas_agents.settings import check_names
from qas_simulators.errors import must, unknown_name

__all__ = ["KAN", "NETWORKS", "Dueling", "GraphQNetwork", "PyKAN", "from_pykan", "make_network", "mlp", "to_pykan"]


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


NETWORKS: Final[dict[str, Callable[..., nn.Module]]] = {
    "mlp": mlp,
    "kan": _kan,
    "pykan": _pykan,
    "graph": GraphQNetwork,
}


def make_network(
    settings: Mapping[str, Any],
    num_inputs: int,
    num_actions: int,
    dueling: bool = False,
    layout: GraphLayout | None = None,
) -> nn.Module:
    """Return a network.

    Args:
        settings: Its ``name`` and the arguments of its function.
        num_inputs: Length of an observation.
        num_actions: Number of action values.
        dueling: Whether the network has dueling heads.
        layout: Where observations show a graph: how they do.

    Raises:
        ValueError: Unknown name or setting, an impossible size, or observations that the network cannot read.
    """
    given = dict(settings)
    name = given.pop("name", None)
    if name not in NETWORKS:
        raise ValueError(unknown_name("network", name, NETWORKS))
    check_names(f"network {name!r}", NETWORKS[name], given, without=("num_inputs", "num_outputs", "layout"))
    sizes: tuple[Any, ...] = (num_inputs, num_actions + dueling)
    if name in SIZE_FREE:
        if layout is None:
            raise ValueError(must("env", f"have the encoding 'hamiltonian_graph' for the network {name!r}", "without"))
        sizes = (num_actions + dueling, layout)
    elif layout is not None and len(layout.tables) > 1:
        raise ValueError(must("instances", f"all have the size of `env` for the network {name!r}", [*layout.tables]))
    try:
        network = NETWORKS[name](*sizes, **given)
    except TypeError as error:  # such as hidden=abc
        raise ValueError(must(f"network {name!r}", f"have settings of the right types ({error})", given)) from None
    return Dueling(network) if dueling else network
