"""Transfer of a trained network's weights to a network with other inputs and outputs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from qas_agents.dqn.networks.dueling import Dueling
from qas_agents.dqn.networks.kan import KAN, KANLayer
from qas_simulators.errors import must

Sources = Sequence[int | None]
"""For every new input or output the number of the old one, or ``None`` if there was none."""


@torch.no_grad()
def transplant(old: nn.Module, new: nn.Module, inputs: Sources, outputs: Sources) -> None:
    """Initialise a network so that it returns the values of an older one.

    New inputs have no effect at first. New outputs are the mean of all old ones. Dueling heads keep the state's value.
    Removed inputs count as 0 in multilayer perceptrons; in KANs the constants of their edges are lost.

    Args:
        old: An MLP or KAN, possibly with dueling heads.
        new: Of the same kind and hidden widths.
        inputs: The old input of every new one.
        outputs: The old action value of every new one.

    Raises:
        ValueError: Networks of other kinds, or that differ in more than inputs and outputs.
    """
    if isinstance(old, Dueling) and isinstance(new, Dueling):
        _transplant(old.body, new.body, inputs, outputs, is_dueling=True)
    else:
        _transplant(old, new, inputs, outputs, is_dueling=False)


def _transplant(old: nn.Module, new: nn.Module, inputs: Sources, outputs: Sources, is_dueling: bool) -> None:
    before, after = _layers(old), _layers(new)
    for k, (layer, other) in enumerate(zip(before, after, strict=True)):
        num_inputs, num_outputs = _sizes(layer)
        into = inputs if k == 0 else range(num_inputs)
        out: Sources = range(num_outputs)
        if k == len(before) - 1:
            out = outputs if not is_dueling else [0, *(None if source is None else source + 1 for source in outputs)]
        if type(layer) is not type(other) or _sizes(other) != (len(into), len(out)):
            raise ValueError(must("network", "have the hidden layers of the old one", _sizes(other)))
        first_action = int(is_dueling and k == len(before) - 1)
        for name, value in _parameters(layer).items():
            selected = value if name == "bias" else _selected(value, 0, into, torch.zeros(1))
            if name == "knots":
                _set(other, name, _selected(value, 0, into, value[:1]))
                continue
            mean = selected[..., first_action:].mean(dim=-1, keepdim=True)
            grown = _selected(selected, -1, out, mean)
            if first_action:  # advantages count relative to their mean, which changes with the actions
                grown[..., :1] += grown[..., 1:].mean(dim=-1, keepdim=True) - mean
            _set(other, name, grown)


def _layers(network: Any) -> list[nn.Module]:
    if isinstance(network, KAN):
        return list(network.layers)
    if isinstance(network, nn.Sequential):
        return [layer for layer in network if isinstance(layer, nn.Linear)]
    raise ValueError(must("network", "be an MLP or a KAN of this package", type(network).__name__))


def _sizes(layer: Any) -> tuple[int, int]:
    if isinstance(layer, KANLayer):
        return layer.num_inputs, layer.num_outputs
    return layer.in_features, layer.out_features


def _parameters(layer: Any) -> dict[str, Tensor]:
    """Return tensors with inputs on the first axis (except biases) and outputs on the last (except knots)."""
    if isinstance(layer, KANLayer):
        scaled = layer.scale.unsqueeze(1) * layer.coefficients
        return {"base": layer.base, "coefficients": scaled, "knots": layer.knots}
    return {"weight": layer.weight.t(), "bias": layer.bias}


def _set(layer: Any, name: str, value: Tensor) -> None:
    if name == "knots":
        layer.set_knots(value)
    elif name == "coefficients":
        layer.coefficients.copy_(value)
        layer.scale.fill_(1.0)
    else:
        getattr(layer, name).copy_(value.t() if name == "weight" else value)


def _selected(value: Tensor, axis: int, sources: Sources, default: Tensor) -> Tensor:
    """Return the slices of an axis named by ``sources``, and ``default`` where there is none."""
    picks = torch.tensor([0 if source is None else source for source in sources], device=value.device)
    is_new = torch.tensor([source is None for source in sources], device=value.device)
    shape = [1] * value.ndim
    shape[axis] = len(sources)
    return torch.where(is_new.reshape(shape), default.to(value.device), value.index_select(axis, picks))
