"""TextEnv: an action is a whole OpenQASM 3 program, so that anything that writes text can be scored."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from qas_envs.circuit_env import CircuitBuildingEnv
from qas_envs.components import is_whole
from qas_envs.registration import make_registered
from qas_envs.simulation import without_shots
from qas_simulators import Circuit
from qas_simulators.errors import must
from qas_simulators.gates import GATES, gate_index

STAGES: Final = ("text", "program", "circuit", "solution")
"""What a program is at least: text that cannot be read; a program; a circuit of the task's qubits and gates within the
budget; a circuit that solves the task with the angles as written."""

_SHARES: Final = (0.1, 0.1, 0.4, 0.4)  # of the reward: readable, fits the task, energy as written, energy optimised
_MOST_CHARACTERS: Final = 100_000
_MOST_TERMS: Final = 200  # of the Hamiltonian, in the description
_CHARACTERS: Final = "".join(map(chr, [9, 10, 13, *range(32, 127)])) + "πτℇ"  # of OpenQASM, and of descriptions


@dataclass(frozen=True)
class _Judgement:
    """What a program is worth; energies are infinite where there is no circuit."""

    stage: str
    reward: float
    problem: str = ""
    circuit: Circuit | None = None
    energy: float = math.inf
    optimized_energy: float = math.inf
    evaluations: int = 0


class TextEnv(gym.Env[str, str]):
    """Write an OpenQASM 3 program that prepares the state; the environment says how good it is.

    ## Description
    The task is that of another environment: its problem, gates, couplings, noise and gate budget. The observation
    describes it in words; after an attempt, it also says what the last program was worth.

    ## Action Space
    ``Text``: a program. Gates that the program defines are expanded. Measurements at the end are ignored.

    ## Rewards
    From 0 to 1: 0.1 for text that is a program; 0.1 more for a circuit of the right number of qubits, with gates and
    pairs of qubits that the task allows, and within its budget; 0.4 times the quality of its energy with the angles as
    written; and 0.4 times the quality after all angles are optimised. The quality is 0 for an error as large as that of
    the empty circuit or larger, 1 for an error at or below the threshold, and linear in the error's logarithm between.

    ## Episode End
    Termination: a solution. Truncation: all attempts are used.

    ## Information
    ``stage`` (one of :data:`STAGES`), ``message`` (what is wrong), ``energy`` and ``energy_error`` of the program as
    written, ``optimized_energy`` and ``optimized_error``, ``success``, ``num_gates``, ``num_two_qubit_gates``,
    ``evaluations``. Energies are infinite where there is no circuit.

    ## Arguments
    Args:
        env: The task; its actions are gates.
        attempts: Programs of an episode.

    Raises:
        TypeError: Not an environment that builds circuits.
        ValueError: Actions that are blocks or gadgets, an initial circuit, or no attempts.

    Examples:
        >>> env = TextEnv(gym.make("QAS-Bell-v0"))
        >>> description, _ = env.reset(seed=0)
        >>> _, reward, terminated, _, info = env.step(Circuit(2).h(0).cx(0, 1).to_qasm3())
        >>> reward, terminated, info["stage"]
        (1.0, True, 'solution')
    """

    metadata: dict[str, Any] = {"render_modes": []}

    def __init__(self, env: gym.Env[Any, Any], attempts: int = 1) -> None:
        base = env.unwrapped
        if not isinstance(base, CircuitBuildingEnv):
            raise TypeError(must("env", "be an environment that builds circuits", type(base).__name__))
        if base.catalogue.gadget_names:  # blocks are gadgets too
            raise ValueError(must("env", 'have actions="gates" and no gadgets', base.catalogue.gadget_names))
        if len(base.initial):
            raise ValueError(must("env", "start with the empty circuit", f"{len(base.initial)} gates"))
        base.problem.hamiltonian.require_no_preparation("QAS-Text-v0")
        if not is_whole(attempts, 1):
            raise ValueError(must("attempts", "be an integer of at least 1", attempts))
        self.task = base
        self.attempts = attempts
        self._left = 0
        self._longest = len(self.description()) + 1000
        self.observation_space = spaces.Text(self._longest, charset=_CHARACTERS)
        self.action_space = spaces.Text(_MOST_CHARACTERS, min_length=0, charset=_CHARACTERS)

    def description(self) -> str:
        """Return the task in words."""
        task, problem = self.task, self.task.problem
        actions = task.catalogue.actions
        gates = sorted({action.gate for action in actions})
        pairs = sorted(qubits for _, qubits in self._allowed() if len(qubits) == 2)
        every = sum(1 for gate in gates if GATES[gate_index(gate)].num_qubits == 2)
        every *= problem.num_qubits * (problem.num_qubits - 1)
        terms = sorted(problem.hamiltonian.terms().items(), key=lambda item: (-abs(item[1]), item[0]))
        shown = [f"{value:+.6f} {label}" for label, value in terms[:_MOST_TERMS]]
        left_out = f"\n... and {len(terms) - len(shown)} smaller terms" if len(terms) > len(shown) else ""
        unit = f" {problem.unit}" if problem.unit else ""
        lines = [
            f"Write an OpenQASM 3 program on {problem.num_qubits} qubits that starts from |0...0> and prepares a state",
            f"whose energy lies less than {task.curriculum.threshold:g}{unit} above the lowest eigenvalue of the",
            "Hamiltonian below.",
            f"Allowed gates: {', '.join(gates)}. Most gates: {task.max_gates}. Angles are in radians.",
        ]
        if len(pairs) < every:
            places = ", ".join(f"({first}, {second})" for first, second in sorted(set(pairs)))
            lines.append(f"Two-qubit gates act on (first, second): {places}.")
        lines.append("Hamiltonian, a sum of Pauli strings; the last letter of a string is qubit 0:")
        return "\n".join([*lines, *shown]) + left_out

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[str, dict[str, Any]]:
        """Begin an episode; with a family, ``options`` choose the instance as in the task's own ``reset``."""
        super().reset(seed=seed)
        _, info = self.task.reset(seed=seed, options=options)
        self._left = self.attempts
        varied = {name: info[name] for name in (self.task.family.names if self.task.family else ())}
        return self.description(), {"threshold": self.task.curriculum.threshold, **varied}

    def step(self, action: str) -> tuple[str, float, bool, bool, dict[str, Any]]:
        """Judge a program.

        Raises:
            TypeError: Something other than text.
            RuntimeError: The episode is over.
        """
        if not isinstance(action, str):
            raise TypeError(must("action", "be the text of a program", type(action).__name__))
        if self._left < 1:
            raise RuntimeError("The episode is over: call reset first.")
        self._left -= 1
        judged = self.judge(action)
        solved = judged.stage == STAGES[-1]
        info = self._info(judged, solved)
        text = f"{self.description()}\n\nThe last program: {self._verdict(judged)}"
        return text[: self._longest], judged.reward, solved, self._left < 1 and not solved, info

    def judge(self, program: str) -> _Judgement:
        """Return what a program is worth, without a step."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # of measurements that are left out
                if len(program) > _MOST_CHARACTERS:
                    raise ValueError(must("program", f"have at most {_MOST_CHARACTERS} characters", len(program)))
                circuit = Circuit.from_qasm3(program)
        except ValueError as error:
            return _Judgement(STAGES[0], 0.0, str(error))
        readable, fits, written, optimized = _SHARES
        if wrong := self._misfit(circuit):
            return _Judgement(STAGES[1], readable, wrong, circuit)
        task, hamiltonian = self.task, self.task.problem.hamiltonian
        simulator = without_shots(task.simulator)
        energy = best = float(simulator.expectation(circuit, hamiltonian))
        evaluations = 1
        if circuit.num_params:
            result = task.optimizer.minimize(simulator, circuit, hamiltonian, 0)
            best, evaluations = min(energy, float(result.energy)), 1 + result.evaluations
        reward = readable + fits + written * self._quality(energy) + optimized * self._quality(best)
        stage = STAGES[3] if self._error(energy) < task.curriculum.threshold else STAGES[2]
        return _Judgement(stage, reward, "", circuit, energy, best, evaluations)

    def _misfit(self, circuit: Circuit) -> str:
        """Return why a circuit is none of the task's, or an empty text."""
        task = self.task
        if circuit.num_qubits != task.problem.num_qubits:
            return must("the program", f"have {task.problem.num_qubits} qubits", circuit.num_qubits)
        if len(circuit) > task.max_gates:
            return must("the program", f"have at most {task.max_gates} gates", len(circuit))
        allowed = self._allowed()
        for number, operation in enumerate(circuit):
            if (operation.name, operation.qubits) not in allowed:
                place = ", ".join(map(str, operation.qubits))
                return f"gate {number + 1}, {operation.name} on ({place}), is not allowed"
        return ""

    def _allowed(self) -> set[tuple[str, tuple[int, ...]]]:
        """Return the gates that the task allows, with their qubits; symmetric ones in both orders."""
        allowed = {(action.gate, action.qubits) for action in self.task.catalogue.actions}
        return allowed | {(gate, qubits[::-1]) for gate, qubits in allowed if GATES[gate_index(gate)].is_symmetric}

    def _error(self, energy: float) -> float:
        return energy - self.task.problem.ground_energy

    def _quality(self, energy: float) -> float:
        """Return 1 for a solution, 0 for an error as large as that of the empty circuit; logarithmic between."""
        error, threshold = self._error(energy), self.task.curriculum.threshold
        largest = max(self._error(self.task.problem.empty_energy), threshold * 10.0)
        if error <= threshold:
            return 1.0
        return max(0.0, math.log(largest / error) / math.log(largest / threshold))

    def _info(self, judged: _Judgement, solved: bool) -> dict[str, Any]:
        circuit = judged.circuit
        return {
            "stage": judged.stage,
            "message": judged.problem,
            "energy": np.float64(judged.energy),
            "energy_error": np.float64(self._error(judged.energy)),
            "optimized_energy": np.float64(judged.optimized_energy),
            "optimized_error": np.float64(self._error(judged.optimized_energy)),
            "success": np.bool_(solved),
            "num_gates": np.int64(len(circuit) if circuit is not None else 0),
            "num_two_qubit_gates": np.int64(circuit.num_two_qubit_gates if circuit is not None else 0),
            "evaluations": np.int64(judged.evaluations),
        }

    def _verdict(self, judged: _Judgement) -> str:
        if judged.problem:
            clean = "".join(letter if letter in _CHARACTERS else "?" for letter in judged.problem)
            return clean[:500].rstrip(".") + "."
        error, optimized = self._error(judged.energy), self._error(judged.optimized_energy)
        return f"error {error:.3e} with the angles as written, {optimized:.3e} with optimised angles."


