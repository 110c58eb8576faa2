"""Kolmogorov-Arnold networks on B-splines, evaluated by one matrix product per layer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from qas_agents.dqn.networks.spline_kernels import kernels
from qas_simulators.errors import must, unknown_name


def spline_basis(x: Tensor, knots: Tensor, order: int) -> Tensor:
    """Return every B-spline of ``order`` at ``x``, by the recursion of Cox and de Boor.

    Args:
        x: Points, ``(batch, inputs)``.
        knots: Rising knots of every input, ``(inputs, intervals + 2 * order + 1)``; cells are half open.
        order: Degree of the polynomials, 1 or more.

    Returns:
        ``(batch, inputs, intervals + order)``.

    References:
        de Boor, "A Practical Guide to Splines", chapter IX.
    """
    x = x.unsqueeze(-1)
    basis = ((x >= knots[:, :-1]) & (x < knots[:, 1:])).to(x.dtype)
    for degree in range(1, order + 1):
        left = (x - knots[:, : -degree - 1]) / (knots[:, degree:-1] - knots[:, : -degree - 1])
        right = (knots[:, degree + 1 :] - x) / (knots[:, degree + 1 :] - knots[:, 1:-degree])
        basis = left * basis[..., :-1] + right * basis[..., 1:]
    return basis.nan_to_num()  # 0 / 0 counts as 0 for coinciding knots


class ScaledUniformBasis(torch.autograd.Function):
    """``order!`` times the splines of :func:`spline_basis`, for uniform knots, in closed form with its derivative.

    All splines are shifts of one function, at distance ``d`` from its centre
    ``sum_j (-1)^j C(order + 1, j) max(0, (order + 1) / 2 - j - d)^order / order!``. The layer divides its weights by
    the factorial instead, because there are fewer of them.
    """

    @staticmethod
    def forward(ctx: Any, x: Tensor, start: Tensor, inverse_step: Tensor, num_basis: int, order: int) -> Tensor:
        """Return ``(inputs, num_basis, batch)``, a layout with long rows for one matrix product.

        Args:
            ctx: Context of autograd.
            x: Points, ``(batch, inputs)``.
            start: First knot of every input, ``(inputs,)``.
            inverse_step: One over the distance of its knots, ``(inputs,)``.
            num_basis: Splines per input.
            order: Degree of the polynomials.
        """
        positions = ((x - start) * inverse_step).t().contiguous()  # (inputs, batch)
        ctx.order = order
        ctx.save_for_backward(positions, inverse_step)
        if not _is_for_kernels(positions):
            return _bumps(_offsets(positions, num_basis, order).abs_(), order, order)
        basis = torch.empty(len(positions), num_basis, len(x))
        kernels(order)[0](positions.numpy(), basis.numpy())
        return basis

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Return the gradient by ``x``."""
        positions, inverse_step = ctx.saved_tensors
        if _is_for_kernels(positions) and gradient.dtype == torch.float32:
            slopes = torch.empty_like(positions)
            kernels(ctx.order)[1](positions.numpy(), gradient.contiguous().numpy(), slopes.numpy())
        else:
            offsets = _offsets(positions, gradient.shape[1], ctx.order)
            slopes = -(gradient * _bumps(offsets.abs(), ctx.order, ctx.order - 1) * offsets.sign_()).sum(dim=1)
        return slopes.t() * (ctx.order * inverse_step), None, None, None, None


def _is_for_kernels(positions: Tensor) -> bool:
    is_plain = positions.device.type == "cpu" and positions.dtype == torch.float32
    return is_plain and not torch.compiler.is_compiling()


def _offsets(positions: Tensor, num_basis: int, order: int) -> Tensor:
    """Return the distances to the centre of every spline, ``(inputs, num_basis, batch)``."""
    half = 0.5 * (order + 1)
    centres = torch.arange(half, half + num_basis, dtype=positions.dtype, device=positions.device)
    return positions[:, None, :] - centres[:, None]


