"""Energies and gradients of circuits by matrix-product states."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from qas_simulators.circuit import Circuit
from qas_simulators.gate_blocks import BlockMatrices, GateBlock, blocks_of
from qas_simulators.gates import GATE_INDEX, GATES
from qas_simulators.matrix_product_operators import operators_of, shifted
from qas_simulators.matrix_product_states import Limit, MatrixProductState, Overlap, Undo
from qas_simulators.pauli import PauliSum
from qas_simulators.program import FloatArray

_SWAP: Final = GATES[GATE_INDEX["swap"]].matrix().real
_WIDER: Final = 2  # factor of the bra's bond dimension in gradients
_NOTHING: Final = 1e-14  # norm of the observable times a state, as a part of the sum of coefficients


class Step(NamedTuple):
    """A gate on neighbours: the block of a circuit, or a swap."""

    site: int
    block: int  # -1 for a swap


def steps_of(blocks: list[GateBlock]) -> list[Step]:
    """Return the blocks of a circuit on neighbours; qubits that are not are brought together by swaps, and back."""
    steps: list[Step] = []
    for number, block in enumerate(blocks):
        way = [Step(site, -1) for site in range(block.low, block.high - 1)]
        for step in [*way, Step(block.high - 1, number), *reversed(way)]:
            if step.block < 0 and steps and steps[-1] == step:
                steps.pop()  # two swaps of the same qubits
            else:
                steps.append(step)
    return steps


def bonds_of(circuit: Circuit, max_bond: int | None) -> list[tuple[int, int, int]]:
    """Return bounds of the bond dimensions to the left, between and to the right of every step's two qubits."""
    size = circuit.num_qubits
    bonds, found = [1] * (size + 1), []
    for site, _ in steps_of(blocks_of(circuit, in_pairs=False)):
        left, right = bonds[site], bonds[site + 2]
        middle = min(4 * bonds[site + 1], 2 * left, 2 * right)
        bonds[site + 1] = middle if max_bond is None else min(middle, max_bond)
        found.append((left, bonds[site + 1], right))
    return found


class MPSProgram:
    """The energy of one circuit as a function of the angles of its rotations.

    The tensors that each step replaced are kept: the next angles start at the first block that they change.

    Args:
        circuit: At least two qubits.
        observable: On as many qubits.
        limit: Of the bonds.
        real: Whether to compute in real arithmetic; all gates and the observable must be real.
    """

    def __init__(self, circuit: Circuit, observable: PauliSum, limit: Limit, real: bool) -> None:
        blocks = blocks_of(circuit, in_pairs=False)
        self._matrices, self._steps = BlockMatrices(blocks), steps_of(blocks)
        self._num_rotations, self._limit = circuit.num_rotations, limit
        self._dtype: type = np.float64 if real else np.complex128
        self._operators = operators_of(observable)
        self._nothing = _NOTHING * float(np.abs(observable.coefficients).sum())
        self._state = MatrixProductState.zeros(circuit.num_qubits, self._dtype)
        self._done: list[Undo] = []
        self._products = np.full((len(blocks), 4, 4), np.nan, dtype=self._dtype)
        self._parts: list[NDArray[np.complex128]] = []
        self._energy = float("nan")

    def state(self, angles: FloatArray) -> MatrixProductState:
        """Return the state at the angles of all rotations, in radians, which the next call changes."""
        self._parts = self._matrices.parts(angles)
        products = self._products.copy()
        for k, parts in enumerate(self._parts):
            whole = parts[0]
            for part in parts[1:]:
                whole = part @ whole
            products[k] = whole.real if self._dtype is np.float64 else whole
        changed = (products != self._products).any(axis=(1, 2))
        first = next((k for k, step in enumerate(self._steps) if step.block >= 0 and changed[step.block]), None)
        if first is not None or len(self._done) < len(self._steps):
            self._redo(products, len(self._done) if first is None else min(first, len(self._done)))
            self._products = products
            self._energy = float("nan")
        return self._state

    def _redo(self, products: NDArray[Any], first: int) -> None:
        while len(self._done) > first:
            self._state.restore(self._done.pop())
        for site, block in self._steps[first:]:
            self._done.append(self._state.apply(site, _SWAP if block < 0 else products[block], self._limit))

    def energy(self, angles: FloatArray) -> float:
        """Return the energy at the angles of all rotations, in radians."""
        state = self.state(angles)
        if np.isnan(self._energy):
            self._energy = state.expectation(self._operators)
        return self._energy

    def energy_and_gradient(self, angles: FloatArray) -> tuple[float, FloatArray]:
        """Return the energy, and its derivatives by the angles of all rotations.

        The state is walked back by the tensors that were replaced. The bra, the observable minus the energy times the
        state, is walked back by inverse gates, with twice the bond dimension. Where nothing is dropped, this is exact.
        """
        energy, gradient = self.energy(angles), np.zeros(self._num_rotations)
        ket = self._state.copy()
        most = self._limit.max_bond
        limit = Limit(None if most is None else _WIDER * most, self._limit.cutoff)
        bra, size = ket.times(shifted(self._operators, energy), limit)
        if size <= self._nothing:
            return energy, gradient
        size /= ket.norm() ** 2
        overlap, seen = Overlap(bra, ket), {step.block for step in self._steps if self._has_angles(step.block)}
        for (site, block), undo in zip(reversed(self._steps), reversed(self._done), strict=True):
            if not seen:
                break
            if block in seen:
                sums = np.asarray(overlap.sums(site), dtype=np.complex128)
                for param, slope in self._matrices.slopes(block, self._parts[block], sums).items():
                    gradient[param] = size * slope
                seen.remove(block)
            ket.restore(undo)
            bra.apply(site, _SWAP if block < 0 else self._products[block].conj().T, limit)
            overlap.changed(site)
        return energy, gradient

    def _has_angles(self, block: int) -> bool:
        return block >= 0 and self._matrices.has_angles(block)
