"""CircuitBuildingEnv: the one environment. Everything that varies is handed in."""

from __future__ import annotations

import copy
import operator
import warnings
from collections.abc import Mapping, Sequence
from itertools import chain, pairwise
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from numpy.typing import ArrayLike, NDArray

from qas_envs.catalogue import check_angles
from qas_envs.curricula import InstanceCurriculum
from qas_envs.encodings import ContextEncoder, Observation, View
from qas_envs.families import check_member
from qas_envs.halting import NoHalting
from qas_envs.masks import new_mask
from qas_envs.problems import Problem
from qas_envs.rendering import RENDER_MODES, Renderer
from qas_envs.rewards import Transition
from qas_envs.rules import Rules
from qas_envs.undo import CONTAINERS, Undo
from qas_simulators import Circuit, Simulator
from qas_simulators.errors import must
from qas_simulators.optimizers import BatchOptimizer, OptimizationResult

FIGURES = (
    "energy",
    "energy_error",
    "success",
    "threshold",
    "num_gates",
    "num_two_qubit_gates",
    "num_params",
    "depth",
    "evaluations",
    "gradients",
)
"""The numbers in ``info``."""


_ANY = 1e38  # no energy is beyond; Gymnasium's checker takes infinite bounds of observations for a mistake
_KEPT = ("energy", "first_energy", "wasted", "halt_at", "over", "threshold")


