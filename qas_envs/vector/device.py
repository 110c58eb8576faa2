"""DeviceVectorEnv: environments whose episodes are tensors of PyTorch, on a GPU or on the CPU."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from os import cpu_count
from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from gymnasium.vector import AutoresetMode, VectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from qas_envs.catalogue import ActionCatalogue
from qas_envs.circuit_env import CircuitBuildingEnv
from qas_envs.components import chosen, is_whole
from qas_envs.halting import NoHalting
from qas_envs.vector.arrays import fits
from qas_envs.vector.device_states import check_generator, restore_into, state_of
from qas_envs.vector.episodes import NEVER, EpisodeArrays
from qas_envs.vector.rules import ColumnCurricula, own_method
from qas_simulators import Circuit, StatevectorSimulator
from qas_simulators.arrays import Array, torch_on
from qas_simulators.errors import must
from qas_simulators.optimizers import NoOptimizer

Step = tuple[Any, Array, Array, Array, dict[str, Any]]


class DeviceVectorEnv(VectorEnv[Any, Any, Any]):
    """Many environments as tensors on one device: episodes, masks, rewards, observations and infos.

    The rules are those of a single environment, and so are the results, to rounding. On a GPU the simulators' kernels
    read and change the tensors themselves; with noise that is up to eight qubits.

    Observations, rewards and infos are new tensors in every step. Infos have no arrays ``_name``, since all entries are
    valid. In mode ``"SameStep"``, ``infos["final_rows"]`` are the environments whose episodes ended in this step;
    ``infos["final_obs"]`` and ``infos["final_info"]`` have one entry for each of these. A step that fails changes
    nothing.

    Args:
        env: An environment; its rules and its curriculum are those of all.
        num_envs: Number of environments.
        device: ``"cuda"``, the first GPU that is visible, or ``"cpu"``.
        autoreset_mode: ``"NextStep"``, ``"SameStep"`` or ``"Disabled"``.
        num_threads: Threads of the optimisations on the CPU; ``None`` for one per processor.

    Attributes:
        device: The device of the tensors.

    Raises:
        ValueError: No such device; or rules that do not fit: families of instances, linked angles, shot noise,
            optimisers that work on one circuit at a time, a render mode, or a rule without methods for many
            environments, which the message names.

    Examples:
        >>> import gymnasium as gym, qas_envs
        >>> envs = gym.make_vec("QAS-TFIM-v0", 3, num_qubits=2, device="cpu")
        >>> observations, infos = envs.reset(seed=0)
        >>> actions = infos["action_mask"].argmax(1)
        >>> observations, rewards, terminated, truncated, infos = envs.step(actions)
        >>> infos["num_gates"], envs.unwrapped.circuit(2).count_ops()
        (tensor([1, 1, 1]), {'cx': 1})
    """

    def __init__(
        self,
        env: CircuitBuildingEnv,
        num_envs: int,
        device: str = "cuda",
        autoreset_mode: str | AutoresetMode = AutoresetMode.NEXT_STEP,
        num_threads: int | None = None,
    ) -> None:
        if not is_whole(num_envs, 1):
            raise ValueError(must("num_envs", "be an integer of at least 1", num_envs))
        threads = (cpu_count() or 1) if num_threads is None else num_threads
        if not is_whole(threads, 1):
            raise ValueError(must("num_threads", "be an integer of at least 1", num_threads))
        self._library = torch_on(chosen("device", device, ("cpu", "cuda")))
        self.device = self._library.zeros(1, "int64").device
        self.num_envs, self._num_threads, self._env = int(num_envs), min(threads, num_envs), env
        self.autoreset_mode = AutoresetMode(autoreset_mode)
        self.metadata = {**env.metadata, "autoreset_mode": self.autoreset_mode}
        self.single_action_space, self.single_observation_space = env.action_space, env.observation_space
        can_move = self.device.type == "cuda" and "cuda" in env.simulator.devices
        self._simulator = env.simulator.on("cuda") if can_move else env.simulator
        # several starts are drawn on the CPU, for each circuit from its own gates
        self._stays = self._simulator.device == "cuda" and not any(
            getattr(env.optimizer, name, 0) for name in ("starts", "redraws")
        )
        self._episodes = _episodes_of(env, self.num_envs, device)
        self._rng = np.random.default_rng()
        self._all = self._library.arange(self.num_envs)
        self._waits = self._library.zeros(self.num_envs, "bool")

    @property
    def catalogue(self) -> ActionCatalogue:
        """The actions of each environment."""
        return self._env.catalogue

    @cached_property
    def action_space(self) -> spaces.Space[Any]:  # type: ignore[override]
        """The space of a step's actions."""
        return batch_space(self.single_action_space, self.num_envs)

    @cached_property
    def observation_space(self) -> spaces.Space[Any]:  # type: ignore[override]
        """The space of the observations of all environments; made when it is read, as it is as large as these."""
        return batch_space(self.single_observation_space, self.num_envs)

    def action_masks(self) -> Array:
        """Return the legal actions of all environments, ``(num_envs, num_actions)``, as booleans."""
        return self._episodes.masks.array != 0

    def circuit(self, number: int) -> Circuit:
        """Return a copy of the circuit of one environment."""
        if not is_whole(number, 0, self.num_envs - 1):
            raise ValueError(must("number", f"be an integer in 0..{self.num_envs - 1}", number))
        return self._episodes.circuits.circuit(number)

    def circuits(self, numbers: Any) -> list[Circuit]:
        """Return copies of the circuits of some environments; only these are moved from a GPU.

        Args:
            numbers: Numbers of the environments, ``(k,)``.

        Raises:
            ValueError: There are no such environments.
        """
        rows = np.asarray(numbers, dtype=np.int64)
        if rows.ndim != 1 or ((rows < 0) | (rows >= self.num_envs)).any():
            raise ValueError(must("numbers", f"be integers in 0..{self.num_envs - 1}", numbers))
        return self._episodes.circuits.copies(self._library.shared(rows))

    def histories(self, numbers: Any) -> NDArray[np.int64]:
        """Return the actions that appended gates in some environments, ``(k, most)``, -1 after the last one.

        Args:
            numbers: Numbers of the environments, ``(k,)``.
        """
        library, rows = self._library, self._library.shared(np.asarray(numbers, dtype=np.int64))
        actions, sizes = (library.host(one[rows]) for one in (self._episodes.actions, self._episodes.num_actions))
        return np.where(np.arange(actions.shape[1]) < sizes[:, None], actions, -1)

    def noiseless_errors(self, num_threads: int = 1) -> NDArray[np.float64]:
        """Return the energy errors of all circuits without noise, ``(num_envs,)``, simulated on the CPU."""
        problem, nothing = self._env.problem, np.zeros(self.num_envs, dtype=np.int64)
        arguments = self._episodes.circuits.on_host().copy(), problem.hamiltonian, np.arange(self.num_envs), nothing
        found = NoOptimizer().minimize_each(StatevectorSimulator(), *arguments, num_threads)
        assert found is not None
        return found.energies - problem.ground_energy

    def state(self) -> tuple[dict[str, NDArray[Any]], dict[str, Any]]:
        """Return all episodes, curricula and the random generator: arrays, and numbers that JSON keeps exactly.

        Examples:
            >>> import gymnasium as gym, qas_envs
            >>> envs = gym.make_vec("QAS-TFIM-v0", 2, num_qubits=2, device="cpu").unwrapped
            >>> _ = envs.reset(seed=0), envs.step(np.array([0, 1]))
            >>> state = envs.state()
            >>> _ = envs.step(np.array([1, 0]))
            >>> envs.restore(*state)
            >>> envs.circuit(0).num_gates
            1
        """
        return state_of(self._episodes, self._waits), {"rng": self._rng.bit_generator.state}

    def check(self, arrays: Mapping[str, NDArray[Any]], numbers: Mapping[str, Any]) -> None:
        """Raise ``ValueError`` unless what :meth:`state` returned fits these environments.

        Args:
            arrays: The first part of it.
            numbers: The second.
        """
        self._restored(arrays, numbers)

    def restore(self, arrays: Mapping[str, NDArray[Any]], numbers: Mapping[str, Any]) -> None:
        """Continue where :meth:`state` was called.

        Raises:
            ValueError: The state does not fit; nothing has changed.
        """
        self._episodes, self._waits = self._restored(arrays, numbers)
        self._rng.bit_generator.state = numbers["rng"]

    def _restored(self, arrays: Mapping[str, NDArray[Any]], numbers: Mapping[str, Any]) -> tuple[EpisodeArrays, Array]:
        """Return other episodes, with a state, and which environments wait for their reset."""
        if set(numbers) != {"rng"}:
            raise ValueError(must("numbers", "be ['rng']", sorted(numbers)))
        check_generator(numbers["rng"])
        episodes = _episodes_of(self._env, self.num_envs, self.device.type)
        return episodes, restore_into(episodes, arrays)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Reset every environment, or those of ``options["reset_mask"]``.

        Args:
            seed: Seeds random halting, which draws for all environments from one generator.
            options: ``reset_mask``, a tensor or array of booleans, or nothing.

        Raises:
            ValueError: Other options, or a mask of another length.
        """
        options = dict(options or {})
        reset_mask = options.pop("reset_mask", None)
        if options:
            raise ValueError(must("options", "have no other key than 'reset_mask'", options))
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        rows = self._all
        if reset_mask is not None:
            mask = self._tensor("reset_mask", reset_mask, "bool")
            rows = self._library.nonzero(mask)
        self._reset(rows)
        self._waits[rows] = False
        nothing = self._library.zeros(self.num_envs, "int64")
        success = self._library.zeros(self.num_envs, "bool")
        return self._episodes.observe(), self._episodes.figures(success, nothing, self._library.copy(nothing))

    def step(self, actions: Any) -> Step:
        """Step every environment; actions of those that wait for their reset are ignored.

        Args:
            actions: A tensor or array of integers, ``(num_envs,)``.

        Raises:
            ValueError: An action is out of range (or masked, with ``illegal="raise"``), or there are not as many
                actions as environments.
            ResetNeeded: An episode is over.
        """
        episodes, library = self._episodes, self._library
        own = library.where(self._waits, 0, self._tensor("actions", actions, "int64"))
        self._check(own)
        before = episodes.state(), episodes.curricula.state()
        try:
            rows = self._all
            if self.autoreset_mode == AutoresetMode.NEXT_STEP and bool(self._waits.any()):
                self._reset(library.nonzero(self._waits))
                rows = library.nonzero(~self._waits)
            steps = episodes.step(rows, own[rows], self._optimized, self._env.optimizes_at_end)
            rewards, success, terminated, truncated, *costs = steps
            infos, over = episodes.figures(success, *costs), terminated | truncated
            last: dict[str, Any] = {}
            if self.autoreset_mode == AutoresetMode.SAME_STEP:
                ended = library.nonzero(over)
                final = {name: column[ended] for name, column in infos.items()}
                last = {"final_rows": ended, "final_obs": episodes.observe(ended), "final_info": final}
                self._reset(ended)
                infos = episodes.figures(success & ~over, *(cost * ~over for cost in costs))
            observations = episodes.observe()
        except BaseException:
            episodes.curricula.restore(before[1])
            episodes.restore(before[0])
            raise
        if self.autoreset_mode == AutoresetMode.NEXT_STEP:
            self._waits = over
        return observations, rewards, terminated, truncated, {**infos, **last}

    def close_extras(self, **_: Any) -> None:
        """Close the environment that the rules came from."""
        self._env.close()

    # -- parts of the methods above ------------------------------------------------------------------------------------

    def _tensor(self, name: str, values: Any, dtype: str) -> Array:
        """Return a number for each environment on the device; tensors that are there already are not copied."""
        is_tensor = hasattr(values, "device") and hasattr(values, "cpu")
        found = values.to(self.device) if is_tensor else self._library.shared(np.asarray(values))
        if "float" in str(found.dtype) or found.ndim != 1 or len(found) != self.num_envs:
            raise ValueError(must(name, f"be {self.num_envs} integers or booleans, one for each environment", values))
        return self._library.cast(found, dtype)

    def _check(self, actions: Array) -> None:
        """Raise an error if an action is out of range, or masked where that is an error, or an episode is over."""
        num_actions, episodes = self._episodes.masks.array.shape[1], self._episodes
        over = episodes.over & ~self._waits
        is_bad = (actions < 0) | (actions >= num_actions)
        if bool((is_bad | over).any()):
            if bool(over.any()):
                raise ResetNeeded("An episode is over: call reset() before step().")
            raise ValueError(must("actions", f"be integers in 0..{num_actions - 1}", actions[is_bad].tolist()))
        if episodes.rules.illegal != "skip":
            masked = (episodes.masks.array[self._all, actions] == 0) & ~self._waits
            if bool(masked.any()):
                raise ValueError(must("actions", 'be legal with `illegal="raise"`', actions[masked].tolist()))

    def _reset(self, rows: Array) -> None:
        rule: Any = self._episodes.rules.halting
        halts: Any = NEVER
        if not isinstance(rule, NoHalting):
            halts = self._library.shared(rule.sample_each(self._rng, len(rows)))
        self._episodes.reset(rows, halts)

    def _optimized(self, rows: Array, num_new: Array) -> tuple[Array, Array, Array]:
        """Optimise circuits: on the device, or in arrays of NumPy, which share the memory where that is the CPU's."""
        episodes, library, optimizer = self._episodes, self._library, self._env.optimizer
        hamiltonian = episodes.problem.hamiltonian
        assert hasattr(optimizer, "minimize_each")
        if self._stays:
            found = optimizer.minimize_each(self._simulator, episodes.circuits, hamiltonian, rows, num_new)
            return found.energies, found.evaluations, found.gradients
        host = episodes.circuits.on_host()
        own = library.host(rows), library.host(num_new)
        found = optimizer.minimize_each(self._simulator, host, hamiltonian, *own, self._num_threads)
        if self.device.type != "cpu":
            episodes.circuits.angles[:] = library.shared(host.angles)
        return library.shared(found.energies), library.shared(found.evaluations), library.shared(found.gradients)


