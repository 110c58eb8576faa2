"""A policy that sees the present noise, played without learning on the drifts of ``drift.py``.

    OMP_NUM_THREADS=1 python experiments/benchmarks/drift_policies.py train         # trains what is missing
    OMP_NUM_THREADS=1 python experiments/benchmarks/drift_policies.py play          # plays what is missing
    OMP_NUM_THREADS=1 python experiments/benchmarks/drift_policies.py play "TFIM-4, blocks" --seeds=5  # a part
    python experiments/benchmarks/drift.py report                                   # writes the tables

A policy of the ``graph`` agent is trained on noise models of walks that are in no table, with the noise shown or
hidden, by blind searches that it imitates. Then it plays the walks of the table and stays as it is: in every step of
the drift the first episode is greedy; if it succeeds the others are too, which makes it reliable, else circuits are
drawn from the policy until the first one succeeds, and the step counts as not reliable. The actions of the policy are
blocks, so that GHZ-3 is played with blocks here, and Bell is not: two qubits have one block.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import drift
import gymnasium as gym

from qas_agents import GraphAgent, GraphConfig

FILE = drift.RESULTS / "drift_policies.jsonl"
POLICIES = Path(__file__).parents[2] / "runs" / "drift_policies"
WALKS, STEPS = range(100, 112), (2, 4)  # of the training; the tables have the walks 0 to 9
SHOWN = {"graph policy, noise shown": True, "graph policy, noise hidden": False}
BESIDE = ("from scratch", "random legal")  # played where ``drift.py`` has gates


@dataclass(frozen=True)
class Training:
    """How the policy of one task is trained.

    Attributes:
        scale: Of the errors: the threshold of the training, which no circuit has to reach.
        lengths: Blocks of a circuit over the number of qubits.
        teacher: Circuits of the blind search of a noise model.
        cloning: Steps of imitation.
        groups: Groups of 32 circuits afterwards.
        walks: Seeds of the walks.
        seeds: Number of trainings, which the walks of the table meet by turns.
    """

    scale: float
    lengths: tuple[float, float] = (1.5, 1.5)
    teacher: int = 300
    cloning: int = 600
    groups: int = 40
    walks: range = field(default=WALKS)
    seeds: int = 2


def of_blocks(name: str, max_gates: int) -> drift.Task:
    """Return a task of ``drift.py`` with blocks of CX and RY in place of its gates.

    A block has more one-qubit gates than the shortest circuit, so that success is an error close to that of the best
    circuit of random blocks.
    """
    task = drift.TASKS[name]
    kept = {key: value for key, value in task.arguments.items() if key != "gates"}
    rules = {"gates": ["ry", "cx"], "actions": "blocks", "optimizer": "scan_lbfgs", "max_gates": max_gates}
    return replace(task, arguments={**kept, **rules}, budget=5_000, within=0.05)


TRAININGS = {
    "GHZ-3 with blocks": Training(2e-3, (0.6, 0.6), 30, 200, 20, range(100, 106)),
    "TFIM-4, blocks": Training(2e-3),
    "LiH-4, blocks": Training(2.5e-4, seeds=1),
}
OWN = {"GHZ-3 with blocks": of_blocks("GHZ-3", 6)}  # on two qubits there is one block, and nothing to choose
drift.TASKS |= OWN


def environment(task: drift.Task, is_shown: bool, seed: int) -> Any:
    """Return the environment of a walk whose observations show the present noise, or hide it and the couplings."""
    encoding = {"name": "hamiltonian_graph", "device": "full" if is_shown else "hidden"}
    return replace(task, arguments={**task.arguments, "encoding": encoding}).environment(seed, shown=is_shown)


# -- training ----------------------------------------------------------------------------------------------------------


def train(name: str, method: str, seed: int) -> None:
    """Train a policy, and write it with what it cost."""
    task, own, started = drift.TASKS[name], TRAININGS[name], time.process_time()
    models = [task.environment(walk).rules.drift.models[step] for walk in own.walks for step in STEPS]  # type: ignore[union-attr]
    encoding = {"name": "hamiltonian_graph", "device": "full" if SHOWN[method] else "hidden"}
    rules = {"encoding": encoding, "noise": models[0], "curriculum": {"name": "fixed", "threshold": own.scale}}
    env = gym.make(disable_env_checker=True, **{**task.arguments, **rules})
    config = GraphConfig(
        instances=[{"noise": model} for model in models],
        lengths=own.lengths,
        teacher=own.teacher,
        cloning=own.cloning,
        blind=True,
        epochs=2,
        entropy=0.02,
    )
    agent, energies = GraphAgent(env, config, seed), 0

    def note(seen: dict[str, Any], _: dict[str, Any]) -> bool:
        nonlocal energies
        energies += int(seen["infos"][0]["evaluations"])
        return True

    agent.learn(own.teacher * len(models) + 32 * own.groups, note)
    path = policy(name, method, seed)
    path.parent.mkdir(parents=True, exist_ok=True)
    agent.save(path)
    cost = {"energies": energies, "seconds": round(time.process_time() - started, 1), "circuits": agent.num_timesteps}
    path.with_suffix(".json").write_text(json.dumps(cost | {"noise_models": len(models)}) + "\n", "utf-8")
    print(name, method, seed, cost, flush=True)


def policy(name: str, method: str, seed: int) -> Path:
    """Return the file of a policy."""
    return POLICIES / f"{name}-{method}-{seed}".replace(", ", "-").replace(" ", "_")


# -- playing -----------------------------------------------------------------------------------------------------------


def play(name: str, method: str, seed: int) -> dict[str, Any]:
    """Return what a policy needs in each step of a walk, and which noise models its greedy circuits solve."""
    task, number = drift.TASKS[name], seed % TRAININGS[name].seeds
    env = drift.AtStep(environment(task, SHOWN[method], seed), drift.thresholds_of(name, seed))
    path = policy(name, method, number)
    agent, log = GraphAgent.load(path, env), drift.Log(task.budget)
    agent.reseed(seed)
    greedy: list[bool] = []
    for step in range(task.steps):
        env.step_of_drift, episodes, done = step, 0, False
        while not done:
            is_greedy = episodes == 0 or greedy[step]
            for info, over in episode(env, agent, is_greedy):
                done = log.note(info, over)
                if over and episodes == 0:
                    greedy.append(bool(info["success"]))
            done = done or (log.first is not None and not greedy[step])
            episodes += 1
        log.spent = log.spent if greedy[step] else task.budget
        log.close()
    cost = json.loads(path.with_suffix(".json").read_text("utf-8"))
    return {"steps": log.rows, "at_end": greedy, "training": {"policy": number, **cost}}


def episode(env: Any, agent: GraphAgent, is_greedy: bool) -> Iterator[tuple[dict[str, Any], bool]]:
    """Play an episode; yield what each step returned."""
    observation, info = env.reset()
    over = False
    while not over:
        mask = info["action_mask"]
        action = agent.predict(observation, deterministic=is_greedy, action_masks=mask)[0]
        observation, _, terminated, truncated, info = env.step(int(action))
        over = terminated or truncated
        yield info, over


def lines() -> list[dict[str, Any]]:
    """Return the results so far."""
    return [json.loads(line) for line in FILE.read_text("utf-8").splitlines()] if FILE.exists() else []


def play_missing(names: list[str], number: int) -> None:
    """Play all missing cells of some tasks, of the first ``number`` seeds, and append them to the file."""
    known = {(cell["task"], cell["method"], cell["seed"]) for cell in lines()}
    for name in names:
        others = BESIDE if name in OWN else ()
        for seed in drift.SEEDS[:number]:
            for method in (*SHOWN, *others):
                if (name, method, seed) in known:
                    continue
                begun = time.process_time()
                own = play if method in SHOWN else drift.learn if method in drift.LEARNERS else drift.search
                found = own(name, method, seed)
                cell = {"task": name, "method": method, "seed": seed}
                cell |= {"seconds": round(time.process_time() - begun, 2), **found}
                with FILE.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(cell) + "\n")


def main() -> None:
    """Train or play what is missing."""
    verb, *words = sys.argv[1:]
    chosen = [word for word in words if not word.startswith("--")] or [*TRAININGS]
    given = [int(word.removeprefix("--seeds=")) for word in words if word.startswith("--seeds=")]
    if verb == "play":
        play_missing(chosen, *(given or [len(drift.SEEDS)]))
        return
    for name in chosen:
        for seed in range(TRAININGS[name].seeds):
            for method in SHOWN:
                if not policy(name, method, seed).exists():
                    train(name, method, seed)


if __name__ == "__main__":
    main()
