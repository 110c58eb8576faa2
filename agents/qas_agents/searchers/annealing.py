"""Simulated annealing over whole circuits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from qas_agents.callbacks import Callback, as_callback
from qas_agents.searchers.pruning import Angles, workbench
from qas_simulators.errors import must


class SimulatedAnnealing:
    """Changes one gate at a time: inserts, deletes, replaces, exchanges neighbours; angles go on from where they were.

    A circuit costs ``two_qubit`` and ``one_qubit`` per gate, and unless it is a success ``unsolved`` and the orders of
    magnitude that its error lies above the threshold. The temperature falls geometrically; then all starts anew.

    Args:
        env: With ``play``, ``is_legal`` and ``angles``, under its wrappers.
        seed: Seeds starts and changes.
        two_qubit: Price of a two-qubit gate.
        one_qubit: Price of another gate.
        unsolved: Price of not being a success.
        hot: First temperature.
        cold: Last temperature.
        cycle: Changes from the first to the last temperature.
        start_gates: Random gates at the start of every cycle; illegal ones are left out.

    Raises:
        TypeError: The environment does not serve whole circuits.
        ValueError: Prices or temperatures out of range.
    """

    def __init__(
        self,
        env: Any,
        seed: int | None = None,
        two_qubit: float = 0.1,
        one_qubit: float = 0.01,
        unsolved: float = 3.0,
        hot: float = 0.1,
        cold: float = 0.005,
        cycle: int = 5000,
        start_gates: int = 40,
    ) -> None:
        if not 0 < cold <= hot:
            raise ValueError(must("cold", f"be positive and at most {hot}", cold))
        for name, value in {"cycle": cycle, "start_gates": start_gates}.items():
            if value < 1:
                raise ValueError(must(name, "be at least 1", value))
        prices = {"two_qubit": two_qubit, "one_qubit": one_qubit, "unsolved": unsolved}
        for name, price in prices.items():
            if not price >= 0:
                raise ValueError(must(name, "not be negative", price))
        self.env = env
        self.num_timesteps = 0
        self._bench = workbench(env)
        self._rng = np.random.default_rng(seed)
        self._prices = two_qubit, one_qubit, unsolved
        self._hot, self._cooling, self._cycle = hot, (cold / hot) ** (1.0 / cycle), cycle
        self._start_gates = start_gates

    def get_env(self) -> Any:
        """Return the environment."""
        return self.env

    def learn(
        self, total_timesteps: int, callback: Callback = None, log_interval: int = 0, progress_bar: bool = False
    ) -> SimulatedAnnealing:
        """Try ``total_timesteps`` circuits, or until the callback returns False."""
        listener = as_callback(callback)
        listener.init_callback(self)
        self.env.reset(seed=int(self._rng.integers(2**31)))
        listener.on_training_start(locals(), globals())
        end = self.num_timesteps + total_timesteps
        actions: list[int] = []
        angles: list[Angles] = []
        cost, temperature, age, told = math.inf, self._hot, 0, 0
        while self.num_timesteps < end:
            is_start = age % self._cycle == 0
            if is_start:
                new, new_angles = self._random_circuit()
                cost, temperature = math.inf, self._hot
            else:
                new, new_angles = self._changed(actions, angles)
            age += 1
            temperature *= self._cooling
            if not new or not self._bench.is_legal(new):
                continue
            _, info = self._bench.play(new, new_angles)
            new_angles = self._bench.angles  # read before the callback, which may play too
            self.num_timesteps += 1
            is_last = age // self._cycle > told
            told = age // self._cycle
            listener.update_locals({"self": self, "infos": [info], "rewards": [0.0], "dones": [is_last]})
            if not listener.on_step():
                break
            new_cost = self._cost(info)
            if new_cost <= cost or self._rng.random() < math.exp((cost - new_cost) / temperature):
                actions, angles, cost = new, new_angles, new_cost
        listener.on_training_end()
        return self

    def _cost(self, info: dict[str, Any]) -> float:
        two_qubit, one_qubit, unsolved = self._prices
        pairs = info["num_two_qubit_gates"]
        cost = two_qubit * pairs + one_qubit * (info["num_gates"] - pairs)
        if not info["success"]:
            cost += unsolved + math.log10(max(1.0, abs(info["energy_error"]) / info["threshold"]))
        return float(cost)

    def _random_circuit(self) -> tuple[list[int], list[Angles]]:
        actions: list[int] = []
        for _ in range(self._start_gates):
            actions.append(self._random_action())
            if not self._bench.is_legal(actions):
                actions.pop()
        return actions, [self._random_angles(action) for action in actions]

    def _changed(self, actions: list[int], angles: list[Angles]) -> tuple[list[int], list[Angles]]:
        """Return a neighbour of a circuit, which may be illegal."""
        new, new_angles = list(actions), list(angles)
        kind = self._rng.integers(4)
        k = int(self._rng.integers(len(new) + (kind == 0))) if new or kind == 0 else 0
        if kind == 0 or not new:
            action = self._random_action()
            new.insert(k, action)
            new_angles.insert(k, self._random_angles(action))
        elif kind == 1:
            del new[k], new_angles[k]
        elif kind == 2:
            new[k] = self._random_action()
            new_angles[k] = self._random_angles(new[k])
        elif k > 0:
            new[k - 1], new[k] = new[k], new[k - 1]
            new_angles[k - 1], new_angles[k] = new_angles[k], new_angles[k - 1]
        return new, new_angles

    def _random_action(self) -> int:
        return int(self._rng.integers(len(self._bench.catalogue.actions)))

    def _random_angles(self, action: int) -> Angles:
        return tuple(self._rng.uniform(-np.pi, np.pi, self._bench.catalogue.num_angles[action]).tolist())