def _bumps(distances: Tensor, order: int, exponent: int) -> Tensor:
    """Return the sum of truncated powers: the splines for ``order``, their slope over ``order`` for ``order - 1``."""
    rest = 0.5 * (order + 1) - distances
    total = torch.zeros_like(rest)
    for j in range(int(0.5 * (order + 1) - 0.25) + 1):
        powers = functional.relu(rest - j).pow(exponent) if exponent else (rest > j).to(rest.dtype)
        total = torch.add(total, powers, alpha=(-1) ** j * math.comb(order + 1, j))
    return total


STARTS = ("exact", "pykan-0.2.6")
"""How the initial coefficients are fitted to noise: in double precision, or as in the release that KANQAS used."""


def coefficients_of_pykan(noise: Tensor, grid: int, order: int) -> Tensor:
    """Return the initial coefficients as pykan 0.2.6 fits them.

    There are more splines than points, so that the normal equations are singular except for rounding. In single
    precision their pseudo-inverse amplifies the rounding, and the initial values of a network spread farther than with
    an exact fit. Values and spread depend on the processor: on two of them the spread was 6 and 1.5 times as large.

    Args:
        noise: Values at the grid's points, ``(grid + 1, inputs, outputs)``.
        grid: Intervals of the splines' grid on [-1, 1].
        order: Degree of the splines.

    Returns:
        ``(inputs, grid + order, outputs)``.
    """
    points = torch.linspace(-1.0, 1.0, grid + 1)
    step, knots = (points[-1] - points[0]) / grid, points
    for _ in range(order):
        knots = torch.cat([knots[:1] - step, knots, knots[-1:] + step])
    basis = spline_basis(knots[order:-order].unsqueeze(1), knots.unsqueeze(0), order).squeeze(1)  # (points, m)
    each = basis.expand(noise.shape[1], noise.shape[2], -1, -1)  # one per edge: batched products round like pykan
    gram = torch.einsum("iopm,iopn->iomn", each, each) + 1e-8 * torch.eye(grid + order)
    right = torch.einsum("iopm,iop->iom", each, noise.permute(1, 2, 0)).unsqueeze(3)
    fitted: Tensor = (torch.linalg.pinv(gram, rtol=1e-15) @ right).squeeze(3)
    return fitted.transpose(1, 2).contiguous()


