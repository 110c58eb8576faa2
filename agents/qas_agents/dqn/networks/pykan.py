"""Networks of the pykan library, as a reference, and conversion from and to them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from qas_agents.dqn.networks.kan import KAN
from qas_simulators.errors import must, needs_extra


def _pykan(widths: Sequence[int], grid: int, order: int, seed: int, save_act: bool) -> Any:
    with needs_extra("kan"):
        from qas_agents.dqn.networks.quiet_pykan import QuietKAN
    return QuietKAN(width=list(widths), grid=grid, k=order, seed=seed, symbolic_enabled=False, save_act=save_act)


class PyKAN(nn.Module):
    """A network of pykan without its inactive symbolic branch and without logging.

    PyTorch's generator seeds it; its construction does not disturb other generators.
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
    """Return a network of pykan with the same outputs, for its plots, pruning and symbolic regression."""
    theirs = _pykan(network.widths, network.grid, network.order, 0, save_act=True)
    with torch.no_grad():
        for layer, ours in zip(theirs.act_fun, network.layers, strict=True):
            layer.grid.data = ours.knots.clone()
            layer.coef.data = ours.coefficients.transpose(1, 2).clone()
            layer.scale_base.data = ours.base.clone()
            layer.scale_sp.data = ours.scale.clone()
    theirs.symbolic_enabled = True  # needed by pruning and symbolic regression; all its masks are 0
    return theirs


def from_pykan(theirs: Any) -> KAN:
    """Return a network of this package with the outputs of one of pykan; pruned edges become zeros.

    Raises:
        TypeError: Not a network of pykan.
        ValueError: It has features that KAN lacks: symbolic edges, products, affine maps, another base function than
            ``"silu"`` and ``"zero"``, grids or orders that differ between layers, or inputs that it leaves out.
    """
    if not hasattr(theirs, "act_fun") or not hasattr(theirs, "symbolic_fun"):
        raise TypeError(must("theirs", "be a network of pykan", theirs))
    layers = theirs.act_fun
    _require_known(theirs)
    widths = [width if isinstance(width, int) else width[0] for width in theirs.width]
    ours = KAN(widths, layers[0].num, layers[0].k).to(layers[0].coef)
    with torch.no_grad():
        for layer, their_layer in zip(ours.layers, layers, strict=True):
            layer.base.copy_(their_layer.scale_base * their_layer.mask * _share_of_silu(their_layer))
            layer.scale.copy_(their_layer.scale_sp * their_layer.mask)
            layer.coefficients.copy_(their_layer.coef.transpose(1, 2))
            layer.set_knots(their_layer.grid.detach().clone())
    return ours


def _require_known(theirs: Any) -> None:
    """Raise ``ValueError`` for features that KAN lacks."""
    if any(not isinstance(width, int) and len(width) > 1 and width[1] for width in theirs.width):
        raise ValueError(must("theirs", "have no nodes that multiply", theirs.width))
    if any(bool(layer.mask.any()) for layer in theirs.symbolic_fun):
        raise ValueError(must("theirs", "have no symbolic edges", "with some"))
    for name, neutral in {"node_scale": 1.0, "subnode_scale": 1.0, "node_bias": 0.0, "subnode_bias": 0.0}.items():
        if any(bool((value != neutral).any()) for value in getattr(theirs, name)):
            raise ValueError(must("theirs", f"have {name} {neutral:g} everywhere", "something else"))
    splines = {(layer.num, layer.k) for layer in theirs.act_fun}
    if len(splines) > 1:
        raise ValueError(must("theirs", "have the same grid and order in all layers", sorted(splines)))
    inputs = theirs.input_id.tolist()
    if inputs != list(range(len(inputs))):
        raise ValueError(must("theirs", "read all inputs in their order", inputs))


def _share_of_silu(layer: Any) -> float:
    """Return the factor of SiLU in the base function of a layer of pykan: 1 or 0."""
    points = torch.linspace(-4.0, 4.0, 101).to(layer.coef)
    values = layer.base_fun(points)
    for share in (1.0, 0.0):
        if torch.equal(values, share * functional.silu(points)):
            return share
    raise ValueError(must("theirs", "have the base function 'silu' or 'zero'", layer.base_fun))
