"""What every simulator answers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from qas_simulators.circuit import Circuit
from qas_simulators.errors import must
from qas_simulators.pauli import PauliSum
from qas_simulators.program import FloatArray, Program, evaluate

_MEMORY_LIMIT: Final = 8 * 2**30


class Simulator(ABC):
    """Expectation values of a ``PauliSum`` after a ``Circuit``, exact, with gradients.

    ``params`` replaces the circuit's own angles (radians, in the order of the gates); the circuit is never changed.
    """

    @property
    @abstractmethod
    def is_noisy(self) -> bool:
        """Whether gates are followed by channels."""

    @abstractmethod
    def _program(self, circuit: Circuit, observable: PauliSum) -> Program: ...

    @abstractmethod
    def _bytes_needed(self, num_qubits: int) -> int: ...

    def program(self, circuit: Circuit, observable: PauliSum) -> Program:
        """Return the flat program that optimisers hand to the kernels.

        Raises:
            ValueError: The circuit and the observable differ in qubits, or the state would not fit into memory.
        """
        if circuit.num_qubits != observable.num_qubits:
            raise ValueError(must("observable", f"act on {circuit.num_qubits} qubits", observable.num_qubits))
        needed = self._bytes_needed(circuit.num_qubits)
        if needed > _MEMORY_LIMIT:
            raise ValueError(
                must("circuit", f"fit into {_MEMORY_LIMIT / 2**30:g} GiB", f"{needed / 2**30:.3g} GiB of state")
            )
        return self._program(circuit, observable)

    def expectation(self, circuit: Circuit, observable: PauliSum, params: ArrayLike | None = None) -> float:
        """Return the expectation value, in the observable's unit."""
        batch = self._params(circuit, params)[None, :]
        return float(evaluate(self.program(circuit, observable), batch, batch[:0])[0])

    def expectation_and_gradient(
        self, circuit: Circuit, observable: PauliSum, params: ArrayLike | None = None
    ) -> tuple[float, FloatArray]:
        """Return the expectation value and its derivative by every angle, shape ``(num_params,)``.

        The adjoint method: the cost is a small multiple of one evaluation, however many angles there are.
        """
        batch = self._params(circuit, params)[None, :]
        gradients = np.empty_like(batch)
        energies = evaluate(self.program(circuit, observable), batch, gradients)
        return float(energies[0]), gradients[0]

    def expectations(self, circuit: Circuit, observable: PauliSum, params_batch: ArrayLike) -> FloatArray:
        """Return the expectation values ``(B,)`` at ``params_batch`` ``(B, num_params)``."""
        batch = np.ascontiguousarray(params_batch, dtype=np.float64)
        if batch.ndim != 2 or batch.shape[1] != circuit.num_params or not np.isfinite(batch).all():
            raise ValueError(must("params_batch", f"be finite with shape (B, {circuit.num_params})", batch.shape))
        return evaluate(self.program(circuit, observable), batch, batch[:0])

    @staticmethod
    def _params(circuit: Circuit, params: ArrayLike | None) -> FloatArray:
        if params is None:
            return circuit.params
        values = np.ascontiguousarray(params, dtype=np.float64)
        if values.shape != (circuit.num_params,) or not np.isfinite(values).all():
            raise ValueError(must("params", f"be finite with shape ({circuit.num_params},)", values.tolist()))
        return values
