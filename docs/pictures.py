"""Pictures of the docs: ``python docs/pictures.py`` redraws them (a quarter of a minute)."""

from __future__ import annotations

from pathlib import Path

import gymnasium as gym

import qas_envs  # noqa: F401
from qas_agents import SimulatedAnnealing
from qas_envs.problems import known_floors
from qas_experiments import plots
from qas_experiments.benchmarking.records import Record, Records
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

    SimulatedAnnealing(env, seed=1).learn(300_000, keep)
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


EPISODES: dict[str, tuple[str, str, str, str, dict[str, object]]] = {
    "episode": ("families", "LiH-4 2.4 Å", "frozen", "QAS-LiH-v0", {"bond_length": 2.4}),
    "episode_spins": ("presets", "TFIM-3 CX, grl", "annealing", "QAS-TFIM-v0", {"num_qubits": 3}),
    "episode_states": ("kanqas", "GHZ-3", "kanqas_mlp", "QAS-GHZ-v0", {}),
}
"""For each animation the suite, instance and agent of its record, and the environment. The first one is what a policy
that was trained on other lengths builds in one episode; there is one for each family of environments."""


def episode(name: str) -> None:
    """Animate the shortest solution of the records of an agent, gate by gate."""
    suite, instance, agent, environment, arguments = EPISODES[name]
    some = [record for record in records(suite, instance) if record.agent == agent]
    solved = [one.circuits["best"] for one in some if one.circuits["best"]["energy_error"] < one.figures["accuracy"]]
    shortest = Circuit.from_qasm3(min(solved, key=lambda found: (found["two_qubit_gates"], found["gates"]))["qasm"])
    env = gym.make(environment, render_mode="rgb_array", **arguments).unwrapped
    is_built = agent == "frozen"  # by a policy; of a search, gates without effect are left out
    actions = [
        env.catalogue.index(gate, *qubits)
        for gate, qubits, angle in shortest
        if is_built or angle is None or abs(angle) > 1e-3
    ]
    plots.animate_episode(env, actions, IMAGES / f"{name}.gif")


def cut() -> None:
    """Animate rotations that flip one side of a maximum cut."""
    env = gym.make("QAS-MaxCut-v0", render_mode="rgb_array").unwrapped
    flipped = [qubits[0] for _, qubits, _ in env.problem.best_basis_state()]
    plots.animate_episode(env, [env.catalogue.index("rx", qubit) for qubit in flipped], IMAGES / "episode_cut.gif")


if __name__ == "__main__":
    tutorial()
    front()
    for name in EPISODES:
        episode(name)
    cut()
