"""pykan's networks: as the reference, and as another form of ours."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from qas_agents.dqn.networks.kan import KAN
from qas_simulators.errors import must, needs_extra


@contextmanager
def _untouched_generators() -> Iterator[None]:
    """Undo what pykan's constructor does to everybody's random generators."""
    states = random.getstate(), np.random.get_state(), torch.random.get_rng_state()  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        torch.random.set_rng_state(states[2])


def _pykan(widths: Sequence[int], grid: int, order: int, seed: int, save_act: bool) -> Any:
    with needs_extra("kan"):
        import kan  # type: ignore[import-untyped]
    settings = {"symbolic_enabled": False, "save_act": save_act, "auto_save": False}
    with _untouched_generators():
        return kan.KAN(width=list(widths), grid=grid, k=order, seed=seed, **settings)


class PyKAN(nn.Module):
    """pykan's network without what a training step does not need: its inactive symbolic branch and its logging.

    It is seeded from torch's generator, and leaves every generator as it was.
    """

    def __init__(self, widths: Sequence[int], grid: int = 5, order: int = 3) -> None:
        super().__init__()
        self.inner: Any = _pykan(widths, grid, order, int(torch.randint(2**31, ())), save_act=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(batch, outputs)``."""
        result: Tensor = self.inner(x)
        return result

    def refit(self, x: Tensor) -> None:
        """Refit the grids as pykan does, coefficients of constant inputs included."""
        self.inner.save_act = True
        self.inner.update_grid_from_samples(x)
        self.inner.save_act = False


def to_pykan(network: KAN) -> Any:
    """Return pykan's network with the same outputs, ready for its plots, pruning and symbolic regression."""
    theirs = _pykan(network.widths, network.grid, network.order, 0, save_act=True)
    with torch.no_grad():
        for layer, ours in zip(theirs.act_fun, network.layers, strict=True):
            layer.grid.data = ours.knots.clone()
            layer.coef.data = ours.coefficients.transpose(1, 2).clone()
            layer.scale_base.data = ours.base.clone()
            layer.scale_sp.data = ours.scale.clone()
    theirs.symbolic_enabled = True  # pruning and symbolic regression want it; all its masks are 0
    return theirs


def from_pykan(theirs: Any) -> KAN:
    """Return our network with the outputs of pykan's; pruned edges become zeros.

    Raises:
        ValueError: It has symbolic edges, products or affine maps, which ours does not know.
    """
    widths = [width if isinstance(width, int) else width[0] for width in theirs.width]
    if any(not isinstance(width, int) and len(width) > 1 and width[1] for width in theirs.width):
        raise ValueError(must("theirs", "have no nodes that multiply", theirs.width))
    if any(bool(layer.mask.any()) for layer in theirs.symbolic_fun):
        raise ValueError(must("theirs", "have no symbolic edges", "with some"))
    for name, neutral in {"node_scale": 1.0, "subnode_scale": 1.0, "node_bias": 0.0, "subnode_bias": 0.0}.items():
        if any(bool((value != neutral).any()) for value in getattr(theirs, name)):
            raise ValueError(must("theirs", f"have {name} {neutral:g} everywhere", "something else"))
    ours = KAN(widths, theirs.grid, theirs.k)
    with torch.no_grad():
        for layer, their_layer in zip(ours.layers, theirs.act_fun, strict=True):
            layer.base.copy_(their_layer.scale_base * their_layer.mask)
            layer.scale.copy_(their_layer.scale_sp * their_layer.mask)
            layer.coefficients.copy_(their_layer.coef.transpose(1, 2))
            layer.take_up_knots(their_layer.grid.detach().clone())
    return ours