def _episodes_of(env: CircuitBuildingEnv, size: int, device: str) -> EpisodeArrays:
    """Return episodes on a device with the rules of an environment.

    Raises:
        ValueError: Rules that do not fit.
    """
    library, rules = torch_on(device), env.rules
    if device != "cpu":
        env.problem.hamiltonian.require_no_preparation("environments on a GPU")
    if not fits([env]):
        needed = (
            "be None for families, noise that drifts, linked angles, shot noise, optimisers of single circuits, "
            "and render modes"
        )
        raise ValueError(must("device", needed, device))
    make_masks, make_encoders = own_method(env.episode.mask, "for_many"), own_method(env.encoder, "for_many")
    has_halting = isinstance(rules.halting, NoHalting) or own_method(rules.halting, "sample_each") is not None
    encoders = None if make_encoders is None else make_encoders(size, library)
    for name, part, is_there in (
        ("mask", env.episode.mask, make_masks is not None),
        ("encoding", rules.encoding, encoders is not None),
        ("reward", rules.reward, own_method(rules.reward, "of_each") is not None),
        ("curriculum", env.curriculum, own_method(env.curriculum, "end_each") is not None),
        ("halting", rules.halting, has_halting),
    ):
        if not is_there:
            raise ValueError(must(name, "have methods for many environments where `device` is given", part))
    assert make_masks is not None and encoders is not None
    parts = make_masks(size, library), encoders, ColumnCurricula([env.curriculum], size, library)
    return EpisodeArrays(rules, env.problem, env.initial, parts, env.episode.first_energy, library)