class KANLayer(nn.Module):
    """A layer of learned functions on its edges: ``y_o = sum_i a_io silu(x_i) + b_io sum_m c_imo B_m(x_i)``.

    Initially the splines are small noise, ``a`` is uniform in +-1/sqrt(inputs) and ``b`` is 1, as in pykan. Inputs that
    are 0 or 1 in a whole batch, such as one-hot encodings, need each edge's function at two points only: for them the
    layer is one matrix product.

    Args:
        num_inputs: Inputs.
        num_outputs: Outputs.
        grid: Intervals of the splines' grid, initially on [-1, 1].
        order: Degree of the splines.
        start: One of ``STARTS``.

    References:
        Liu et al., "KAN: Kolmogorov-Arnold Networks", arXiv:2404.19756.
    """

    knots: Tensor

    def __init__(self, num_inputs: int, num_outputs: int, grid: int = 5, order: int = 3, start: str = "exact") -> None:
        super().__init__()
        self.num_inputs, self.num_outputs, self.grid, self.order = num_inputs, num_outputs, grid, order
        edges = num_inputs, num_outputs
        noise = torch.rand(num_inputs, grid + 1, num_outputs) - 0.5
        knots = 2.0 / grid * torch.arange(-order, grid + order + 1) - 1.0
        self.register_buffer("knots", knots.repeat(num_inputs, 1))
        self.base = nn.Parameter((2.0 * torch.rand(edges) - 1.0) / math.sqrt(num_inputs))
        self.scale = nn.Parameter(torch.ones(edges))
        points = torch.linspace(-1.0, 1.0, grid + 1).repeat(num_inputs, 1).T
        values = noise.transpose(0, 1) * 0.3 / grid
        is_exact = start == "exact"
        fitted = self._fitted(points, values) if is_exact else coefficients_of_pykan(values, grid, order)
        self.coefficients = nn.Parameter(fitted)
        self._prepare()

    def set_knots(self, knots: Tensor) -> None:
        """Replace the knots, ``(inputs, grid + 2 * order + 1)``, and keep the coefficients."""
        self.knots = knots
        self._prepare()

    def _prepare(self) -> None:
        """Compute the quantities that depend on the knots only."""
        steps = self.knots.diff(dim=1)
        self._is_uniform = bool(((steps - steps[:, :1]).abs() <= 1e-5 * steps[:, :1].abs()).all())
        self._start, self._inverse_step = self.knots[:, 0].clone(), 1.0 / steps[:, 0]
        corners = torch.tensor([[0.0], [1.0]], device=self.knots.device).expand(2, self.num_inputs)
        self._binary_basis = self.basis(corners)

    def _load_from_state_dict(self, *arguments: Any) -> None:
        super()._load_from_state_dict(*arguments)
        self._prepare()

    def _apply(self, *arguments: Any, **settings: Any) -> KANLayer:
        super()._apply(*arguments, **settings)  # type: ignore[no-untyped-call]
        self._prepare()  # on another device
        return self

    def basis(self, x: Tensor) -> Tensor:
        """Return the splines at ``x`` ``(batch, inputs)``: ``(batch, inputs, grid + order)``."""
        return self._scaled_basis(x).permute(2, 0, 1) * self._unit

    @property
    def _unit(self) -> float:
        """Factor from the basis that the layer computes to the splines."""
        return 1.0 / math.factorial(self.order) if self._is_uniform else 1.0

    def _scaled_basis(self, x: Tensor, chosen: Any = slice(None)) -> Tensor:
        if not self._is_uniform:
            return spline_basis(x, self.knots[chosen], self.order).permute(1, 2, 0)
        settings = self._start[chosen], self._inverse_step[chosen], self.grid + self.order, self.order
        basis: Tensor = ScaledUniformBasis.apply(x, *settings)  # type: ignore[no-untyped-call]
        return basis

    def edges(self, x: Tensor) -> Tensor:
        """Return every edge's function at ``x`` ``(batch, inputs)``: ``(batch, inputs, outputs)``."""
        splines = torch.einsum("bim,imo->bio", self.basis(x), self.coefficients)
        return self.base * functional.silu(x).unsqueeze(-1) + self.scale * splines

    def forward(self, x: Tensor, is_first: bool = True) -> Tensor:
        """Return ``(batch, outputs)``; only the first layer of a network treats inputs that are 0 or 1 apart."""
        if not is_first or x.requires_grad:
            return self._continuous(x, slice(None))
        binary = x * x == x
        if bool(binary.all()):
            return self._binary(x, slice(None))
        columns = binary.all(dim=0)
        if not bool(columns.any()):
            return self._continuous(x, slice(None))
        some, others = columns.nonzero().squeeze(1), (~columns).nonzero().squeeze(1)
        return self._binary(x[:, some], some) + self._continuous(x[:, others], others)

    def _binary(self, x: Tensor, chosen: Any) -> Tensor:
        splines = self._binary_basis[:, chosen].transpose(0, 1) @ self.coefficients[chosen]  # (i, 2, o)
        at_zero, at_one = (self.scale[chosen].unsqueeze(1) * splines).unbind(dim=1)
        return torch.addmm(at_zero.sum(dim=0), x, at_one - at_zero + _SILU_OF_ONE * self.base[chosen])

    def _continuous(self, x: Tensor, chosen: Any) -> Tensor:
        basis = self._scaled_basis(x, chosen).reshape(-1, len(x))
        weights = (self._unit * self.scale[chosen]).unsqueeze(1) * self.coefficients[chosen]  # (i, m, o)
        splines = basis.t() @ weights.reshape(-1, self.num_outputs)
        return torch.addmm(splines, functional.silu(x), self.base[chosen])

    @torch.no_grad()
    def _fitted(self, points: Tensor, values: Tensor) -> Tensor:
        """Return the coefficients of the splines nearest to ``values`` ``(p, i, o)`` at ``points`` ``(p, i)``."""
        basis = spline_basis(points.double(), self.knots.double(), self.order).permute(1, 0, 2)  # (i, p, m)
        gram = basis.transpose(1, 2) @ basis + 1e-8 * torch.eye(basis.shape[2], dtype=torch.float64)
        right = basis.transpose(1, 2) @ values.double().transpose(0, 1)
        fitted: Tensor = torch.linalg.pinv(gram) @ right  # (i, m, o)
        return fitted.to(values.dtype)

    @torch.no_grad()
    def refit(self, x: Tensor, margin: float = 0.01) -> None:
        """Move each input's grid to the range of ``x`` ``(batch, inputs)`` and keep every edge's function there.

        The functions are fitted on a fine mesh of the new range, not on the samples, so that few distinct values
        suffice. Constant inputs keep their grid and coefficients.
        """
        low, high = x.amin(dim=0), x.amax(dim=0)
        moves = (high - low) > 1e-6
        if not bool(moves.any()):
            return
        low, high = low - margin * (high - low), high + margin * (high - low)
        mesh = torch.linspace(0.0, 1.0, 8 * (self.grid + self.order), device=x.device).unsqueeze(1)
        points = low + mesh * (high - low)
        old = torch.einsum("bim,imo->bio", self.basis(points), self.coefficients)
        steps = ((high - low) / self.grid).unsqueeze(1)
        knots = low.unsqueeze(1) + steps * torch.arange(-self.order, self.grid + self.order + 1, device=x.device)
        kept = self.coefficients[~moves].clone()
        self.set_knots(torch.where(moves.unsqueeze(1), knots, self.knots))
        self.coefficients.copy_(self._fitted(points, old))
        self.coefficients[~moves] = kept


