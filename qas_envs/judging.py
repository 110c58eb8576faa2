"""Rules applied to an episode: drawing its instance, and judging its steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from qas_envs.curricula import Curriculum, InstanceCurriculum
from qas_envs.episode import Episode
from qas_envs.rewards import Transition
from qas_simulators import Circuit, PauliSum, Simulator
from qas_simulators.errors import must


class Outcome(NamedTuple):
    """What a step was worth, and whether it ended the episode.

    Attributes:
        reward: The reward.
        success: Whether the energy error is below the curriculum's threshold; see :func:`is_solved`.
        terminated: Whether the episode ended by success, an exhausted budget, or the agent's stop.
        truncated: Whether random halting ended it.
    """

    reward: float
    success: bool
    terminated: bool
    truncated: bool


def draw_instance(
    episode: Episode, curriculum: Curriculum, rng: np.random.Generator, options: Mapping[str, Any]
) -> None:
    """Switch to the instance of the next episode, which differs with a family only.

    Args:
        episode: Switched to the member of the family; it must be reset afterwards.
        curriculum: Schedules members, if it is an ``InstanceCurriculum``, and is started for the member.
        rng: Draws the values that are neither scheduled nor given.
        options: ``split``, and values of the arguments that vary.

    Raises:
        ValueError: Options that do not apply.
    """
    family = episode.rules.family
    if family is None:
        if options:
            raise ValueError(must("options", "be empty where instances do not vary", options))
        return
    if isinstance(curriculum, InstanceCurriculum) and options.get("split", "train") == "train":
        options = {**curriculum.context(), **options}
    episode.switch(family.draw(rng, options))
    curriculum.start(episode.problem)


def is_solved(
    simulator: Simulator, circuit: Circuit, observable: PauliSum, energy: float, reference: float, threshold: float
) -> bool:
    """Return whether a circuit's energy is near enough to the reference.

    A truncated energy may be wrong, even below the ground energy: such a circuit counts only if its exact energy is
    near enough too, and can be computed.
    """
    if not abs(energy - reference) < threshold:
        return False
    if not simulator.is_truncated:
        return True
    exact = simulator.exact_energy(circuit, observable)
    return exact is not None and abs(exact - reference) < threshold


def note_truncation(episode: Episode) -> None:
    """Note the figures of the truncation of the energy of an episode's circuit, for ``info``."""
    simulator = episode.rules.simulator
    if simulator.is_truncated:
        episode.truncation = simulator.truncation(episode.circuit, episode.problem.hamiltonian)


def judge(episode: Episode, curriculum: Curriculum, action: int, energy: float, is_known: bool = True) -> Outcome:
    """Record an action in its episode and judge it.

    Args:
        episode: Its circuit has the action's gates and their angles already.
        curriculum: Observes the energy and the end of the episode.
        action: The checked action.
        energy: Energy of the circuit.
        is_known: Whether it was evaluated; otherwise it is that of an earlier circuit, and no success.
    """
    rules, catalogue, circuit = episode.rules, episode.rules.catalogue, episode.circuit
    new_gates = two_qubit_gates = 0
    stops = action == catalogue.stop
    if episode.adds_gates(action):
        episode.record(action)
        new_gates, two_qubit_gates = catalogue.num_gates[action], catalogue.num_two_qubit_gates[action]
    else:
        episode.wasted += not stops
    previous, episode.energy = episode.energy, energy
    curriculum.observe(energy)
    reference, episode.threshold = curriculum.reference_energy, curriculum.threshold
    success = is_known and is_solved(
        rules.simulator, circuit, episode.problem.hamiltonian, energy, reference, episode.threshold
    )
    if is_known:
        note_truncation(episode)
    exhausted = stops or episode.is_exhausted
    total_two_qubit_gates = circuit.num_two_qubit_gates
    reward = rules.reward(
        Transition(
            previous,
            energy,
            reference,
            success,
            exhausted,
            two_qubit_gates,
            new_gates - two_qubit_gates,
            episode.first_energy,
            total_two_qubit_gates,
            circuit.num_gates - total_two_qubit_gates,
            circuit.depth(),
            rules.max_gates,
        )
    )
    terminated = success or exhausted
    halted = not terminated and episode.halt_at is not None and episode.halt_at < episode.used_gates
    if halted and getattr(rules.halting, "terminates", False):
        terminated, halted = True, False
    if terminated or halted:
        episode.over = True
        curriculum.end_episode(success)
    return Outcome(reward, success, terminated, halted)
