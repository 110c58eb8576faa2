"""The training loop of the masked double DQN: act, step, store, learn."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from qas_agents.callbacks import CallbackObject
from qas_agents.checks import require_finite
from qas_agents.dqn.environments import StepBatch
from qas_agents.dqn.guides import TrialReporter

if TYPE_CHECKING:
    from qas_agents.dqn.agent import MaskedDQN


class TrainingLoop:
    """One call of :meth:`MaskedDQN.learn`.

    All that must survive it (networks, counters, replay buffer, random generator) belongs to the agent.

    Args:
        agent: The agent to train.
        listener: The callback, called after every step and for every circuit that the guide tries.
        end: Number of steps of the agent at which training ends.
        after_step: Called at the end of every step, after new episodes began.
        advance: Called once for every step in an episode.
    """

    def __init__(
        self,
        agent: MaskedDQN,
        listener: CallbackObject,
        end: int,
        after_step: Callable[[], None] | None = None,
        advance: Callable[[], None] = lambda: None,
    ) -> None:
        self._agent, self._listener, self._end = agent, listener, end
        self._after_step, self._advance = after_step, advance
        self._running = True  # until the callback returns False

    def run(self) -> None:
        """Train until the end, or until the callback returns False."""
        agent, environments = self._agent, self._agent.environments
        if agent.next_observations is None or agent.next_masks is None:
            self._begin()
        while self._running and agent.num_timesteps < self._end:
            observations, masks = agent.next_observations, agent.next_masks
            assert observations is not None and masks is not None

            # Act. Finished episodes are not reset yet: guide and callback read their circuits.
            actions = self._act(observations, masks)
            batch = environments.step(actions)

            # Store the transitions that are complete now: an n-step return needs the rewards of n steps.
            self._store(observations, actions, batch)

            # Learn after each environment's step in turn, so that the ratio of gradient steps to transitions does not
            # depend on the number of environments.
            self._count_and_learn()

            # Report, then begin new episodes where one ended.
            self._report(actions, batch)
            agent.next_observations, agent.next_masks = environments.reset_finished(batch)
            if agent.guide is not None and batch.over[0]:
                agent.guide.begin_episode(agent)
            if self._after_step is not None:
                self._after_step()
        agent.learner.check()

    def _act(self, observations: NDArray[np.float32], masks: NDArray[np.int8]) -> NDArray[np.int64]:
        return self._agent.explore(observations, masks)

    def _begin(self) -> None:
        """Prepare the guide and begin the first episodes."""
        agent, first = self._agent, self._agent.num_timesteps
        if agent.guide is not None:
            reporter = TrialReporter(agent, self._listener, end=self._end)
            agent.guide.before_training(agent.rng, reporter)
            self._running = reporter.running
        # The reset follows the guide's preparation, which may have used the environment.
        agent.next_observations, agent.next_masks = agent.environments.reset(agent.seed)
        if agent.guide is not None:
            agent.guide.begin_episode(agent)
        if self._after_step is not None and self._running and agent.num_timesteps > first:
            self._after_step()

    def _store(self, observations: NDArray[np.float32], actions: NDArray[np.int64], batch: StepBatch) -> None:
        """Store the transitions that a step of all environments completed.

        Raises:
            ValueError: A reward is not finite; stored, it would spoil every value that is bootstrapped from it.
        """
        require_finite("rewards", sum(batch.rewards.tolist()), self._place)
        for k, collector in enumerate(self._agent.collectors):
            for transition in collector.push(
                observations[k],
                int(actions[k]),
                float(batch.rewards[k]),
                bool(batch.terminated[k]),
                bool(batch.truncated[k]),
                batch.observations[k],
                batch.masks[k],
            ):
                self._agent.replay.add(transition)

    def _count_and_learn(self) -> None:
        for _ in range(self._agent.environments.num_envs):
            self._count_step()
            if self._is_time_to_learn():
                self._learn()
            self._advance()

    def _count_step(self) -> None:
        agent = self._agent
        agent.num_timesteps += 1
        agent.num_moves += 1
        if agent.config.epsilon_clock == "environment" and agent.num_moves > agent.config.learning_starts:
            agent.decay_epsilon()

    def _is_time_to_learn(self) -> bool:
        agent, config = self._agent, self._agent.config
        is_ready = agent.num_moves >= config.learning_starts and len(agent.replay) >= config.batch_size
        return is_ready and agent.num_moves % config.train_frequency == 0

    def _learn(self) -> None:
        """Sample a batch and take a gradient step."""
        agent, config, learner = self._agent, self._agent.config, self._agent.learner
        batch, rows = agent.replay.sample(config.batch_size, agent.rng, self._importance)

        # The target network is constant between updates, so that a step does not move the targets of the next one.
        if agent.num_gradient_steps % config.target_update_interval == 0:
            learner.update_target()

        # A spline learns only where its grid covers the inputs, so grids are refitted to what the agent observes.
        if config.refit_interval and (agent.num_gradient_steps + 1) % config.refit_interval == 0:
            learner.refit(batch)

        further = getattr(agent.guide, "further_loss", None)  # guides written before it have none
        if further is not None:
            further = partial(further, size=config.batch_size, rng=agent.rng)
        agent.loss, errors = learner.gradient_step(batch, self._place, further)

        # Transitions with large errors are sampled more often from now on, if replay is prioritised.
        agent.replay.reprioritize(rows, errors)
        agent.num_gradient_steps += 1
        if config.epsilon_clock == "gradient":
            agent.decay_epsilon()

    @property
    def _importance(self) -> float:
        """Exponent of the importance weights. It rises to 1, because bias matters most close to convergence."""
        config = self._agent.config
        share = min(1.0, self._agent.num_gradient_steps / config.importance_steps)
        return config.importance_start + (1.0 - config.importance_start) * share

    @property
    def _place(self) -> str:
        return f"step {self._agent.num_timesteps}, gradient step {self._agent.num_gradient_steps}"

    def _report(self, actions: NDArray[np.int64], batch: StepBatch) -> None:
        """Call the callback, and the guide if the episode that it guides ended."""
        agent = self._agent
        if agent.guide is not None:
            agent.guide.record_reward(float(batch.rewards[0]))
        guide = agent.guide if agent.guide is not None and batch.over[0] else None
        if guide is not None:
            guide.record_episode()  # before the callback, which may use the environment too
        seen = {"infos": batch.infos, "rewards": batch.rewards, "dones": batch.over, "actions": actions}
        if agent.environments.current is not None:
            seen["circuit_env"] = agent.environments.current
        self._listener.update_locals({"self": agent, **seen})
        self._running = self._listener.on_step()
        if guide is not None:
            reporter = TrialReporter(agent, self._listener, self._running)
            guide.end_episode(bool(batch.infos[0]["success"]), agent.rng, reporter)
            self._running = reporter.running
