"""Beam search: the cheapest circuits of every length, one per state."""

from __future__ import annotations

from typing import Any

import numpy as np

from qas_agents.searchers.whole_circuits import Ansatz, Prices, Trials, WholeCircuitSearcher
from qas_simulators import StabilizerSimulator, StabilizerState, StatevectorSimulator
from qas_simulators.errors import must
from qas_simulators.preparation import whole


class BeamSearch(WholeCircuitSearcher):
    """Extends circuits gate by gate and keeps the cheapest ``width`` circuits of every length.

    Every legal action is tried on every circuit that was kept: the new angles are scanned, then all are optimised. Of
    circuits that prepare the same state (without noise, up to a phase, to six digits) only the cheapest is kept. After
    the last length the search starts again with twice the width.

    Args:
        env: An environment with a ``player`` of whole circuits, possibly under wrappers.
        seed: Breaks ties.
        width: Initial number of circuits kept per length.
        two_qubit: Price of a two-qubit gate.
        one_qubit: Price of any other gate.

    Raises:
        TypeError: The environment does not play whole circuits.
        ValueError: Width or prices out of range.
    """

    def __init__(
        self, env: Any, seed: int | None = None, width: int = 16, two_qubit: float = 0.02, one_qubit: float = 0.0
    ) -> None:
        if width < 1:
            raise ValueError(must("width", "be at least 1", width))
        super().__init__(env, seed)
        self._prices = Prices(two_qubit, one_qubit)
        self._width = width
        self._simulator = StatevectorSimulator()
        self._env = getattr(env, "unwrapped", env)
        self._has_stabilizers = isinstance(getattr(self._env, "simulator", None), StabilizerSimulator)

    def _search(self, trials: Trials) -> None:
        width = self._width
        while trials.running:
            self._search_once(width, trials)
            width *= 2

    def _search_once(self, width: int, trials: Trials) -> None:
        """Extend the circuits from length 1 to the longest legal one."""
        beam = [Ansatz()]
        while beam and trials.running:
            found: dict[bytes, tuple[float, float, Ansatz]] = {}
            for parent in beam:
                for child in self._children(parent):
                    if not trials.running:
                        return
                    played, info = trials.play(child, num_scanned=1)
                    if info["success"]:
                        continue  # a solution is not extended: a longer circuit costs more
                    key, entry = self._state(), (self._prices.cost(info), float(self._rng.random()), played)
                    if key not in found or entry[:2] < found[key][:2]:
                        found[key] = entry
            beam = [ansatz for *_, ansatz in sorted(found.values(), key=lambda entry: entry[:2])[:width]]

    def _children(self, parent: Ansatz) -> list[Ansatz]:
        """Return all legal ansätze with one more action."""
        catalogue, children = self._bench.catalogue, []
        for action in range(len(catalogue.actions)):
            actions = self._bench.checked((*parent.actions, action))
            if actions is not None:
                children.append(
                    Ansatz(actions, (*parent.angles, (0.0,) * catalogue.num_angles[action]), parent.initial)
                )
        return children

    def _state(self) -> bytes:
        """Return a key of the last circuit's state: rounded amplitudes up to the global phase, or its generators."""
        if self._has_stabilizers:
            return "".join(StabilizerState.of_circuit(self._bench.circuit).labels()).encode()
        circuit = whole(self._bench.circuit, self._env.problem.hamiltonian)
        state = self._simulator.statevector(circuit)
        largest = state[int(np.argmax(np.abs(state) > np.abs(state).max() - 1e-6))]
        rounded = np.round(state * (abs(largest) / largest), 6) + 0.0  # no negative zeros
        return bytes(rounded.tobytes())
