"""One training, from its first step or a checkpoint to its last step."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict
from typing import Any

from rich.console import Console

from qas_agents.checks import check_number
from qas_agents.protocols import Agent, ForeignResumable, Policy, Resumable
from qas_envs import CircuitBuildingEnv
from qas_envs.snapshots import restore, state_of
from qas_experiments.interrupts import Interrupt
from qas_experiments.runs.checkpoints import Checkpoints, damage_reported
from qas_experiments.runs.files import settings_of
from qas_experiments.runs.folders import CHECKPOINT, RunFolder
from qas_experiments.runs.foreign_checkpoints import ForeignCheckpoints
from qas_experiments.runs.progress import share_of
from qas_experiments.settings import TrainingSettings
from qas_experiments.training.device_steps import DeviceSteps
from qas_experiments.training.display import TrainingBar
from qas_experiments.training.first_solution import first_solution
from qas_experiments.training.loggers import EpisodeAverages, LoggerChoice
from qas_experiments.training.recorder import Recorder, Solution
from qas_experiments.training.rollouts import PolicyWatcher
from qas_experiments.training.snapshots import check_env, check_recorder, check_watcher, identity_of
from qas_simulators.errors import must

_HEARTBEAT_SECONDS = 10.0


class Session:
    """Train an agent, evaluate its frozen policy regularly, and write metrics and checkpoints.

    Args:
        training: Limits and intervals.
        agent: The agent. A :class:`Policy` is evaluated and saved; a :class:`Resumable` agent has checkpoints.
        env: The training environment.
        judge: The environment on which the frozen policy is evaluated.
        folder: Folder of the run.
        console: Console for messages.
        interrupt: Whether the run was asked to stop.
        num_kept: Number of best circuits to record.
        watch: Function called after every step.
        loggers: Where the metrics go besides ``metrics.jsonl``.
    """

    def __init__(
        self,
        training: TrainingSettings,
        agent: Agent,
        env: CircuitBuildingEnv,
        judge: CircuitBuildingEnv,
        folder: RunFolder,
        console: Console,
        interrupt: Interrupt,
        num_kept: int = 1,
        watch: Callable[[Recorder], None] = lambda _: None,
        loggers: Sequence[LoggerChoice] = (),
    ) -> None:
        self._training, self._limits = training, asdict(training)
        self._agent: Any = agent
        self._env, self._judge, self._folder, self._console = env, judge, folder, console
        self._interrupt, self._watch, self._reported_at = interrupt, watch, 0.0
        self._loggers, self._keeps = loggers, settings_of(folder.path).checkpoint.keep
        self._has_shown_first, self._saved_at = False, -1
        self._is_policy = isinstance(agent, Policy)
        self._watcher = PolicyWatcher(judge, str(folder.path / "policy_best.safetensors"), env)
        self._has_after_step = isinstance(agent, Resumable)
        self._checkpoints: Checkpoints | ForeignCheckpoints | None = None
        if self._has_after_step:
            self._checkpoints = Checkpoints(folder.path / CHECKPOINT)
        elif isinstance(agent, ForeignResumable):
            self._checkpoints = ForeignCheckpoints(folder.path / CHECKPOINT)
        self.recorder = Recorder(env, self._on_episode, self._should_stop, num_kept)
        self.recorder.clock.stop()  # it runs only while the agent learns
        # With many environments, intervals count the steps and episodes of each.
        self._num_envs = max(1, training.num_envs)
        self._many: DeviceSteps | None = None
        if training.num_envs:
            envs: Any = getattr(agent, "env", None)
            self._many = DeviceSteps(self.recorder, envs, self._should_stop)
        self._last_row = 0  # number of the last episode with metrics
        self._identity = identity_of(settings_of(folder.path))

    def resume(self) -> bool:
        """Restore the last checkpoint and return whether there was one; without one the run starts again.

        Raises:
            DamagedCheckpointError: The checkpoint does not fit this run; nothing in the folder has changed.
        """
        numbers = None if self._checkpoints is None else self._checkpoints.restore(self._agent, self._check)
        if numbers is not None:
            with damage_reported(self._folder.path):
                restore(self._env, numbers["env"])
                self._watcher.restore(numbers["watcher"])
                self.recorder.restore(numbers["recorder"])
                self._last_row = self.recorder.episodes
                if self._many is not None:
                    self._last_row = numbers["many"].pop("last_row")
                    self._many.restore(numbers["many"])
                if not self._has_after_step:  # these agents begin another episode
                    self.recorder.begin_episode()
            self._saved_at = self.recorder.steps
        # Steps after the checkpoint are made again, so their metrics would otherwise appear twice.
        self._folder.cut_metrics(0 if numbers is None else numbers["metrics_size"])
        return numbers is not None

    def _check(self, numbers: dict[str, Any]) -> None:
        """Raise ``ValueError`` if training cannot continue with a checkpoint's numbers."""
        wanted = {"step", "env", "watcher", "recorder", "metrics_size"}  # format 2 adds "settings"
        wanted |= set() if self._many is None else {"many"}
        if set(numbers) - {"settings"} != wanted:
            raise ValueError(must("numbers", f"be {sorted(wanted)}", sorted(numbers)))
        if numbers.get("settings", self._identity) != self._identity:
            raise ValueError(must("settings", "be those of the run", numbers["settings"]))
        check_env(numbers["env"], self._env)
        check_watcher(numbers["watcher"], self._judge)
        check_recorder(numbers["recorder"], self.recorder, self._env)
        if self._many is not None:
            if not isinstance(numbers["many"], dict):
                raise ValueError(must("many", "be the state of several environments", numbers["many"]))
            check_number("last_row", numbers["many"].get("last_row"), 0, numbers["recorder"]["episodes"])
            self._many.check({name: value for name, value in numbers["many"].items() if name != "last_row"})
        if numbers["recorder"]["steps"] != numbers["step"]:
            raise ValueError(must("steps", "be those of the agent", numbers["recorder"]["steps"]))
        self._folder.check_metrics(numbers["metrics_size"])

    @property
    def ended_by(self) -> str:
        """The cause of the end: the name of a limit, ``signal``, or ``agent`` if the agent stopped by itself."""
        training, recorder = self._training, self.recorder
        if recorder.steps >= training.total_timesteps:
            return "total_timesteps"
        if self._is_spent():
            return "max_evaluations" if 0 < training.max_evaluations <= recorder.evaluations else "max_seconds"
        return "signal" if self._interrupt.requested else "agent"

    def run(self) -> None:
        """Train until a limit is reached, the agent stops, or the run is interrupted."""
        left = self._training.total_timesteps - self.recorder.steps
        self._steps_seen = self.recorder.steps
        self._has_shown_first = self.recorder.first_solved is not None
        unit, total = self._env.problem.unit, self._training.total_timesteps
        settings: dict[str, Any] = {"callback": self.recorder if self._many is None else self._many}
        if self._has_after_step:
            settings["after_step"] = self._after_step
        all_settings = asdict(settings_of(self._folder.path))
        self._averages = EpisodeAverages(self._loggers, self._folder.path, all_settings, self.recorder.steps)
        with closing(self._averages), TrainingBar(self._console, total, unit, self._training.progress) as self._bar:
            self._write_progress()
            self.recorder.clock.start()
            if left > 0 and not self._is_spent():
                self._agent.learn(left, **settings)
            self.recorder.clock.stop()
        # A longer training can continue this one. After an interruption there is a checkpoint already, and none may be
        # written during the search of a guide, which has no steps that end.
        has_ended_step = self._steps_seen == self.recorder.steps > 0
        if self._checkpoints is not None and self._keeps and has_ended_step and not self._interrupt.requested:
            self.checkpoint()
        self._warn_if_nothing_was_learned()

    def _warn_if_nothing_was_learned(self) -> None:
        """Print a warning if a double DQN took no gradient step, because the run was too short for its settings."""
        starts = getattr(getattr(self._agent, "config", None), "learning_starts", None)
        if starts is None or self._agent.num_gradient_steps or self._interrupt.requested:
            return
        text = f"warning: nothing was learned in {self._agent.num_moves:,} steps (agent.learning_starts={starts:,})"
        self._console.print(text, highlight=False, soft_wrap=True)

    def _on_episode(self, row: dict[str, Any]) -> None:
        every, before = self._training.evaluate_every * self._num_envs, self._last_row
        self._last_row = row["episode"]
        if self._is_policy and self._last_row // every > before // every:
            found, gradients = self._watcher.evaluate(self._agent)
            self.recorder.spend(found.evaluations, gradients)
            row |= {
                "policy_energy_error": found.energy_error,
                "policy_two_qubit_gates": found.circuit.num_two_qubit_gates,
            }
        self._folder.append_metrics({k: None if isinstance(v, float) and math.isnan(v) else v for k, v in row.items()})
        self._averages.add(row)

    def _should_stop(self) -> bool:
        self._bar.update(self.recorder, self._share)
        if self.recorder.seconds > self._reported_at + _HEARTBEAT_SECONDS:
            self._reported_at = self.recorder.seconds
            self._write_progress()
        self._watch(self.recorder)
        if not self._has_shown_first and self.recorder.first_solved is not None:
            self._has_shown_first = True
            if self._training.progress:
                self.recorder.clock.stop()
                self._bar.show(first_solution(self.recorder.first_solved, self._env, self._console.width))
                self.recorder.clock.start()
        if not self._has_after_step:
            self._after_step()
        return self._interrupt.requested or self._is_spent()

    def _share(self, recorder: Recorder) -> float:
        return share_of(self._limits, recorder.steps, recorder.evaluations, recorder.seconds)

    def _write_progress(self) -> None:
        self._folder.write_progress(self.recorder.steps, self.recorder.evaluations, self.recorder.seconds)

    def _is_spent(self) -> bool:
        training, recorder = self._training, self.recorder
        is_late = 0 < training.max_seconds <= recorder.seconds
        return is_late or 0 < training.max_evaluations <= recorder.evaluations

    def _after_step(self) -> None:
        every = self._training.checkpoint_every * self._num_envs
        if self._checkpoints is None:
            return
        if self._interrupt.requested or (every and self.recorder.steps // every > self._steps_seen // every):
            self.checkpoint()
        self._steps_seen = self.recorder.steps

    def checkpoint(self) -> None:
        """Write a checkpoint from which the run can be resumed."""
        assert self._checkpoints is not None
        if self._saved_at == self.recorder.steps:  # the files of this step are never written twice
            return
        self._saved_at = self.recorder.steps
        numbers = {
            "env": state_of(self._env),
            "watcher": self._watcher.state(),
            "recorder": self.recorder.state(),
            "metrics_size": self._folder.metrics_size(),
            "settings": self._identity,
        }
        if self._many is not None:
            numbers["many"] = self._many.state() | {"last_row": self._last_row}
        self._checkpoints.write(self._agent, numbers)

    def drop_checkpoint(self) -> None:
        """Delete the checkpoint of a finished run."""
        if self._checkpoints is not None:
            self._checkpoints.drop()

    def frozen(self) -> dict[str, Solution | None]:
        """Return the circuits of the frozen policies and save the last policy; empty without a policy."""
        if not self._is_policy:
            return {}
        last, gradients = self._watcher.evaluate(self._agent)
        self.recorder.spend(last.evaluations, gradients)
        self._agent.save(str(self._folder.path / "policy_last.safetensors"))
        frozen = type(self._agent).load(str(self._folder.path / "policy_best.safetensors"), self._judge)
        return {"frozen policy, best": self._watcher.played(frozen)[0], "frozen policy, last": last}