def make_text_env(
    environment: str | None = None, attempts: int = 1, render_mode: str | None = None, **arguments: Any
) -> TextEnv:
    """Build the environment of ``QAS-Text-v0``.

    Args:
        environment: Id of the task, such as ``"QAS-LiH-v0"``.
        attempts: Programs of an episode.
        render_mode: ``None``; there is nothing to draw.
        arguments: Of the task.

    Raises:
        TypeError: An unknown argument.
        ValueError: An unknown id, or a task that text cannot state; see :class:`TextEnv`.
    """
    if environment is None:
        raise ValueError('QAS-Text-v0 needs the argument `environment`; for example "QAS-LiH-v0"')
    if render_mode is not None:
        raise ValueError(must("render_mode", "be None", render_mode))
    return TextEnv(make_registered(environment, **arguments), attempts)


@dataclass(frozen=True)
class TextScore:
    """How good the programs of a policy are.

    Attributes:
        stages: Number of programs that reached each of :data:`STAGES` and no later one.
        solved: Number of programs that are solutions as written.
        solved_optimized: Number of programs that are solutions once their angles are optimised.
        mean_reward: Mean reward.
        evaluations: Energy evaluations spent on judging.
    """

    stages: dict[str, int]
    solved: int
    solved_optimized: int
    mean_reward: float
    evaluations: int

    def pass_at(self, k: int) -> float:
        """Return the estimated probability that at least one of ``k`` programs is a solution as written."""
        return pass_at_k(sum(self.stages.values()), self.solved, k)


