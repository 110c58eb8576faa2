"""Do circuits of the data set save evaluations? The DQN with and without them, in pairs of equal seeds.

    OMP_NUM_THREADS=1 python experiments/benchmarks/demonstrations.py play circuits/circuits.npz  # some minutes
    python experiments/benchmarks/demonstrations.py report        # writes results/demonstrations.md

The data set has TFIM-4 with field 1; the DQN learns TFIM-4 with field 0.7. Its demonstrations are the shortest
solutions of the data set. *replay* is no learning at all: the same skeletons, optimised once each from random angles.
``play`` appends to results/demonstrations.jsonl what is not there yet.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import torch

import qas_envs  # noqa: F401  # registers the ids
from qas_agents import Demonstrations, DemonstrationsConfig, DQNConfig, MaskedDQN
from qas_experiments.circuit_data import CircuitTable, load_circuits
from qas_experiments.statistics import iqm_with_interval

RESULTS = Path(__file__).parents[1] / "results"
FILE = RESULTS / "demonstrations.jsonl"
SEEDS = range(10)
STEPS = 3000
SHOWN = 16
ROWS = ("DQN", "DQN with demonstrations", "replay")
DQN: dict[str, Any] = {  # those of agent=dqn_blocks, with fewer steps before the first update
    "network": {"name": "mlp", "hidden": [128, 128]},
    "learning_rate": 3e-4,
    "gamma": 0.99,
    "n_step": 5,
    "batch_size": 128,
    "buffer_size": 50_000,
    "prioritization": 0.0,
    "learning_starts": 300,
    "train_frequency": 2,
    "target_update_interval": 500,
    "tau": 1.0,
    "epsilon_end": 0.05,
    "epsilon_decay": 0.998,
    "epsilon_clock": "gradient",
}


def made() -> Any:
    """Return the environment."""
    arguments = {"num_qubits": 4, "field": 0.7, "actions": "blocks", "reward": "priced"}
    return gym.make("QAS-TFIM-v0", disable_env_checker=True, **arguments).unwrapped


def shown(table: CircuitTable) -> list[tuple[int, ...]]:
    """Return the shortest solutions of the data set for TFIM-4 with field 1; of equal length, those of lowest error."""
    rows = table.where("TFIM-4", solved=True)
    rows.sort(key=lambda row: (len(table.skeleton(row)), float(table.columns["error"][row])))
    return [table.skeleton(row) for row in rows[:SHOWN]]


class Notes:
    """Evaluations and CNOTs of each shorter solution."""

    def __init__(self) -> None:
        self.evaluations = 0
        self.shorter: list[tuple[int, int]] = []

    def note(self, evaluations: int, success: bool, two_qubit_gates: int) -> None:
        """Count a circuit."""
        self.evaluations += evaluations
        if success and (not self.shorter or two_qubit_gates < self.shorter[-1][1]):
            self.shorter.append((self.evaluations, two_qubit_gates))

    def step(self, locals_: dict[str, Any], _: dict[str, Any]) -> bool:
        """Count the circuit of a step."""
        info = locals_["infos"][0]
        self.note(int(info["evaluations"]), bool(info["success"]), int(info["num_two_qubit_gates"]))
        return True


def learned(env: Any, seed: int, circuits: list[tuple[int, ...]]) -> dict[str, Any]:
    """Train the DQN; return its figures, and those of its policy afterwards."""
    notes = Notes()
    guide = Demonstrations(env, DemonstrationsConfig(demonstrations=SHOWN), circuits) if circuits else None
    agent = MaskedDQN(env, DQNConfig(**DQN), seed, guide=guide)
    agent.learn(STEPS, notes.step)
    observation, info = env.reset(seed=seed)
    ended = False
    while not ended:
        action, _ = agent.predict(observation, deterministic=True, action_masks=info["action_mask"])
        observation, _, terminated, truncated, info = env.step(int(action))
        ended = terminated or truncated
    policy = int(info["num_two_qubit_gates"]) if info["success"] else None
    return {"shorter": notes.shorter, "evaluations": notes.evaluations, "policy": policy}


def replayed(env: Any, seed: int, circuits: list[tuple[int, ...]]) -> dict[str, Any]:
    """Optimise each circuit once, from random angles."""
    notes, rng, player = Notes(), np.random.default_rng(seed), env.player
    for actions in circuits:
        start = rng.uniform(-np.pi, np.pi, 4 + 2 * len(actions))
        played = player.play_many([actions], [start], max_iterations=200)
        notes.note(int(played.evaluations[0]), bool(played.success[0]), len(actions))
    return {"shorter": notes.shorter, "evaluations": notes.evaluations, "policy": None}


def play(path: str) -> None:
    """Play what is not in the file."""
    circuits = shown(load_circuits(path))
    known = {(line["row"], line["seed"]) for line in lines()}
    for seed in SEEDS:
        for row in ROWS:
            if (row, seed) in known:
                continue
            started = time.process_time()
            if row == "replay":
                figures = replayed(made(), seed, circuits)
            else:
                figures = learned(made(), seed, circuits if row != "DQN" else [])
            line = {"row": row, "seed": seed, **figures, "seconds": round(time.process_time() - started, 1)}
            with FILE.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")


def lines() -> list[dict[str, Any]]:
    """Return the results so far."""
    return [json.loads(line) for line in FILE.read_text("utf-8").splitlines()] if FILE.exists() else []


def reached(line: dict[str, Any], most: int) -> int | None:
    """Return the evaluations to the first solution with at most ``most`` CNOTs."""
    return next((spent for spent, gates in line["shorter"] if gates <= most), None)


def report() -> None:
    """Write the table."""
    own = lines()
    fewest = min(line["shorter"][-1][1] for line in own if line["shorter"])
    text = [
        "# Circuits of the data set as demonstrations",
        "",
        "`python experiments/benchmarks/demonstrations.py`: TFIM-4 with field 0.7, the DQN on blocks, 3,000 steps, ten",
        f"seeds. The demonstrations are the {SHOWN} shortest solutions of the data set for field 1, which cost no",
        "evaluations here. Interquartile means with 95 % bootstrap intervals; evaluations of the solved seeds.",
        "",
        f"| row | solved | evaluations to the first solution | {fewest} CNOTs | evaluations to {fewest} CNOTs "
        f"| {fewest + 1} CNOTs or fewer | evaluations to these | policy solves, CNOTs | all evaluations | s |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in ROWS:
        runs = [line for line in own if line["row"] == row]
        cells = [f"{sum(bool(line['shorter']) for line in runs)}/{len(runs)}"]
        cells.append(iqm_with_interval([line["shorter"][0][0] for line in runs if line["shorter"]]))
        for most in (fewest, fewest + 1):
            spent = [found for line in runs if (found := reached(line, most)) is not None]
            cells += [f"{len(spent)}/{len(runs)}", iqm_with_interval(spent)]
        policies = [line["policy"] for line in runs if line["policy"] is not None]
        cells.append("-" if row == "replay" else f"{len(policies)}/{len(runs)}, {iqm_with_interval(policies)}")
        cells.append(iqm_with_interval([line["evaluations"] for line in runs]))
        cells.append(f"{np.median([line['seconds'] for line in runs]):.1f}")
        text.append(f"| {row} | {' | '.join(cells)} |")
    text += ["", f"Pairs of equal seeds, evaluations with demonstrations over those without: {ratio(own)}."]
    (RESULTS / "demonstrations.md").write_text("\n".join(text) + "\n", encoding="utf-8")


def ratio(own: list[dict[str, Any]]) -> str:
    """Return the geometric mean of the ratios of pairs, to the first solution of the length that both reach."""
    both = {row: {line["seed"]: line for line in own if line["row"] == row} for row in ROWS}
    found = []
    for seed, line in both["DQN"].items():
        other = both["DQN with demonstrations"][seed]
        if line["shorter"] and other["shorter"]:
            most = max(line["shorter"][-1][1], other["shorter"][-1][1])
            found.append(np.log(reached(other, most) / reached(line, most)))  # type: ignore[operator]
    values = np.asarray(found)
    drawn = values[np.random.default_rng(0).integers(0, len(values), (10_000, len(values)))].mean(axis=1)
    low, high = np.exp(np.percentile(drawn, [2.5, 97.5]))
    return f"{np.exp(values.mean()):.2f} [{low:.2f}, {high:.2f}] in {len(values)} pairs"


if __name__ == "__main__":
    torch.set_num_threads(1)
    if sys.argv[1] == "play":
        play(sys.argv[2])
    report()
