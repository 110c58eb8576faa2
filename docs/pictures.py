"""Pictures of the docs: ``python docs/pictures.py`` redraws them (a quarter of a minute)."""

from __future__ import annotations

from pathlib import Path

import gymnasium as gym

import qas_envs  # noqa: F401
from qas_agents import SimulatedAnnealing
from qas_envs.problems import known_floors
from qas_experiments import plots
from qas_experiments.benchmark.records import Record, Records
from qas_simulators import Circuit

ROOT = Path(__file__).parents[1]
IMAGES = Path(__file__).parent / "images"
THEMES = ("light", "dark")


def three_cnot() -> Circuit:
    """Return what the tutorial's search finds."""
    env = gym.make("QAS-LiH-v0", reward="priced")
    best: list[Circuit] = []

    def keep(seen: dict, _: dict) -> bool:
        tried, circuit = seen["infos"][0], env.unwrapped.circuit
        if tried["energy_error"] < 1.6e-3 and (not best or circuit.num_two_qubit_gates < best[-1].num_two_qubit_gates):
            best.append(circuit.copy())
        return not best or best[-1].num_two_qubit_gates > 3

    SimulatedAnnealing(env, seed=0).learn(300_000, keep)
    return best[-1].simplified()


def tutorial() -> None:
    """Draw that circuit."""
    circuit = three_cnot()
    for theme in THEMES:
        figure = circuit.draw("mpl", title=f"LiH at 3.4 Å, {circuit.num_two_qubit_gates} CNOT", theme=theme)
        plots.save(figure, IMAGES / f"tutorial_{theme}.png")


def records(suite: str, instance: str) -> list[Record]:
    """Return our records of an instance."""
    path = ROOT / f"experiments/results/leaderboard/{suite}.jsonl.xz"
    return [record for record in Records(path) if record.instance == instance]


def front() -> None:
    """Draw error against CNOT on LiH at 3.4 Å: the records of four agents, and the floor."""
    points = {
        agent: [
            (circuit["two_qubit_gates"], circuit["energy_error"])
            for record in records("crlqas", "LiH-4 3.4 Å")
            if record.agent == agent
            for name, circuit in record.circuits.items()
            if name.startswith("front") and circuit["two_qubit_gates"] <= 16
        ]
        for agent in ("dqn_guided", "annealing", "random", "hea")
    }
    problem = gym.make("QAS-LiH-v0").unwrapped.problem
    floor = [(known.two_qubit_gates, known.error) for known in known_floors(problem)]
    for theme in THEMES:
        figure = plots.pareto_fronts(points, floor=floor, accuracy=problem.accuracy, theme=theme)
        plots.save(figure, IMAGES / f"lih_front_{theme}.png")


def episode() -> None:
    """Animate what a policy that was trained on other lengths builds for LiH at 2.4 Å when asked once."""
    built = [record.circuits["best"] for record in records("families", "LiH-4 2.4 Å") if record.agent == "frozen"]
    solved = [circuit for circuit in built if circuit["energy_error"] < 1.6e-3]
    shortest = Circuit.from_qasm3(min(solved, key=lambda circuit: circuit["two_qubit_gates"])["qasm"])
    env = gym.make("QAS-LiH-v0", bond_length=2.4, render_mode="rgb_array").unwrapped
    actions = [env.catalogue.index(name, *qubits) for name, qubits, _ in shortest]
    plots.animate_episode(env, actions, IMAGES / "episode.gif")


if __name__ == "__main__":
    tutorial()
    front()
    episode()
