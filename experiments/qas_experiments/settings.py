"""The schema of ``qas-train``'s configuration; Hydra's YAML files are checked against it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import MISSING

COMPONENTS = ("encoding", "reward", "curriculum", "halting")


@dataclass
class EnvSettings:
    """Which environment, and its rules. ``None`` keeps what the environment's id prescribes.

    Components (``reward``, ``curriculum``, ...) are a name or ``{name: ..., settings}``.
    """

    id: str = MISSING
    problem: dict[str, Any] = field(default_factory=dict)  # e.g. bond_length, num_qubits
    preset: str | None = None
    gates: str | None = None
    max_gates: int | None = None
    encoding: Any = None
    reward: Any = None
    curriculum: Any = None
    halting: Any = None
    couplings: Any = None
    initial: str | None = None
    illegal: str | None = None
    stop: bool | None = None
    mask: str | None = None
    gadgets: str | None = None


@dataclass
class TrainingSettings:
    """How long, from which seed, and what is shown."""

    total_timesteps: int = 100_000
    seed: int = 0
    device: str = "cpu"
    threads: int = 1  # of PyTorch; more than one changes the last bits
    evaluate_every: int = 10  # training episodes between two rollouts of the greedy policy
    baselines: bool = True  # play the random legal policy and the greedy construction too
    progress: bool = True
    checkpoint_every: int = 20_000  # steps; 0 for none but where a signal ends the run


@dataclass
class TrainSettings:
    """Everything ``qas-train`` reads."""

    env: EnvSettings = field(default_factory=EnvSettings)
    agent: dict[str, Any] = MISSING
    optimizer: dict[str, Any] = MISSING
    noise: dict[str, Any] = MISSING
    training: TrainingSettings = field(default_factory=TrainingSettings)
    resume: str | None = None  # folder of a run that was interrupted; all settings are its own
    run: str | None = None  # folder; by default runs/<id>-<agent>-seed<seed>-<time>


def register_schemas() -> None:
    """Tell Hydra about the schemas."""
    store = ConfigStore.instance()
    store.store(name="train_schema", node=TrainSettings)
    store.store(group="env", name="schema", node=EnvSettings)
    store.store(group="training", name="schema", node=TrainingSettings)