_SILU_OF_ONE = 1.0 / (1.0 + math.exp(-1.0))


class KAN(nn.Module):
    """A Kolmogorov-Arnold network: layers of learned edge functions.

    Args:
        widths: Inputs, hidden widths, outputs.
        grid: Intervals of the splines' grids.
        order: Degree of the splines.
        start: One of ``STARTS``.

    Raises:
        ValueError: Fewer than two widths, a number below 1, or an unknown start.

    Examples:
        >>> network = KAN([84, 2, 12])
        >>> network.num_active_parameters
        1920
    """

    def __init__(self, widths: Sequence[int], grid: int = 5, order: int = 3, start: str = "exact") -> None:
        super().__init__()
        if start not in STARTS:
            raise ValueError(unknown_name("start", start, STARTS))
        if len(widths) < 2 or min(widths) < 1:
            raise ValueError(must("widths", "be two or more positive numbers", list(widths)))
        for name, value in {"grid": grid, "order": order}.items():
            if value < 1:
                raise ValueError(must(name, "be at least 1", value))
        self.widths = tuple(widths)
        self.grid, self.order = grid, order
        self._layers = nn.ModuleList(KANLayer(a, b, grid, order, start) for a, b in pairwise(widths))

    @property
    def layers(self) -> list[KANLayer]:
        """The layers, from inputs to outputs."""
        return cast(list[KANLayer], list(self._layers))

    @property
    def num_active_parameters(self) -> int:
        """Number of trained parameters: ``grid + order + 2`` per edge."""
        return sum(parameter.numel() for parameter in self.parameters())

    def forward(self, x: Tensor) -> Tensor:
        """Return ``(batch, outputs)``."""
        for k, layer in enumerate(self.layers):
            x = layer(x, k == 0)
        return x

    @torch.no_grad()
    def refit(self, x: Tensor) -> None:
        """Refit the grids of all layers to samples ``(batch, inputs)``; see :meth:`KANLayer.refit`."""
        for layer in self.layers:
            layer.refit(x)
            x = layer(x)
