"""Beam search: the most promising circuits of every length, each state once."""

from __future__ import annotations

from typing import Any

import numpy as np

from qas_agents.searchers.whole_circuits import Ansatz, Prices, Trials, WholeCircuitSearcher
from qas_simulators import StatevectorSimulator
from qas_simulators.errors import must


class BeamSearch(WholeCircuitSearcher):
    """Extends circuits gate by gate and keeps the cheapest ``width`` of every length, one of each state.

    Every legal action is tried on every circuit kept, its angles scanned and all optimised. Two circuits that prepare
    the same state (without noise, up to a phase, to six digits) count as one: the cheaper. Where all lengths are done
    it begins again, twice as wide.

    Args:
        env: With a ``player`` of whole circuits, under its wrappers.
        seed: Breaks ties.
        width: Circuits kept of every length at first.
        two_qubit: Price of a two-qubit gate.
        one_qubit: Price of another gate.

    Raises:
        TypeError: The environment does not serve whole circuits.
        ValueError: A width or prices out of range.
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

    def _search(self, trials: Trials) -> None:
        width = self._width
        while trials.go_on:
            self._search_once(width, trials)
            width *= 2

    def _search_once(self, width: int, trials: Trials) -> None:
        """Go through all lengths once."""
        beam = [Ansatz()]
        while beam and trials.go_on:
            found: dict[bytes, tuple[float, float, Ansatz]] = {}
            for parent in beam:
                for child in self._children(parent):
                    if not trials.go_on:
                        return
                    played, info = trials.play(child, num_scanned=1)
                    if info["success"]:
                        continue  # told, and nothing to gain by going on
                    key, entry = self._state(), (self._prices.cost(info), float(self._rng.random()), played)
                    if key not in found or entry[:2] < found[key][:2]:
                        found[key] = entry
            beam = [ansatz for *_, ansatz in sorted(found.values(), key=lambda entry: entry[:2])[:width]]

    def _children(self, parent: Ansatz) -> list[Ansatz]:
        """Return all legal ansätze with one action more."""
        catalogue, children = self._bench.catalogue, []
        for action in range(len(catalogue.actions)):
            actions = self._bench.checked((*parent.actions, action))
            if actions is not None:
                children.append(Ansatz(actions, (*parent.angles, (0.0,) * catalogue.num_angles[action])))
        return children

    def _state(self) -> bytes:
        """Return what all circuits that prepare the state of the one just played have in common."""
        state = self._simulator.statevector(self._bench.circuit)
        largest = state[int(np.argmax(np.abs(state) > np.abs(state).max() - 1e-6))]
        rounded = np.round(state * (abs(largest) / largest), 6) + 0.0  # no negative zeros
        return bytes(rounded.tobytes())
