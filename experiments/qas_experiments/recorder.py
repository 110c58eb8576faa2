"""Recorder: what training found so far, how much it cost, and where that is written."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from qas_envs import CircuitBuildingEnv
from qas_simulators import Circuit


def rank_of(accuracy: float, energy_error: float, two_qubit_gates: int, gates: int) -> tuple[float, ...]:
    """Return a key that is smaller for better circuits: solved first, then two-qubit gates, gates, error."""
    if energy_error < accuracy:
        return (0, two_qubit_gates, gates, energy_error)
    return (1, energy_error, two_qubit_gates, gates)


@dataclass(frozen=True)
class Found:
    """A circuit with its angles, and what had been spent when it was found.

    Attributes:
        circuit: The whole circuit.
        energy: As simulated with the environment's noise, in the problem's unit.
        energy_error: Against the exact ground energy.
        evaluations: Energy evaluations spent, as counted by ``OptimizationResult``.
        seconds: Wall time spent.
    """

    circuit: Circuit
    energy: float
    energy_error: float
    evaluations: int
    seconds: float

    def rank(self, accuracy: float) -> tuple[float, ...]:
        """Return :func:`rank_of` this circuit."""
        return rank_of(accuracy, self.energy_error, self.circuit.num_two_qubit_gates, self.circuit.num_gates)

    def numbers(self) -> dict[str, Any]:
        """Return the figures without the circuit."""
        row = asdict(self)
        row.pop("circuit")
        shorter = self.circuit.simplified()
        return {
            **row,
            "two_qubit_gates": self.circuit.num_two_qubit_gates,
            "rotations": self.circuit.num_params,
            "gates": self.circuit.num_gates,
            "depth": self.circuit.depth(),
            "simplified_gates": shorter.num_gates,
            "simplified_two_qubit_gates": shorter.num_two_qubit_gates,
        }


class Recorder:
    """A training callback: counts, keeps the best circuit, reports every episode.

    Args:
        env: The training environment, whose circuit is read when it beats the best.
        on_episode: Called with the episode's metrics.
        should_stop: Asked after every step.
    """

    def __init__(
        self,
        env: CircuitBuildingEnv,
        on_episode: Callable[[dict[str, Any]], None],
        should_stop: Callable[[], bool],
    ) -> None:
        self._env = env
        self._accuracy = env.problem.accuracy
        self._on_episode = on_episode
        self._should_stop = should_stop
        self._started = time.perf_counter()
        self.steps = self.episodes = self.successes = self.evaluations = self.gradients = 0
        self.best: Found | None = None
        self._best_rank: tuple[float, ...] = (2,)  # worse than any
        self.first_solved: Found | None = None
        self.improvements: list[dict[str, Any]] = []  # whenever the best solution got fewer two-qubit gates

    @property
    def seconds(self) -> float:
        """Wall time since the recorder was made."""
        return time.perf_counter() - self._started

    def spend(self, evaluations: int, gradients: int) -> None:
        """Count evaluations made outside training steps, such as greedy rollouts."""
        self.evaluations += evaluations
        self.gradients += gradients

    def __call__(self, locals_: dict[str, Any], _globals: dict[str, Any]) -> bool:
        """Hear one step; return False to stop training."""
        info = locals_["infos"][0]
        self.steps += 1
        self.spend(info["evaluations"], info["gradients"])
        rank = rank_of(self._accuracy, info["energy_error"], info["num_two_qubit_gates"], info["num_gates"])
        if rank < self._best_rank:
            self._best_rank = rank
            self._keep(info)
        if locals_["dones"][0]:
            self.episodes += 1
            self.successes += bool(info["success"])
            self._on_episode(self._metrics(locals_, info))
        return not self._should_stop()

    def _keep(self, info: dict[str, Any]) -> None:
        found = Found(self._env.circuit.copy(), info["energy"], info["energy_error"], self.evaluations, self.seconds)
        before, self.best = self.best, found
        if found.energy_error >= self._accuracy:
            return
        if self.first_solved is None:
            self.first_solved = found
        gates = found.circuit.num_two_qubit_gates
        if before is None or before.energy_error >= self._accuracy or gates < before.circuit.num_two_qubit_gates:
            self.improvements.append({"steps": self.steps, **found.numbers()})

    def _metrics(self, locals_: dict[str, Any], info: dict[str, Any]) -> dict[str, Any]:
        agent = locals_["self"]
        return {
            "episode": self.episodes,
            "steps": self.steps,
            "evaluations": self.evaluations,
            "success": bool(info["success"]),
            "energy_error": info["energy_error"],
            "threshold": info["threshold"],
            "gates": info["num_gates"],
            "two_qubit_gates": info["num_two_qubit_gates"],
            "depth": info["depth"],
            "epsilon": getattr(agent, "epsilon", None),
            "loss": getattr(agent, "loss", None),
        }
