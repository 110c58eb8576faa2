"""CircuitPlayer: whole circuits played at once, for searchers that change circuits anywhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any

from qas_envs.catalogue import check_angles
from qas_envs.encodings import Observation
from qas_envs.masks import new_mask
from qas_envs.undo import Undo
from qas_simulators import Circuit
from qas_simulators.errors import must

if TYPE_CHECKING:
    from qas_envs.circuit_env import CircuitBuildingEnv


class LegalActions(tuple[int, ...]):
    """Actions that a player found legal; it does not check them again. Made by :meth:`CircuitPlayer.checked`."""

    player: CircuitPlayer | None = None


class CircuitPlayer:
    """Plays whole circuits in an environment: all gates are appended, then all angles are optimised once.

    Args:
        env: Its episode holds the circuit that was played last. Its curriculum is not informed, and no reward is paid.

    Attributes:
        catalogue: The environment's actions.

    Examples:
        >>> import gymnasium as gym, qas_envs
        >>> env = gym.make("QAS-TFIM-v0", num_qubits=2).unwrapped
        >>> actions = env.player.checked([2, 3, 0])
        >>> _, info = env.player.play(actions)
        >>> info["num_gates"], env.player.checked([0, 0])
        (3, None)
    """

    def __init__(self, env: CircuitBuildingEnv) -> None:
        self._env = env
        self.catalogue = env.catalogue
        self._mask = new_mask(env.rules.mask, env.catalogue)

    @property
    def circuit(self) -> Circuit:
        """The environment's circuit."""
        return self._env.circuit

    @property
    def actions(self) -> list[int]:
        """Actions that appended the gates of the episode so far."""
        return self._env.episode.actions.copy()

    @property
    def angles(self) -> list[tuple[float, ...]]:
        """Angles of each of :attr:`actions`, in radians."""
        return self._env.episode.angles

    def checked(self, actions: Iterable[int]) -> LegalActions | None:
        """Return the actions, ready for :meth:`play`, or ``None`` if an episode cannot begin with them."""
        mask, catalogue, num_gates = self._mask, self.catalogue, 0
        found = LegalActions(actions)
        mask.reset()
        for action in found:
            if not 0 <= action < len(catalogue.actions) or not mask.array[action] or num_gates >= self._env.max_gates:
                return None
            mask.update(action)
            num_gates += catalogue.num_gates[action]
        found.player = self
        return found

    def play(
        self, actions: Sequence[int], angles: Sequence[Sequence[float]] | None = None, num_scanned: int = 0
    ) -> tuple[Observation, dict[str, Any]]:
        """Begin an episode of the same instance with these actions and optimise all angles once.

        The episode continues with the environment's ``step`` unless the circuit is a success or exhausts the budget.
        Nothing changes if anything is raised.

        Args:
            actions: Each legal after those before it. What :meth:`checked` returned is not checked again.
            angles: Initial angles of the optimiser, by action. By default each angle is scanned, starting from 0.
            num_scanned: With ``angles``: the angles of this number of last actions are scanned, like those of a new
                gate.

        Returns:
            As ``reset``.

        Raises:
            ValueError: Actions that are not legal, or angles that do not fit them.
        """
        env, episode = self._env, self._env.episode
        legal = actions if isinstance(actions, LegalActions) and actions.player is self else self.checked(actions)
        if legal is None:
            requirement = f"be legal one after the other, at most {env.max_gates} gates"
            raise ValueError(must("actions", requirement, list(actions)))
        counts = [self.catalogue.num_angles[action] for action in legal]
        if angles is not None:
            check_angles(angles, counts)
        with Undo([env]):
            finished = episode.circuit.copy()
            env.begin()
            for action in legal:
                episode.append(action)
                episode.record(action)
            if angles is not None:
                episode.circuit.params = [*episode.initial.params, *chain.from_iterable(angles)]
            num_new = sum(counts if angles is None else counts[max(0, len(counts) - num_scanned) :])
            result = env.optimize_angles(num_new)
            episode.circuit.params, episode.energy = result.params, result.energy
            success = abs(result.energy - env.curriculum.reference_energy) < episode.threshold
            episode.over = success or episode.is_exhausted
            observation = episode.encoder.observe(env.view())
            env.finished = finished
        return observation, episode.info(episode.figures(success, result.evaluations, result.gradients))
