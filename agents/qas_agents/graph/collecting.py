"""Actors of Ray that play groups of circuits for one learner, on this machine and on others.

The learner sends its weights, an instance, a length and a seed; the actor sends the group back. An actor that is lost
costs the group that it was playing, and another one takes its place.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, Final

import gymnasium as gym
import numpy as np
import torch

from qas_agents.graph.config import GraphConfig
from qas_agents.graph.drawing import KINDS
from qas_agents.graph.groups import Group, play_group
from qas_agents.graph.instances import Instances
from qas_agents.graph.network import PairNetwork
from qas_simulators.errors import must, needs_extra

if TYPE_CHECKING:
    from qas_agents.graph.agent import GraphAgent

_MOST_FAILURES: Final = 5  # actors lost one after the other, without a group between


class Player:
    """What an actor does: it has its own environments and its own copy of the network.

    Args:
        spec: Of the agent's environment.
        config: Of the agent.
        num_features: Of the network.
    """

    def __init__(self, spec: Any, config: GraphConfig, num_features: Any) -> None:
        torch.set_num_threads(1)
        self._config = config
        self._instances = Instances(gym.make(spec, disable_env_checker=True), config.instances)
        self._network = PairNetwork(num_features, config.hidden, config.rounds, KINDS)

    def play(self, weights: dict[str, Any], number: int, length: int, seed: int) -> Group:
        """Return a group that the policy with these weights has drawn."""
        self._network.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in weights.items()})
        rng, config = np.random.default_rng(seed), self._config
        instance = self._instances[number]
        return play_group(
            self._network, instance, (number, length), config.batch, config.max_iterations, rng, with_log_probs=True
        )


class Collectors:
    """The learner's side: always one group in the making for each actor.

    Use it as a context: at the end actors are ended, and Ray too if it was started here. Ray connects to the cluster of
    ``RAY_ADDRESS`` (``auto``: the one that ``ray start`` began), or starts one on this machine.

    Args:
        agent: The agent that learns.

    Attributes:
        lost: Groups lost with their actors so far.

    Raises:
        ValueError: The environment was not made by ``gymnasium.make``.
    """

    def __init__(self, agent: GraphAgent) -> None:
        with needs_extra("ray"):
            import ray
        self._ray: Any = ray
        self._agent = agent
        self._spec = getattr(agent.env, "unwrapped", agent.env).spec
        if self._spec is None:
            raise ValueError(must("env", "be made by gymnasium.make, so that actors can make it too", type(agent.env)))
        self._pending: dict[Any, Any] = {}  # actors by the result that they are to send
        self._has_started = False
        self._failures = self.lost = 0

    def __enter__(self) -> Collectors:
        if not self._ray.is_initialized():
            os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
            address = os.environ.get("RAY_ADDRESS", "local")
            self._ray.init(address=address, include_dashboard=False, log_to_driver=False, logging_level="error")
            self._has_started = True
        self._actor_type = self._ray.remote(num_cpus=1)(Player)
        return self

    def __exit__(self, *_: object) -> None:
        for actor in self._pending.values():
            self._ray.kill(actor)
        self._pending.clear()
        if self._has_started:
            self._ray.shutdown()

    def actors(self) -> list[Any]:
        """Return handles of the actors that are playing."""
        return [*self._pending.values()]

    def next_group(self, next_place: Any) -> Group:
        """Return the next group that an actor has finished.

        Args:
            next_place: Function that draws the instance and the length of a new group.

        Raises:
            RuntimeError: Actors are lost again and again.
        """
        while len(self._pending) < self._agent.num_collectors:
            self._begin(self._new_actor(), next_place())
        while True:
            done, _ = self._ray.wait([*self._pending], num_returns=1)
            actor = self._pending.pop(done[0])
            try:
                group: Group = self._ray.get(done[0])
            except self._ray.exceptions.RayActorError as error:
                self.lost += 1
                self._failures += 1
                if self._failures > _MOST_FAILURES:
                    raise RuntimeError(f"{self._failures} actors were lost one after the other: {error}") from error
                actor, group = self._new_actor(), None  # type: ignore[assignment]
            # the actor plays on while the learner learns
            self._begin(actor, next_place())
            if group is not None:
                self._failures = 0
                return group

    def _new_actor(self) -> Any:
        return self._actor_type.remote(self._spec, self._agent.config, self._agent.num_features)

    def _begin(self, actor: Any, place: tuple[int, int]) -> None:
        """Let an actor play a group with the weights of now."""
        weights = {name: value.cpu().numpy() for name, value in self._agent.network.state_dict().items()}
        seed = int(self._agent.rng.integers(2**63))
        self._pending[actor.play.remote(weights, *place, seed)] = actor
