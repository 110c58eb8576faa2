"""Does a policy library shorten the search for circuits when the noise of a device drifts?

    OMP_NUM_THREADS=1 python experiments/benchmarks/drift.py       # plays what is missing, then writes results/drift.*
    python experiments/benchmarks/drift.py report                  # writes the tables only
    python experiments/benchmarks/drift.py Bell --seeds=5          # plays five seeds of one task only

An agent prepares a state under one noise model after the other, the steps of a random walk of the error rates of each
qubit and each pair, in which couplings drop out. A step ends when 8 of the last 10 episodes have succeeded, or when its
budget is spent. Every agent of a seed meets the same walk. Energies of a simulator are counted, one after every gate
without angles. With blocks, success is an energy close to the lowest one that random blocks find under the same noise;
this reference is the task's and counts for no method.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

import qas_envs  # noqa: F401
from qas_agents import (
    BlockAnnealing,
    DQNConfig,
    PolicyReuse,
    PolicyReuseConfig,
    RandomBlocks,
    RandomPolicy,
    SimulatedAnnealing,
    ppr_dqn,
)
from qas_envs import CircuitBuildingEnv

RESULTS = Path(__file__).parents[1] / "results"
SEEDS = range(10)  # those whose last method was played are in the tables
LAST, NEEDED = 10, 8  # episodes, and successes among them
REFERENCE = 20_000  # energies with random blocks under each noise model
AGENT = DQNConfig(
    network={"name": "mlp", "hidden": (64,)},
    learning_rate=5e-3,
    gamma=0.9,
    n_step=4,
    batch_size=32,
    buffer_size=20_000,
    learning_starts=100,
    train_frequency=2,
    target_update_interval=100,
    epsilon_decay=0.98,
)


@dataclass(frozen=True)
class Task:
    """One state under drifting noise.

    Attributes:
        arguments: Of ``gymnasium.make``.
        budget: Largest number of energies per step of the drift.
        noise: The first noise model.
        walk: Settings of the walk.
        steps: Number of noise models.
        agent: Settings of the learners that differ from :data:`AGENT`.
        within: With blocks: success is an error of at most this share above the lowest one of the reference.
    """

    arguments: dict[str, Any]
    budget: int
    noise: dict[str, Any]
    walk: dict[str, Any]
    steps: int = 20
    agent: dict[str, Any] = field(default_factory=dict)
    within: float | None = None

    def environment(self, seed: int, shown: bool = False) -> CircuitBuildingEnv:
        """Return the environment with the walk of a seed."""
        drift = {"name": "walk", "steps": self.steps, "seed": seed, "every": None, "shown": shown, **self.walk}
        rules = {"optimizer": "none", "reward": "crlqas", "noise": self.noise, "drift": drift}
        env: Any = gym.make(disable_env_checker=True, **{**rules, **self.arguments}).unwrapped
        return env  # type: ignore[no-any-return]


def with_blocks(**problem: Any) -> Task:
    """Return a task of four qubits whose actions are blocks, in which couplings drop out."""
    rules = {"actions": "blocks", "optimizer": "scan_lbfgs", "max_gates": 18}
    return Task(
        {**problem, **rules, "curriculum": {"name": "fixed", "threshold": 1e-9}},
        120_000,
        {"name": "depolarizing", "p1": 3e-4, "p2": 3e-3},
        {"size": 0.3, "bound": 2.0, "dropout": 0.3},
        steps=5,
        agent={"epsilon_decay": 0.99},
        within=0.05,
    )


TASKS = {
    "Bell": Task(
        {"id": "QAS-Bell-v0", "max_gates": 6, "curriculum": {"name": "fixed", "threshold": 0.02}},
        1_000,
        {"name": "depolarizing", "p1": 1e-3, "p2": 1e-2},
        {"size": 0.3, "bound": 2.0},
    ),
    "GHZ-3": Task(
        {"id": "QAS-GHZ-v0", "gates": "clifford", "max_gates": 4, "curriculum": {"name": "fixed", "threshold": 0.03}},
        1_200,
        {"name": "depolarizing", "p1": 1e-3, "p2": 1e-2},
        {"size": 0.3, "bound": 2.0, "dropout": 0.3},
        steps=6,
        agent={"epsilon_decay": 0.99},
    ),
    "TFIM-4, blocks": with_blocks(id="QAS-TFIM-v0", num_qubits=4),
    "LiH-4, blocks": with_blocks(id="QAS-LiH-v0"),
}
LEARNERS = {
    "from scratch": PolicyReuseConfig(psi=0.0),
    "PPR-DQN": PolicyReuseConfig(),
    "fine-tuning": PolicyReuseConfig(psi=0.0, carry="networks"),
    "function space": PolicyReuseConfig(psi=0.0, carry="functions"),
    "replay of old tasks": PolicyReuseConfig(psi=0.0, carry="all"),
    "replay, noise shown": PolicyReuseConfig(psi=0.0, carry="all"),
}
SEARCHES: dict[str, Callable[..., Any]] = {"random legal": RandomPolicy, "annealing": SimulatedAnnealing}
KEPT = "known circuits, then random legal"
METHODS = (*LEARNERS, *SEARCHES, KEPT)


class AtStep(gym.Wrapper[Any, Any, Any, Any]):
    """An environment whose episodes begin with the noise of one step of the drift.

    Args:
        env: The environment.
        thresholds: Of the error, for each step; by default the environment's own.
    """

    def __init__(self, env: Any, thresholds: list[float] | None = None) -> None:
        super().__init__(env)
        self.step_of_drift, self._thresholds = 0, thresholds

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        """Reset with the present step."""
        if self._thresholds is not None:
            self.unwrapped.curriculum.threshold = self._thresholds[self.step_of_drift]  # type: ignore[attr-defined]
        return self.env.reset(seed=seed, options={**(options or {}), "noise": self.step_of_drift})


@cache
def thresholds_of(name: str, seed: int) -> list[float] | None:
    """Return the largest error of each step of a seed's walk that is a success; ``None`` for the environment's own."""
    task = TASKS[name]
    if task.within is None:
        return None
    env, found = AtStep(task.environment(seed)), []
    for step in range(task.steps):
        spent, lowest, env.step_of_drift = 0, float("inf"), step
        env.reset()

        def note(seen: dict[str, Any], _: dict[str, Any]) -> bool:
            nonlocal spent, lowest
            spent += int(seen["infos"][0]["evaluations"])
            lowest = min(lowest, float(seen["infos"][0]["energy_error"]))
            return spent < REFERENCE

        RandomBlocks(env, 1_000 * seed + step).learn(10**9, note)
        found.append((1 + task.within) * lowest)
    return found


@dataclass
class Log:
    """What is counted in the steps of a drift."""

    budget: int
    spent: int = 0
    last: list[bool] = field(default_factory=list)
    first: int | None = None
    reliable: int | None = None
    rows: list[dict[str, Any]] = field(default_factory=list)

    def note(self, info: dict[str, Any], over: bool) -> bool:
        """Count a step of the environment; return whether this step of the drift is over."""
        self.spent += int(info["evaluations"])
        success = bool(info["success"])
        if success and self.first is None:
            self.first = self.spent
        if not over:
            return False
        self.last = [*self.last, success][-LAST:]
        if sum(self.last) >= NEEDED:
            self.reliable = self.spent
        return self.reliable is not None or self.spent >= self.budget

    def close(self) -> None:
        """Begin the next step of the drift."""
        self.rows.append({"first": self.first, "reliable": self.reliable, "spent": self.spent})
        self.spent, self.last, self.first, self.reliable = 0, [], None, None


def learn(name: str, method: str, seed: int) -> dict[str, Any]:
    """Return what an agent needed in each step, and what it still solves at the end."""
    task = TASKS[name]
    env, log = AtStep(task.environment(seed, "shown" in method), thresholds_of(name, seed)), Log(task.budget)
    agent = ppr_dqn(env, replace(AGENT, **task.agent), LEARNERS[method], seed)

    def note(seen: dict[str, Any], _: dict[str, Any]) -> bool:
        if log.note(seen["infos"][0], bool(seen["dones"][0])):
            log.close()
            env.step_of_drift = min(len(log.rows), task.steps - 1)
        return len(log.rows) < task.steps

    agent.learn(10**9, note)
    guide = agent.guide
    assert isinstance(guide, PolicyReuse)

    def own(observation: Any, mask: Any) -> int:
        return int(agent.predict(observation, deterministic=True, action_masks=mask)[0])

    found = {"steps": log.rows, "at_end": [solves(env, own, step) for step in range(task.steps)]}
    if LEARNERS[method].psi > 0:
        labels, library = guide.library.labels, guide.library
        found |= {"kept": labels, "reused": guide.reused}
        found["library_at_end"] = [
            any(solves(env, lambda o, m, k=k: library.action(k, o, m), step) for k in range(len(library)))
            for step in range(task.steps)
        ]
    return found


def solves(env: AtStep, act: Callable[[Any, Any], int], step: int) -> bool:
    """Return whether a policy solves a step of the drift in one episode."""
    env.step_of_drift = step
    observation, info = env.reset()
    over = False
    while not over:
        observation, _, terminated, truncated, info = env.step(act(observation, info["action_mask"]))
        over = terminated or truncated
    return bool(info["success"])


def search(name: str, method: str, seed: int) -> dict[str, Any]:
    """Return what a search needs until its first success in each step."""
    task = TASKS[name]
    env, rows = task.environment(seed), []
    known: list[list[int]] = []
    for step in range(task.steps):
        spent, first = 0, None

        def note(seen: dict[str, Any], _: dict[str, Any]) -> bool:
            nonlocal spent, first
            info = seen["infos"][0]
            spent += int(info["evaluations"])
            if info["success"]:
                first = spent
            return first is None and spent < task.budget

        at_step = AtStep(env, thresholds_of(name, seed))
        at_step.step_of_drift = step
        at_step.reset()
        if method == KEPT:
            for actions in reversed(known):
                legal = env.player.checked(actions)
                if legal is not None and not note({"infos": [env.player.play(legal)[1]]}, {}):
                    break
        if first is None and spent < task.budget:
            kind = SEARCHES.get(method, RandomPolicy)
            if kind is SimulatedAnnealing and task.within is not None:
                kind = BlockAnnealing
            kind(at_step, 1_000 * seed + step).learn(10**9, note)
        if first is not None:
            actions = env.player.actions
            known = [*(other for other in known if other != actions), actions]
        rows.append({"first": first, "reliable": first, "spent": spent})
    return {"steps": rows}


def feasible(task: Task, seed: int) -> list[float]:
    """Return the share of shortest circuits that succeed in each step: H, then CNOTs along a tree."""
    from itertools import permutations

    env = task.environment(seed)
    qubits = range(env.problem.num_qubits)
    shares = []
    for step in range(task.steps):
        env.reset(options={"noise": step})
        outcomes = []
        for order in permutations(qubits):
            for parents in np.ndindex(*range(1, len(order))):
                pairs = [(order[parent], order[k + 1]) for k, parent in enumerate(parents)]
                names = [("h", order[0]), *(("cx", *pair) for pair in pairs)]
                legal = env.player.checked([env.catalogue.index(*name) for name in names])
                outcomes.append(legal is not None and bool(env.player.play(legal)[1]["success"]))
        shares.append(float(np.mean(outcomes)))
    return shares


def play(names: list[str], number: int) -> None:
    """Play all missing cells of some tasks, seed by seed, for the first ``number`` seeds."""
    path = RESULTS / "drift.json"
    cells = json.loads(path.read_text())["cells"] if path.exists() else []
    known = {(cell["task"], cell["method"], cell["seed"]) for cell in cells}
    for name in names:
        for seed in SEEDS[:number]:
            for method in METHODS:
                if (name, method, seed) in known:
                    continue
                begun = time.process_time()
                found = (learn if method in LEARNERS else search)(name, method, seed)
                seconds = round(time.process_time() - begun, 2)
                cells.append({"task": name, "method": method, "seed": seed, "seconds": seconds, **found})
                content = ",\n".join(map(json.dumps, cells))
                path.write_text(f'{{"cells": [\n{content}\n]}}\n')


if __name__ == "__main__":
    from drift_report import report

    if sys.argv[1:] != ["report"]:
        chosen = [word for word in sys.argv[1:] if not word.startswith("--")]
        given = [int(word.removeprefix("--seeds=")) for word in sys.argv if word.startswith("--seeds=")]
        play(chosen or [*TASKS], *(given or [len(SEEDS)]))
    report()