def score(policy: Callable[[str], str], env: TextEnv, samples: int = 20, seed: int | None = None) -> TextScore:
    """Ask a policy for programs, each for the task's description alone, and judge them.

    Args:
        policy: Any callable that maps a description to a program; a language model, for instance.
        env: The task.
        samples: Number of programs.
        seed: Of the task's episodes.

    Examples:
        >>> env = TextEnv(gym.make("QAS-Bell-v0"))
        >>> found = score(lambda description: Circuit(2).h(0).cx(0, 1).to_qasm3(), env, samples=3, seed=0)
        >>> found.solved, found.pass_at(1)
        (3, 1.0)
    """
    stages = dict.fromkeys(STAGES, 0)
    rewards, solved_optimized, evaluations = [], 0, 0
    for number in range(samples):
        description, _ = env.reset(seed=seed if number == 0 else None)
        _, reward, _, _, info = env.step(policy(description))
        stages[info["stage"]] += 1
        rewards.append(reward)
        solved_optimized += bool(info["optimized_error"] < env.task.curriculum.threshold)
        evaluations += int(info["evaluations"])
    return TextScore(stages, stages[STAGES[-1]], solved_optimized, float(np.mean(rewards)), evaluations)


def pass_at_k(samples: int, solved: int, k: int) -> float:
    """Return the unbiased estimate of the probability that at least one of ``k`` samples is solved.

    ``1 - C(samples - solved, k) / C(samples, k)`` (Chen et al., arXiv:2107.03374).

    Raises:
        ValueError: ``k`` is not in 1..samples, or more are solved than sampled.

    Examples:
        >>> pass_at_k(4, 1, 2)
        0.5
    """
    if not 0 <= solved <= samples:
        raise ValueError(must("solved", f"lie in 0..{samples}", solved))
    if not 1 <= k <= samples:
        raise ValueError(must("k", f"lie in 1..{samples}", k))
    return 1.0 - math.comb(samples - solved, k) / math.comb(samples, k)


def random_programs(env: TextEnv, seed: int | None = None) -> Callable[[str], str]:
    """Return the policy that appends random legal gates with random angles until the budget is exhausted.

    The baseline that every other policy has beside it.
    """
    rng = np.random.default_rng(seed)

    def write(description: str) -> str:
        actions = env.task.catalogue.actions
        circuit = Circuit(env.task.problem.num_qubits)
        for _ in range(int(rng.integers(1, env.task.max_gates + 1))):
            action = actions[int(rng.integers(len(actions)))]
            turn = float(rng.uniform(-math.pi, math.pi))
            circuit.append(action.gate, action.qubits, turn if GATES[gate_index(action.gate)].num_params else None)
        return circuit.to_qasm3()

    return write
