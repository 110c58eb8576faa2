"""The expectation values of the Hamiltonian's terms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from qas_envs.catalogue import ActionCatalogue
from qas_envs.encodings.encoding import Encoder, Range, VectorEncoder, View
from qas_envs.problems import Problem


@dataclass(frozen=True)
class PauliEncoding:
    """The expectation value of every term of the Hamiltonian, noise and readout errors included.

    Shape ``(num_terms,)``, plus the used fraction of the gate budget, and one each for energy and threshold. It shows
    the state instead of the circuit: an agent needs a device or a simulator to act, which encodings of gates do not.

    Attributes:
        energy: Append the energy of the last step, in the problem's unit.
        threshold: Append the curriculum's threshold.
    """

    energy: bool = True
    threshold: bool = False

    def bind(self, problem: Problem, catalogue: ActionCatalogue, max_gates: int, energies: Range) -> Encoder:
        """See :class:`Encoding`."""
        return _PauliEncoder(problem, energies, max_gates, self)


class _PauliEncoder(VectorEncoder):
    def __init__(self, problem: Problem, energies: Range, max_gates: int, encoding: PauliEncoding) -> None:
        num_terms = len(problem.hamiltonian)
        slack = np.full(num_terms, 1.0 + 1e-6)  # rounding
        super().__init__(np.append(-slack, 0.0), np.append(slack, 1.0), energies, encoding)
        self._num_terms = num_terms
        self._share, self._used = 1.0 / max_gates, 0
        self._hamiltonian = problem.hamiltonian

    def reset(self, problem: Problem) -> None:
        self._hamiltonian = problem.hamiltonian
        self._used = 0

    def append(self, operation: int) -> None:
        self._used += 1

    def _show(self, view: View) -> None:
        self.vector[: self._num_terms] = view.simulator.term_means(view.circuit, self._hamiltonian)
        self.vector[self._num_terms] = min(1.0, self._used * self._share)
