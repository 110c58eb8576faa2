"""CircuitBuildingEnv: the environment, given a problem and rules."""

from __future__ import annotations

import copy
from functools import cached_property
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from qas_envs.drift import PresentNoise
from qas_envs.encodings import Encoder, Observation, View
from qas_envs.episode import Episode
from qas_envs.judging import Outcome, draw_instance, judge, note_truncation
from qas_envs.masks import Mask, new_mask
from qas_envs.problems import Problem
from qas_envs.rendering import RENDER_MODES, Renderer
from qas_envs.rules import Rules
from qas_envs.simulation import first_energy
from qas_envs.undo import Undo
from qas_envs.whole_circuits import CircuitPlayer
from qas_simulators import Circuit
from qas_simulators.optimizers import BatchOptimizer, OptimizationResult


class CircuitBuildingEnv(gym.Env[Observation, np.int64]):
    """Build a quantum circuit gate by gate; after every gate all angles are re-optimised.

    ## Description
    The register starts in ``|0...0>``, or after the preparation of the problem. Each action appends a gate of the
    catalogue, or the gates of a gadget, with angle 0. The optimiser then minimises the problem's energy over all
    angles, starting from the previous ones.

    ## Action Space
    ``Discrete(len(catalogue))``. ``info["action_mask"]`` (int8, 1 = allowed) and :meth:`action_masks` (booleans) show
    the legal actions; by default a gate may not be repeated until another gate has acted on one of its qubits. An
    illegal action is skipped: it uses up one gate of the budget (also if the action is a gadget or a block), the
    circuit stays the same, nothing is optimised, and the reward is that of a step without a gate and without gain.
    With ``illegal="raise"`` it raises ``ValueError`` and changes nothing. With ``stop`` there is an additional action,
    always legal, which appends nothing and ends the episode.

    ## Observation Space
    That of the encoding; by default the flattened one-hot tensor of moments, and the energy. With
    ``mask_in_observation=True`` it is a ``Dict`` of ``observation`` and ``action_mask`` (int8, 1 = allowed);
    ``"rllib"`` and ``"tianshou"`` have the keys that these libraries read.

    ## Rewards
    The reward rule computes them from the transition only.

    ## Starting State
    The empty circuit, or the initial circuit of the rules. Its gates count in all resources but not in the gate budget,
    and its angles are optimised with the others; encodings of gates show only what the agent added.

    ## Episode End
    Termination: success (``|energy - reference| < threshold`` of the curriculum), an exhausted gate budget (which the
    last gadget may exceed), or the agent's stop, which rewards treat like an exhausted budget. Truncation: random
    halting (with its setting ``terminates``, termination).

    ## Information
    All numbers are NumPy's. ``action_mask``; ``energy``; ``energy_error`` (from the exact ground energy; with shots
    both are estimates, and the error may be negative); ``success``; ``threshold``; ``num_gates``,
    ``num_two_qubit_gates``, ``num_params``, ``depth`` of the circuit; ``evaluations`` and ``gradients`` of this step's
    optimisation, as counted by :class:`~qas_simulators.optimizers.OptimizationResult`; with a family, the values that
    vary, by name; with a drift, ``noise``, the number of the noise model; ``truncation_error`` where the simulator
    truncates: an estimate of the energy's error; with matrix-product states also ``bond_dimension`` (the largest) and
    ``discarded_weight``. There, ``success`` also needs the exact energy, so that it is never reported where that is out
    of reach.

    ## Arguments
    Args:
        problem: The instance.
        rules: The rules.
        render_mode: ``"ansi"`` (text), ``"rgb_array"`` (a picture), ``"human"`` (a window; both need matplotlib),
            ``"ansi_list"`` and ``"rgb_array_list"`` (all frames since the last call of ``render``) or ``None``.

    ## Version History
    * v0: first version. Since 0.2.0 an illegal action is skipped by default; before, it raised ``ValueError``.

    Raises:
        ValueError: Rules that do not fit the problem, or an unknown render mode.

    Examples:
        >>> env = gym.make("QAS-TFIM-v0", num_qubits=2).unwrapped
        >>> observation, info = env.reset(seed=0)
        >>> observation, reward, terminated, truncated, info = env.step(3)  # RY on qubit 0
        >>> env.circuit.count_ops(), terminated
        ({'ry': 1}, False)
    """

    metadata: dict[str, Any] = {"render_modes": [*RENDER_MODES], "render_fps": 4}

    def __init__(self, problem: Problem, rules: Rules, render_mode: str | None = None) -> None:
        self.rules = rules
        self.catalogue = rules.catalogue
        self.max_gates = rules.max_gates
        self.family = rules.family
        self.render_mode = render_mode
        self._renderer = Renderer(render_mode)
        self.simulator = copy.deepcopy(rules.simulator)
        self.simulator.rng = rules.simulator.rng.spawn(1)[0]  # a stream of its own, also where a simulator is shared
        self.optimizer = rules.optimizer
        self._draws = not rules.is_exact or not isinstance(self.optimizer, BatchOptimizer)
        self.curriculum = copy.deepcopy(rules.curriculum)
        self.episode = Episode.new(problem, rules)
        self.drift = None if rules.drift is None else PresentNoise(rules.drift, self.catalogue)
        if self.drift is not None:
            self.episode.mask = self.new_mask()
        self.initial = self.episode.initial
        self.action_space = spaces.Discrete(len(rules.catalogue))
        self.observation_space = self.episode.space
        self.curriculum.start(problem)
        self.episode.threshold = self.curriculum.threshold
        energy = first_energy(self.simulator, self.initial, problem)
        self.episode.energy = self.episode.first_energy = energy
        self.finished = self.initial.copy()  # the last circuit of the episode before

    @property
    def problem(self) -> Problem:
        """The instance; with a family, that of the current episode."""
        return self.episode.problem

    @property
    def noise_step(self) -> int:
        """Number of the present noise model of a drift, from 0; 0 without a drift."""
        return 0 if self.drift is None else self.drift.number

    @property
    def circuit(self) -> Circuit:
        """The current circuit with its angles; not to be changed."""
        return self.episode.circuit

    @property
    def energy(self) -> float:
        """Energy of the current circuit, in the problem's unit."""
        return self.episode.energy

    @property
    def encoder(self) -> Encoder:
        """Encodes the current circuit as an observation."""
        return self.episode.encoder

    @cached_property
    def player(self) -> CircuitPlayer:
        """Plays whole circuits in this environment, for searchers."""
        return CircuitPlayer(self)

    def action_masks(self) -> NDArray[np.bool_]:
        """Return the legal actions as booleans, ``(num_actions,)``: the name sb3-contrib looks for."""
        return self.episode.mask.array.astype(np.bool_)

    def new_mask(self) -> Mask:
        """Return the mask of an empty circuit, without the actions that the present noise model of a drift refuses."""
        mask = new_mask(self.rules.mask, self.catalogue)
        return mask if self.drift is None else self.drift.restricted(mask)

    def view(self) -> View:
        """Return what the encoder may use."""
        return self.episode.view(self.simulator, self.curriculum.threshold)

    def observe(self) -> Observation:
        """Return the observation of the current circuit."""
        return self.episode.observe(self.simulator, self.curriculum.threshold)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Start an episode with the initial circuit.

        Args:
            seed: Seeds random halting, shot noise (that of the first energy included) and the drawing of instances.
                Without a seed, the random generators continue from their current state.
            options: With a family: ``split`` (``"train"`` or ``"test"``), or values of the arguments that vary. With
                a drift: ``noise``, the number of the noise model with which the drift continues; without it, a seed
                starts the drift again.

        Raises:
            ValueError: Options that do not apply; the environment is unchanged.
        """
        episode = self.episode
        with Undo([self]) as undo:
            undo.keep_randomness(self)
            super().reset(seed=seed)
            given = dict(options or {})
            if self.drift is not None:
                self.drift.begin_episode(seed is not None, given.pop("noise", None))
                self.meet_noise()
            if seed is not None:
                self.simulator.rng = np.random.default_rng(self.np_random.integers(2**63))
            draw_instance(episode, self.curriculum, self.np_random, given)
            if self.family is not None or self.drift is not None or self.simulator.shots is not None:
                episode.first_energy = self.simulator.expectation(self.initial, self.problem.hamiltonian)
            finished = self.circuit.copy()
            self.begin()
            episode.halt_at = self.rules.halting.sample(self.np_random)
            self.show()
            result = self.observe(), self._info(episode.figures(False, 0, 0))
            self.finished = finished
        return result

    def step(self, action: np.int64 | int) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Append a gate, re-optimise all angles, evaluate the energy.

        The environment is unchanged if anything is raised by the simulator, the optimiser or the keyboard.

        Raises:
            ValueError: The action is out of range; or masked, with ``illegal="raise"``.
            ResetNeeded: The episode is over.
        """
        episode = self.episode
        index = episode.check(action)
        with Undo([self]):
            energy, evaluations, gradients = episode.energy, 0, 0
            num_new = self.append(index)
            if num_new is not None:
                result = self.optimize_angles(num_new)
                episode.circuit.params = result.params
                energy, evaluations, gradients = result.energy, result.evaluations, result.gradients
            is_known = num_new is not None or not self.optimizes_at_end
            reward, success, terminated, truncated = self.conclude(index, energy, is_known)
            info = self._info(episode.figures(success, evaluations, gradients))
            self.show()
            observation = self.observe()
        return observation, reward, terminated, truncated, info

    def meet_noise(self) -> None:
        """Continue with the present noise model of the drift: energies follow it, and observations that show it."""
        if self.drift is not None:
            self.simulator = self.drift.simulator(self.simulator)
            self.episode.see_noise(self.drift.model)

    def _info(self, figures: tuple[float, ...]) -> dict[str, Any]:
        info = self.episode.info(figures)
        return info if self.drift is None else {**info, "noise": np.int64(self.drift.number)}

    def render(self) -> Any:
        """Return the circuit with its energy, depending on the mode.

        Text in mode ``"ansi"``, a picture ``(500, 800, 3)`` in ``"rgb_array"``, in modes ``"ansi_list"`` and
        ``"rgb_array_list"`` the frames since the last reset or call; mode ``"human"`` shows a window by itself.
        """
        return self._renderer.render(self.episode, self.curriculum.threshold)

    def close(self) -> None:
        """Close the window, if there is one."""
        self._renderer.close()

    def begin(self) -> None:
        """Start an episode of the same instance with the initial circuit."""
        self.episode.reset(self.curriculum.threshold)
        note_truncation(self.episode)
        self._renderer.begin(self.episode.error)

    def append(self, index: int) -> int | None:
        """Append the gates of a checked action.

        Returns:
            How many angles, the last ones, are new to the optimiser; ``None`` if no angles are to be optimised: for
            an action without gates, and before the end of the episode where the optimiser runs only then.
        """
        episode = self.episode
        num_new = episode.append(index) if episode.adds_gates(index) else None
        if self.optimizes_at_end:
            return episode.circuit.num_params if episode.surely_ends(index) else None
        # The rotations at the start of a circuit of blocks are new with its first block.
        is_first = num_new is not None and self.catalogue.has_blocks and not episode.actions
        return episode.circuit.num_params if is_first else num_new

    @property
    def optimizes_at_end(self) -> bool:
        """Whether angles are optimised only once, at the end of an episode."""
        return getattr(self.optimizer, "when", "step") == "end"

    def optimize_angles(self, num_new: int) -> OptimizationResult:
        """Return the best angles of the circuit, of which the last ``num_new`` are new; nothing is changed."""
        return self.optimizer.minimize(self.simulator, self.episode.circuit, self.episode.problem.hamiltonian, num_new)

    def conclude(self, index: int, energy: float, is_known: bool = True) -> Outcome:
        """Record and judge an action once the circuit has its gates and their angles.

        Args:
            index: The checked action.
            energy: Of the circuit, or the last one that was evaluated.
            is_known: Whether it is of the circuit.
        """
        outcome = judge(self.episode, self.curriculum, index, energy, is_known)
        self._renderer.add(self.episode.error)
        return outcome

    def show(self) -> None:
        """Show what a reset or a step changed, in render modes that show every change."""
        if self._renderer.is_live:
            self._renderer.follow(self.episode, self.curriculum.threshold)