class CircuitBuildingEnv(gym.Env[Observation, np.int64]):
    """Build a quantum circuit gate by gate; after every gate all angles are re-optimised.

    ## Description
    The register starts in ``|0...0>``. Each action appends one gate of the catalogue, or those of a gadget, with
    angle 0, the optimiser then minimises the problem's energy over all angles, warm-started from the last ones, and the
    energy of the new circuit is read.

    ## Action Space
    ``Discrete(len(catalogue))``. ``info["action_mask"]`` (int8, 1 = allowed) and :meth:`action_masks` forbid repeating
    a gate that nothing has followed yet on any of its qubits. A forbidden action raises ``ValueError`` and changes
    nothing. With ``illegal="skip"``, for agents that know no masks, it wastes a gate of the budget instead: the circuit
    stays as it is, and the reward is that of a step without a gate and without gain. With ``stop``, one action more,
    always legal, appends nothing and ends the episode.

    ## Observation Space
    The encoding's; by default the flattened one-hot tensor of moments, and the energy.

    ## Rewards
    The reward component's; it never sees anything but the transition.

    ## Starting State
    The empty circuit, or the initial one given. Its gates count in all resources but not in the gate budget, and its
    angles are optimised with the others; encodings of gates show only what the agent added.

    ## Episode End
    Termination: success (``|energy - reference| < threshold`` of the curriculum), or the gate budget is exhausted
    (the last gadget may go beyond it), which is part of the game, or the agent stops, which rewards treat like an
    exhausted budget. Truncation: random halting (with ``terminates``, termination).

    ## Information
    ``action_mask``; ``energy``; ``energy_error`` (against the exact ground energy, always; with shots both are
    estimates, and the error may be negative); ``success``; ``threshold``; ``num_gates``, ``num_two_qubit_gates``,
    ``num_params``, ``depth`` of the circuit; ``evaluations`` and ``gradients`` of this step's optimisation, as counted
    by :class:`~qas_simulators.optimizers.OptimizationResult`; with a family the numbers that vary, by name.

    ## Arguments
    Args:
        problem: The instance.
        rules: The components.
        render_mode: ``"ansi"`` (text), ``"rgb_array"`` (a picture), ``"human"`` (a window; both need matplotlib),
            ``"ansi_list"`` and ``"rgb_array_list"`` (all frames since the last call of ``render``) or ``None``.

    ## Version History
    * v0: first version

    Raises:
        ValueError: Parts that do not fit: an initial circuit of another size, an unknown render mode.

    Examples:
        >>> env = gym.make("QAS-TFIM-v0", num_qubits=2).unwrapped
        >>> observation, info = env.reset(seed=0)
        >>> observation, reward, terminated, truncated, info = env.step(3)  # RY on qubit 0
        >>> env.circuit.count_ops(), terminated
        ({'ry': 1}, False)
    """

    metadata: dict[str, Any] = {"render_modes": [*RENDER_MODES], "render_fps": 4}

    def __init__(self, problem: Problem, rules: Rules, render_mode: str | None = None) -> None:
        self.problem = problem
        self.catalogue = rules.catalogue
        self.max_gates = rules.max_gates
        self.capacity = rules.max_gates + rules.catalogue.overhang  # gates that an episode may come to
        self.render_mode = render_mode
        self._renderer = Renderer(render_mode)
        self.simulator = copy.deepcopy(rules.simulator)
        self.simulator.rng = rules.simulator.rng.spawn(1)[0]  # a stream of its own, also where a simulator is shared
        self.optimizer = rules.optimizer
        self.draws = not rules.is_exact or not isinstance(self.optimizer, BatchOptimizer)
        self._skips_illegal = rules.illegal == "skip"
        self.adds_nothing = False  # whether the step under way has no gate: an illegal one skipped, or the end
        self._wasted = 0  # steps of this episode that had none
        self.curriculum = copy.deepcopy(rules.curriculum)
        self._reward = rules.reward
        self._halting = rules.halting
        self.family = rules.family
        self.context: tuple[float, ...] = ()
        is_bounded = rules.is_exact and self.family is None
        energies = (problem.lower_bound, problem.upper_bound) if is_bounded else (-_ANY, _ANY)
        self.encoder = rules.encoding.bind(problem, rules.catalogue, self.capacity, energies)
        if self.family is not None:
            self.context = self.family.first()
            self.encoder = ContextEncoder(self.encoder, self.family)
        self.mask, self._other_mask = (new_mask(rules.mask, rules.catalogue) for _ in range(2))
        self.action_space = spaces.Discrete(len(rules.catalogue))
        self.observation_space = self.encoder.space
        self.curriculum.start(problem)
        self.containers = [name for name, value in vars(self.curriculum).items() if isinstance(value, CONTAINERS)]
        self.initial = rules.initial.copy() if rules.initial is not None else Circuit(problem.num_qubits)
        if self.initial.num_qubits != problem.num_qubits:
            raise ValueError(must("initial", f"have {problem.num_qubits} qubits", self.initial.num_qubits))
        self.circuit = self.initial.copy()
        self.finished = self.initial.copy()  # the last circuit of the episode before
        self._ended = self.initial.copy()  # becomes that once the next episode has begun
        self._first_energy = self.exact_simulator().expectation(self.initial, problem.hamiltonian)
        self._energy = self._first_energy
        self._halt_at: int | None = None
        self._over = True
        self._actions: list[int] = []  # that appended the episode's gates
        self._found_legal: list[int] = []  # the last sequence that was found legal
        self._threshold = self.curriculum.threshold
        self._warn_if_trivial()

    def exact_simulator(self) -> Simulator:
        """Return the environment's simulator without shot noise."""
        exact = copy.copy(self.simulator)
        exact.shots = None
        return exact

    def _warn_if_trivial(self) -> None:
        error = abs(self._first_energy - self.curriculum.reference_energy)
        if error < self.curriculum.threshold:
            first = "initial" if len(self.initial) else "empty"
            warnings.warn(
                f"The {first} circuit already meets the success threshold of {self.problem.name}: its error is "
                f"{error:.3g}, the threshold {self.curriculum.threshold:.3g}. Any first gate can end the episode.",
                UserWarning,
                stacklevel=4,
            )

    @property
    def energy(self) -> float:
        """Energy of the current circuit, in the problem's unit."""
        return self._energy

    @property
    def halts_at_random(self) -> bool:
        """Whether episodes may be cut at a random length."""
        return not isinstance(self._halting, NoHalting)

    def action_masks(self) -> NDArray[np.bool_]:
        """Return the legal actions as booleans, ``(num_actions,)``: the name sb3-contrib looks for."""
        return self.mask.array.astype(np.bool_)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode with the initial circuit.

        Args:
            seed: Seeds random halting, shot noise (that of the first energy included) and the drawing of instances.
                Without one, all go on from where they stand.
            options: With a family: ``split`` (``"train"`` or ``"test"``), or values of what varies.

        Raises:
            ValueError: Options that mean nothing here; the environment is unchanged.
        """
        with Undo([self]) as undo:
            undo.keep_randomness(self)
            super().reset(seed=seed)
            if seed is not None:
                self.simulator.rng = np.random.default_rng(self.np_random.integers(2**63))
            if self.family is not None:
                options = dict(options or {})
                if isinstance(self.curriculum, InstanceCurriculum) and options.get("split", "train") == "train":
                    options = {**self.curriculum.context(), **options}
                self.context = self.family.draw(self.np_random, options)
                self._take_up(self.family.at(self.context))
            elif options:
                raise ValueError(must("options", "be empty where instances do not vary", options))
            if self.family is not None or self.simulator.shots is not None:
                self._first_energy = self.simulator.expectation(self.initial, self.problem.hamiltonian)
            self._begin()
            self._halt_at = self._halting.sample(self.np_random)
            self.follow()
            result = self._observation(), self.info(*self.figures(False, 0, 0))
            self._keep_finished()
        return result

    def _begin(self) -> None:
        """Start an episode with the initial circuit."""
        self._ended.assign(self.circuit)
        self.circuit.assign(self.initial)
        self._energy = self._first_energy
        self.encoder.reset(self.problem)
        self.mask.reset()
        self._actions.clear()
        self._threshold = self.curriculum.threshold  # by which the last step was judged
        self._halt_at = None
        self._over = False
        self._wasted = 0
        self._renderer.begin(self._energy - self.problem.ground_energy)

    def _keep_finished(self) -> None:
        self.finished, self._ended = self._ended, self.finished

    def _take(self, action: int) -> None:
        """Account for an action that appends a gate."""
        self.encoder.begin(action)
        for operation in self.catalogue.parts[action]:
            self.encoder.append(operation)
        self.mask.update(action)
        self._actions.append(action)

    def step(self, action: np.int64 | int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Append a gate, re-optimise all angles, read the energy.

        The environment is unchanged if anything is raised, by the simulator, the optimiser or the keyboard.

        Raises:
            ValueError: The action is out of range or masked.
            ResetNeeded: The episode is over.
        """
        index = self.check_action(action)
        with Undo([self]):
            result = self.optimize_angles(self.append_gate(index))
            self.circuit.params = result.params
            reward, success, terminated, truncated = self.conclude_step(index, result.energy)
            info = self.info(*self.figures(success, result.evaluations, result.gradients))
            self.follow()
            observation = self._observation()
        return observation, reward, terminated, truncated, info

    @property
    def actions(self) -> list[int]:
        """Actions that appended the gates of the episode so far."""
        return list(self._actions)

    @property
    def angles(self) -> list[tuple[float, ...]]:
        """Angles of each of :attr:`actions`, in radians."""
        params, start = self.circuit.params.tolist(), self.initial.num_params
        ends = np.cumsum([start, *(self.catalogue.num_angles[action] for action in self._actions)]).tolist()
        return [tuple(params[first:end]) for first, end in pairwise(ends)]

    def is_legal(self, actions: Sequence[int]) -> bool:
        """Tell whether an episode may begin with these actions."""
        mask = self._other_mask
        mask.reset()
        num_gates = 0
        for action in actions:
            if not 0 <= action < len(self.catalogue.actions) or not mask.array[action] or num_gates >= self.max_gates:
                return False
            mask.update(action)
            num_gates += self.catalogue.num_gates[action]
        self._found_legal = list(actions)
        return True

    def play(
        self, actions: Sequence[int], angles: Sequence[Sequence[float]] | None = None, num_scanned: int = 0
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode of the same instance with these actions and optimise all angles once.

        For searchers that change whole circuits. The curriculum does not notice; rewards are not paid. The episode goes
        on with :meth:`step` unless its circuit is a success or the budget is exhausted.

        Args:
            actions: Legal one after the other.
            angles: What the optimiser starts from, by action. By default each one is scanned, from 0 on.
            num_scanned: With angles: of how many of the last actions they are scanned, as those of a new gate are.

        Raises:
            ValueError: A sequence that is not legal, or angles that do not fit.

        Nothing changes if anything is raised.

        Returns:
            As :meth:`reset`.
        """
        if list(actions) != self._found_legal and not self.is_legal(actions):  # searchers have just asked
            raise ValueError(
                must("actions", f"be legal one after the other, at most {self.max_gates} gates", list(actions))
            )
        counts = [self.catalogue.num_angles[action] for action in actions]
        if angles is not None:
            check_angles(angles, counts)
        with Undo([self]):
            self._begin()
            for action in actions:
                self._take(action)
                self.catalogue.append(self.circuit, action)
            if angles is not None:
                self.circuit.params = [*self.initial.params, *chain.from_iterable(angles)]
            num_new = sum(counts if angles is None else counts[max(0, len(counts) - num_scanned) :])
            result = self.optimizer.minimize(self.simulator, self.circuit, self.problem.hamiltonian, num_new)
            self.circuit.params, self._energy = result.params, result.energy
            success = abs(result.energy - self.curriculum.reference_energy) < self._threshold
            self._over = success or self.circuit.num_gates - self.initial.num_gates >= self.max_gates
            observation = self._observation()
            self._keep_finished()
        return observation, self.info(*self.figures(success, result.evaluations, result.gradients))

    def append_gate(self, index: int) -> int:
        """First part of a step, as vector environments take it: append the gate, return how many angles it has."""
        self.adds_nothing = index == self.catalogue.stop or (self._skips_illegal and not self.mask.array[index])
        return 0 if self.adds_nothing else self.catalogue.append(self.circuit, index)

    def optimize_angles(self, num_new: int) -> OptimizationResult:
        """Second part of a step, the one that may run on a thread of its own: it only reads.

        Vector environments do many at once; then the circuits have their new angles.
        """
        if self.adds_nothing:
            return OptimizationResult(self._energy, self.circuit.params, 0, 0)
        return self.optimizer.minimize(self.simulator, self.circuit, self.problem.hamiltonian, num_new)

    def conclude_step(self, index: int, energy: float) -> tuple[float, bool, bool, bool]:
        """Last part of a step, with the new angles: account for the gate, judge.

        Returns:
            Reward, success, terminated, truncated.
        """
        circuit, curriculum = self.circuit, self.curriculum
        new_gates = two_qubit_gates = 0
        stops = index == self.catalogue.stop
        if self.adds_nothing:
            self._wasted += not stops
        else:
            self._take(index)
            new_gates, two_qubit_gates = self.catalogue.num_gates[index], self.catalogue.num_two_qubit_gates[index]
        previous, self._energy = self._energy, energy
        curriculum.observe(energy)
        reference, self._threshold = curriculum.reference_energy, curriculum.threshold
        success = abs(energy - reference) < self._threshold
        added = circuit.num_gates - self.initial.num_gates + self._wasted
        exhausted = stops or added >= self.max_gates
        total_two_qubit_gates = circuit.num_two_qubit_gates
        reward = self._reward(
            Transition(
                previous,
                energy,
                reference,
                success,
                exhausted,
                two_qubit_gates,
                new_gates - two_qubit_gates,
                self._first_energy,
                total_two_qubit_gates,
                circuit.num_gates - total_two_qubit_gates,
                circuit.depth(),
                self.max_gates,
            )
        )
        terminated = success or exhausted
        halted = not terminated and self._halt_at is not None and self._halt_at < added
        terminates = getattr(self._halting, "terminates", False)
        terminated, truncated = terminated or (halted and terminates), halted and not terminates
        if terminated or truncated:
            self._over = True
            curriculum.end_episode(success)
        self._renderer.add(energy - self.problem.ground_energy)
        return reward, success, terminated, truncated

    def view(self) -> View:
        """Return what encoders may look at."""
        return View(self._energy, self.curriculum.threshold, self.circuit, self.simulator, self.context)

    def _observation(self) -> Observation:
        return self.encoder.observe(self.view())

    def _take_up(self, problem: Problem) -> None:
        """Go on with another member of the family."""
        check_member(self.problem, problem)
        self.problem = problem
        self.curriculum.start(problem)

    def build(self, actions: Sequence[int], params: ArrayLike) -> None:
        """Let the circuit, the mask and the encoding be those after some actions, with these angles."""
        self.circuit.assign(self.initial)
        self.encoder.reset(self.problem)
        self.mask.reset()
        self._actions.clear()
        for action in actions:
            self.catalogue.append(self.circuit, action)
            self._take(action)
        self.circuit.params = params

    def check_action(self, action: np.int64 | int) -> int:
        """Return a legal action as an index; see :meth:`step` for what is refused."""
        if self._over:
            raise ResetNeeded("The episode is over (or none has begun): call reset() before step().")
        highest = len(self.catalogue) - 1
        try:
            index = operator.index(action)
        except TypeError:
            hint = " The number of a gate: env.unwrapped.catalogue.index('cx', 0, 1)."
            raise ValueError(must("action", f"be an integer in 0..{highest}", action) + hint) from None
        if not 0 <= index <= highest:
            raise ValueError(must("action", f"be an integer in 0..{highest}", action))
        if not self.mask.array[index] and not self._skips_illegal:
            raise ValueError(
                f"Action {index} ({self.catalogue.actions[index]}) is masked: an earlier gate makes it pointless. "
                'Choose an action with info["action_mask"] == 1, or build the environment with illegal="skip".'
            )
        return index

    def info(self, *figures: float) -> dict[str, Any]:
        """Return the dictionary that goes with an observation, given the numbers of :data:`FIGURES`."""
        context = {} if self.family is None else dict(zip(self.family.names, self.context, strict=True))
        return {"action_mask": self.mask.array.copy(), **dict(zip(FIGURES, figures, strict=True)), **context}

    def figures(self, success: bool, evaluations: int, gradients: int) -> tuple[float, ...]:
        """Return the numbers of :data:`FIGURES` after a step."""
        circuit = self.circuit
        return (
            self._energy,
            self._energy - self.problem.ground_energy,
            success,
            self._threshold,
            circuit.num_gates,
            circuit.num_two_qubit_gates,
            circuit.num_params,
            circuit.depth(),
            evaluations,
            gradients,
        )

    def state(self) -> dict[str, Any]:
        """Return where the episode, the curriculum and all randomness stand, in numbers that JSON keeps exactly."""
        return {
            "rng": self.np_random.bit_generator.state,
            "simulator_rng": self.simulator.rng.bit_generator.state,
            "curriculum": dict(vars(self.curriculum)),
            "context": list(self.context),
            "actions": list(self._actions),
            "params": self.circuit.params.tolist(),
            **{name: getattr(self, f"_{name}") for name in _KEPT},
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where :meth:`state` was taken, in an environment built alike."""
        if self.family is not None:
            self.context = tuple(state["context"])
            self._take_up(self.family.at(self.context))
        vars(self.curriculum).update(state["curriculum"])
        self.np_random.bit_generator.state = state["rng"]
        self.simulator.rng.bit_generator.state = state["simulator_rng"]
        self.build(state["actions"], state["params"])
        for name in _KEPT:
            setattr(self, f"_{name}", state[name])
        self._renderer.begin(self._energy - self.problem.ground_energy)

    def render(self) -> Any:
        """Return the circuit with its energy: text in mode ``"ansi"``, a picture ``(500, 800, 3)`` in ``"rgb_array"``.

        The modes ``"ansi_list"`` and ``"rgb_array_list"`` return the frames of all resets and steps since the last
        reset or the last call. The mode ``"human"`` shows the picture in a window by itself.
        """
        return self._renderer.render(self._title(), self.circuit, self.curriculum.threshold)

    def follow(self) -> None:
        """Show what a reset or a step changed, in the modes that do so without being asked."""
        if self._renderer.is_live:
            self._renderer.follow(self._title(), self.circuit, self.curriculum.threshold)

    def _title(self) -> str:
        error = self._energy - self.problem.ground_energy
        return f"{self.problem.name}: energy {self._energy:.9f} {self.problem.unit}, error {error:.3e}"

    def close(self) -> None:
        """Close the window, if there is one."""
        self._renderer.close()
