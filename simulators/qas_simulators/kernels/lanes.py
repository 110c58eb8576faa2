"""Passes over Pauli vectors in explicit vector instructions.

LLVM vectorises a loop only if it can prove or check that its slices do not overlap, and never a loop over four entries;
here the vectors are written down. LLVM fits them to the registers of any CPU. Every array is contiguous float64, and
offsets are trusted: only the callers in ``pauli_vectors`` know the layout. All of this is built on a private interface
of numba; ``loops`` holds the same functions without it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from inspect import Parameter, Signature
from typing import Any

from llvmlite import ir
from numba.core import cgutils
from numba.core import types as _types
from numba.extending import intrinsic

from qas_simulators.kernels.loops import BLOCK, INNER_MASKS

WIDTH = 8  # entries of one step along a run
types: Any = _types  # numba fills it at run time
_CONTRACT = ("contract",)  # a multiplication and an addition may become one instruction


class _Pass:
    """Builder of one pass: loads, stores and arithmetic on vectors of doubles."""

    def __init__(self, context: Any, builder: Any, signature: Any, values: Sequence[Any]) -> None:
        self.builder = builder
        self.values = [
            context.make_array(kind)(context, builder, value) if isinstance(kind, types.Array) else value
            for kind, value in zip(signature.args, values, strict=True)
        ]

    def index(self, value: int) -> Any:
        return ir.Constant(ir.IntType(64), value)

    def pointer(self, array: Any, offset: Any, width: int) -> Any:
        address = self.builder.gep(array.data, [offset])
        return self.builder.bitcast(address, ir.VectorType(ir.DoubleType(), width).as_pointer())

    def load(self, array: Any, offset: Any, width: int) -> Any:
        return self.builder.load(self.pointer(array, offset, width), align=8)

    def scalar(self, array: Any, offset: Any) -> Any:
        return self.builder.load(self.builder.gep(array.data, [offset]))

    def integer(self, array: Any, place: int) -> Any:
        return self.scalar(array, self.index(place))

    def store(self, value: Any, array: Any, offset: Any) -> None:
        self.builder.store(value, self.pointer(array, offset, value.type.count), align=8)

    def spread(self, scalar: Any, width: int) -> Any:
        empty = ir.Constant(ir.VectorType(ir.DoubleType(), width), ir.Undefined)
        first = self.builder.insert_element(empty, scalar, ir.Constant(ir.IntType(32), 0))
        return self.shuffle(first, [0] * width)

    def swapped(self, value: Any, mask: int) -> Any:
        """Return the vector whose entry ``i`` is entry ``i ^ mask``."""
        return self.shuffle(value, [i ^ mask for i in range(value.type.count)]) if mask else value

    def shuffle(self, value: Any, places: list[int]) -> Any:
        mask = ir.Constant(ir.VectorType(ir.IntType(32), len(places)), places)
        return self.builder.shuffle_vector(value, ir.Constant(value.type, ir.Undefined), mask)

    def times(self, left: Any, right: Any) -> Any:
        return self.builder.fmul(left, right, flags=_CONTRACT)

    def dot(self, left: Sequence[Any], right: Sequence[Any]) -> Any:
        total = self.times(left[0], right[0])
        for a, b in zip(left[1:], right[1:], strict=True):
            total = self.builder.fadd(total, self.times(a, b), flags=_CONTRACT)
        return total

    def every(self, start: Any, stop: Any, step: Any) -> Any:
        """Return a loop, as a context manager that yields its offset and a count."""
        step = self.index(step) if isinstance(step, int) else step
        return cgutils.for_range_slice(self.builder, start, stop, step, intp=ir.IntType(64))

    @contextmanager
    def runs(self, array: Any, stride: Any) -> Iterator[Any]:
        """Loop over the offsets of digit I of a high qubit, ``WIDTH`` at a time."""
        with (
            self.every(self.index(0), array.nitems, self.builder.mul(stride, self.index(4))) as (base, _),
            self.every(base, self.builder.add(base, stride), WIDTH) as (i, _),
        ):
            yield i

    @contextmanager
    def pairs(self, array: Any, outer: Any, inner: Any, run: Any, width: int) -> Iterator[Any]:
        """Loop over the offsets where two qubits both have digit I, ``width`` at a time."""
        with (
            self.every(self.index(0), array.nitems, self.builder.mul(outer, self.index(4))) as (high, _),
            self.every(high, self.builder.add(high, outer), inner) as (low, _),
            self.every(low, self.builder.add(low, run), width) as (i, _),
        ):
            yield i

    def accumulators(self, count: int, width: int) -> list[Any]:
        kind = ir.VectorType(ir.DoubleType(), width)
        places = [cgutils.alloca_once(self.builder, kind) for _ in range(count)]
        for place in places:
            self.builder.store(ir.Constant(kind, [0.0] * width), place)
        return places

    def accumulate(self, place: Any, left: Any, right: Any) -> None:
        total = self.builder.fadd(self.builder.load(place), self.times(left, right), flags=_CONTRACT)
        self.builder.store(total, place)


def _pass(names: str, build: Callable[[_Pass], None]) -> Any:
    """Return a function for kernels, with arguments ``names``, that runs what ``build`` builds."""

    def generate(context: Any, builder: Any, signature: Any, values: Any) -> Any:
        build(_Pass(context, builder, signature, values))
        return context.get_dummy_value()

    def run(_context: Any, *kinds: Any) -> Any:
        return types.void(*[types.unliteral(kind) for kind in kinds]), generate

    parameters = [Parameter(name, Parameter.POSITIONAL_OR_KEYWORD) for name in ("context", *names.split())]
    run.__signature__ = Signature(parameters)  # type: ignore[attr-defined]  # numba takes no *args
    return intrinsic(run)


def _block(p: _Pass, blocks: Any, offset: Any, is_transposed: Any) -> Any:
    """Return the 16 entries from an offset on, a 4 x 4 block row by row, or those of its transpose."""
    plain = p.load(blocks, offset, 16)
    return p.builder.select(is_transposed, p.shuffle(plain, [4 * (k % 4) + k // 4 for k in range(16)]), plain)


def _lane_factors(p: _Pass, entries: Any, shift: int) -> list[Any]:
    """Return what each of sixteen entries contributes where the digit of a low qubit is changed by 0, 1, 2, 3 bits."""
    digits = [(i >> shift) & 3 for i in range(BLOCK)]
    return [p.shuffle(entries, [4 * d + (d ^ m) for d in digits]) for m in range(4)]


def _mix_lanes(shift: int) -> Any:
    """Build ``mix(vector, blocks, offset, is_transposed)``: a 4 x 4 block on qubit ``shift / 2``."""

    def build(p: _Pass) -> None:
        vector, blocks, offset, is_transposed = p.values
        factors = _lane_factors(p, _block(p, blocks, offset, is_transposed), shift)
        with p.every(p.index(0), vector.nitems, BLOCK) as (i, _):
            here = p.load(vector, i, BLOCK)
            p.store(p.dot(factors, [p.swapped(here, m << shift) for m in range(4)]), vector, i)

    return _pass("vector blocks offset is_transposed", build)


def _correlate_lanes(shift: int) -> Any:
    """Build ``correlate(bra, ket, sums, blocks, offset)`` for qubit ``shift / 2``.

    ``sums[16 m + i % 16]`` adds up ``bra[i] * ket[i ^ (m << shift)]``; then the transpose of a block is applied to bra.
    """

    def build(p: _Pass) -> None:
        bra, ket, sums, blocks, offset = p.values
        factors = _lane_factors(p, _block(p, blocks, offset, ir.Constant(ir.IntType(1), 1)), shift)
        totals = p.accumulators(4, BLOCK)
        with p.every(p.index(0), bra.nitems, BLOCK) as (i, _):
            left, right = p.load(bra, i, BLOCK), p.load(ket, i, BLOCK)
            for m, total in enumerate(totals):
                p.accumulate(total, left, p.swapped(right, m << shift))
            p.store(p.dot(factors, [p.swapped(left, m << shift) for m in range(4)]), bra, i)
        for m, total in enumerate(totals):
            p.store(p.builder.load(total), sums, p.index(BLOCK * m))

    return _pass("bra ket sums blocks offset", build)


def _digit_offsets(p: _Pass, i: Any, stride: Any) -> list[Any]:
    offsets = [i]
    for _ in range(3):
        offsets.append(p.builder.add(offsets[-1], stride))
    return offsets


def _mix_runs(first: int) -> Any:
    """Build ``mix(vector, blocks, offset, is_transposed, stride)``: a 4 x 4 block on a high qubit.

    With ``first = 1`` the digits X, Y, Z alone, for a block that leaves I alone and adds nothing to it or from it.
    """

    def build(p: _Pass) -> None:
        vector, blocks, offset, is_transposed, stride = p.values
        entries = _block(p, blocks, offset, is_transposed)
        factors = [[p.shuffle(entries, [4 * row + k] * WIDTH) for k in range(4)] for row in range(4)]
        with p.runs(vector, stride) as i:
            places = _digit_offsets(p, i, stride)[first:]
            values = [p.load(vector, place, WIDTH) for place in places]
            for row, place in zip(factors[first:], places, strict=True):
                p.store(p.dot(row[first:], values), vector, place)

    return _pass("vector blocks offset is_transposed stride", build)


def _correlate_runs() -> Any:
    """Build ``correlate(bra, ket, sums, blocks, offset, stride)`` for a high qubit.

    The products of digit ``p > 0`` of bra and digit ``q`` of ket add up in the eight ``sums[8 (4 (p - 1) + q) + j]``;
    then the transpose of a block is applied to bra.
    """

    def build(p: _Pass) -> None:
        bra, ket, sums, blocks, offset, stride = p.values
        entries = _block(p, blocks, offset, ir.Constant(ir.IntType(1), 1))
        factors = [[p.shuffle(entries, [4 * row + k] * WIDTH) for k in range(4)] for row in range(4)]
        totals = p.accumulators(12, WIDTH)
        with p.runs(bra, stride) as i:
            places = _digit_offsets(p, i, stride)
            right = [p.load(ket, place, WIDTH) for place in places]
            left = [p.load(bra, place, WIDTH) for place in places]
            for digit in range(1, 4):
                for k in range(4):
                    p.accumulate(totals[4 * (digit - 1) + k], left[digit], right[k])
            for row, place in zip(factors, places, strict=True):
                p.store(p.dot(row, left), bra, place)
        for k, total in enumerate(totals):
            p.store(p.builder.load(total), sums, p.index(WIDTH * k))

    return _pass("bra ket sums blocks offset stride", build)


def _exchange_runs(width: int) -> Any:
    """Build ``exchange(vector, outer, inner, run, p, q, to_p, to_q)``: runs at ``p`` and ``q`` change places.

    Each is multiplied by a factor. The other qubits' digits are below ``run``, from ``inner`` to ``outer`` and above.
    """

    def build(p: _Pass) -> None:
        vector, outer, inner, run, left, right, to_left, to_right = p.values
        here, there = p.spread(to_left, width), p.spread(to_right, width)
        with p.pairs(vector, outer, inner, run, width) as i:
            at_left, at_right = p.builder.add(left, i), p.builder.add(right, i)
            a, b = p.load(vector, at_left, width), p.load(vector, at_right, width)
            p.store(p.times(here, b), vector, at_left)
            p.store(p.times(there, a), vector, at_right)

    return _pass("vector outer inner run left right to_left to_right", build)


def _mix_pair(shift: int, mask: int) -> Any:
    """Build ``mix(vector, factors, offset, first, second, outer)``: vectors at two digits of a high qubit mix.

    The low qubit is number ``shift / 2``; its digits are permuted by ``mask``, and its four factors of each of the
    four products are the sixteen entries from ``offset`` on.
    """

    def build(p: _Pass) -> None:
        vector, factors, offset, first, second, outer = p.values
        entries = p.load(factors, offset, 16)
        digits = [(i >> shift) & 3 for i in range(BLOCK)]
        stay, come, stay_too, come_too = (p.shuffle(entries, [4 * k + d for d in digits]) for k in range(4))
        with (
            p.every(p.index(0), vector.nitems, p.builder.mul(outer, p.index(4))) as (base, _),
            p.every(base, p.builder.add(base, outer), BLOCK) as (i, _),
        ):
            here, there = p.builder.add(i, first), p.builder.add(i, second)
            a, b = (p.swapped(p.load(vector, place, BLOCK), mask << shift) for place in (here, there))
            p.store(p.dot([stay, come], [a, b]), vector, here)
            p.store(p.dot([stay_too, come_too], [b, a]), vector, there)

    return _pass("vector factors offset first second outer", build)


def _mix_inner(masks: Sequence[int]) -> Any:
    """Build ``mix(vector, factors, offset)``: on each 16 entries, four products of factors and the permuted entries."""

    def build(p: _Pass) -> None:
        vector, factors, offset = p.values
        terms = [p.load(factors, p.builder.add(offset, p.index(BLOCK * k)), BLOCK) for k in range(4)]
        with p.every(p.index(0), vector.nitems, BLOCK) as (i, _):
            here = p.load(vector, i, BLOCK)
            p.store(p.dot(terms, [p.swapped(here, mask) for mask in masks]), vector, i)

    return _pass("vector factors offset", build)


def _mix2_runs() -> Any:
    """Build ``mix(vector, blocks, first, offsets, outer, inner, run)``: a 16 x 16 block on two high qubits."""

    def build(p: _Pass) -> None:
        vector, blocks, first, offsets, outer, inner, run = p.values
        places = [p.integer(offsets, k) for k in range(16)]
        with p.pairs(vector, outer, inner, run, WIDTH) as i:
            values = [p.load(vector, p.builder.add(i, place), WIDTH) for place in places]
            for row, place in enumerate(places):
                factors = [
                    p.spread(p.scalar(blocks, p.builder.add(first, p.index(16 * row + k))), WIDTH) for k in range(16)
                ]
                p.store(p.dot(factors, values), vector, p.builder.add(i, place))

    return _pass("vector blocks first offsets outer inner run", build)


def _mix2_scattered() -> Any:
    """Build the same for any two qubits; takes the transpose of the block."""

    def build(p: _Pass) -> None:
        vector, columns, first, offsets, outer, inner, run = p.values
        places = [p.integer(offsets, k) for k in range(16)]
        with p.pairs(vector, outer, inner, run, 1) as i:
            at = [p.builder.add(i, place) for place in places]
            values = [p.spread(p.scalar(vector, place), 16) for place in at]
            total = p.dot([p.load(columns, p.builder.add(first, p.index(16 * k)), 16) for k in range(16)], values)
            for k, place in enumerate(at):
                entry = p.builder.extract_element(total, ir.Constant(ir.IntType(32), k))
                p.builder.store(entry, p.builder.gep(vector.data, [place]))

    return _pass("vector columns first offsets outer inner run", build)


def _multiply4() -> Any:
    """Build ``multiply(lefts, left, rights, right, is_transposed)``: a 4 x 4 block times one or its transpose.

    ``right = left @ right`` or ``left.T @ right``, both from an offset on.
    """

    def build(p: _Pass) -> None:
        lefts, left, rights, right, is_transposed = p.values
        entries = _block(p, lefts, left, is_transposed)
        places = [p.builder.add(right, p.index(4 * k)) for k in range(4)]
        rows = [p.load(rights, place, 4) for place in places]
        totals = [p.dot([p.shuffle(entries, [4 * row + k] * 4) for k in range(4)], rows) for row in range(4)]
        for place, total in zip(places, totals, strict=True):
            p.store(total, rights, place)

    return _pass("lefts left rights right is_transposed", build)


def _follow4(axis: int) -> Any:
    """Build ``follow(blocks, block, noises, noise, cosine, sine)``: a rotation and its noise after a 4 x 4 block.

    The block becomes ``noise @ rotation @ block``, both from an offset on. The rotation about ``axis`` (X, Y, Z) mixes
    the other two rows; without an axis there is none.
    """

    def build(p: _Pass) -> None:
        blocks, block, noises, noise, cosine, sine = p.values
        entries = p.load(noises, noise, 16)
        places = [p.builder.add(block, p.index(4 * k)) for k in range(4)]
        rows = [p.load(blocks, place, 4) for place in places]
        if axis < 3:
            first, second = (axis + 1) % 3 + 1, (axis + 2) % 3 + 1
            c, s = p.spread(cosine, 4), p.spread(sine, 4)
            minus_s = p.builder.fneg(s)
            a, b = rows[first], rows[second]
            rows[first], rows[second] = p.dot([c, minus_s], [a, b]), p.dot([s, c], [a, b])
        for k, place in enumerate(places):
            p.store(p.dot([p.shuffle(entries, [4 * k + m] * 4) for m in range(4)], rows), blocks, place)

    return _pass("blocks block noises noise cosine sine", build)


def _copy4() -> Any:
    """Build ``copy(source, first, target, second)``: 16 entries from one offset to another."""

    def build(p: _Pass) -> None:
        source, first, target, second = p.values
        p.store(p.load(source, first, 16), target, second)

    return _pass("source first target second", build)


mix_lanes0, mix_lanes1 = _mix_lanes(0), _mix_lanes(2)
correlate_lanes0, correlate_lanes1 = _correlate_lanes(0), _correlate_lanes(2)
mix_runs, mix_runs_unital = _mix_runs(0), _mix_runs(1)
correlate_runs = _correlate_runs()
exchange_runs1, exchange_runs4, exchange_runs16 = _exchange_runs(1), _exchange_runs(4), _exchange_runs(16)
mix_pair00, mix_pair01, mix_pair03 = (_mix_pair(0, mask) for mask in (0, 1, 3))
mix_pair10, mix_pair11, mix_pair13 = (_mix_pair(2, mask) for mask in (0, 1, 3))
mix_inner_first, mix_inner_second, mix_inner_both = (_mix_inner(masks) for masks in INNER_MASKS)
mix2_runs, mix2_scattered = _mix2_runs(), _mix2_scattered()
follow_rx, follow_ry, follow_rz, follow_fixed = (_follow4(axis) for axis in range(4))
multiply4, copy4 = _multiply4(), _copy4()
