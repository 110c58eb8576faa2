"""The schemas of the commands' configurations; Hydra checks YAML files against them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar, get_type_hints

from qas_envs.imports import TARGET, named, with_colon
from qas_envs.rules import RULES, RuleArguments
from qas_experiments.options import MISSING, register_options

_Settings = TypeVar("_Settings")


PRESCRIBED: Final = "preset"
"""Name of a reward, an optimiser or a kind of actions that is replaced by the one of the preset."""

_OWN_GROUPS = ("optimizer", "noise")  # rules that are groups of the configuration


_HINTS = get_type_hints(RuleArguments)


def _rule_type(name: str) -> Any:
    """Return the type of a rule's field: a flag, a number, a name or file, or anything that the rule checks."""
    hint = _HINTS[name]
    if hint in (bool, int):
        return hint | None
    return str | None if RULES[name].takes_texts else Any


def _with_rules(kind: type[_Settings]) -> type[_Settings]:
    """Add to a class a field for every rule of environments, ``None`` by default."""
    for name in RULES:
        if name not in _OWN_GROUPS:
            kind.__annotations__[name] = _rule_type(name)
            setattr(kind, name, None)
    return kind


@dataclass
@_with_rules
class EnvSettings:
    """The environment and its rules, a field for each of :data:`qas_envs.rules.RULES` that is no group of its own.

    ``None`` keeps the rule of the environment's id. Rules with choices (``reward``, ``curriculum``, ...) are a name or
    ``{name: ..., settings}``.
    """

    id: str = MISSING
    problem: dict[str, Any] = field(default_factory=dict)  # e.g. bond_length, num_qubits
    preset: str | None = None
    vary: Any = None  # a family of instances, of which each episode draws one

    def __post_init__(self) -> None:
        for name in RULES:
            if name not in _OWN_GROUPS:
                setattr(self, name, named(getattr(self, name)))

    if TYPE_CHECKING:

        def __getattr__(self, name: str) -> Any: ...
        def __setattr__(self, name: str, value: Any) -> None: ...


def named_agent(agent: Any) -> Any:
    """Return an agent with the key ``_target_`` of Hydra as the agent ``external`` with that class."""
    if not isinstance(agent, dict) or TARGET not in agent:
        return agent
    settings = {name: value for name, value in agent.items() if name not in (TARGET, "name")}
    return {"name": "external", "target": with_colon(agent[TARGET]), "settings": settings}


COMPONENTS = tuple(
    name for name, rule in RULES.items() if rule.choices and name not in _OWN_GROUPS and _rule_type(name) is Any
)
"""Rules of which ``env.<rule>.<setting>=...`` changes a setting."""


@dataclass
class TrainingSettings:
    """Limits, seed and output of a training."""

    total_timesteps: int = 100_000
    max_evaluations: int = 0  # limit of energy evaluations; 0 for none
    max_seconds: float = 0.0  # limit of wall time; 0 for none
    seed: int = 0
    device: str = "cpu"
    tf32: bool = False  # on a GPU, matrix products with 10 instead of 23 bits of mantissa: faster, less exact
    threads: int = 1  # of PyTorch, where more than one changes the last bits, and of optimisations with num_envs
    num_envs: int = 0  # environments whose episodes are tensors on the device; 0 for one on the CPU; only agent=dqn
    collectors: int = 0  # actors of Ray that play circuits for one learner; only agent=graph
    evaluate_every: int = 10  # training episodes between two rollouts of the greedy policy
    baselines: bool = True  # whether to play the random legal policy and the greedy construction afterwards
    progress: bool = True
    checkpoint_every: int = 20_000  # steps; 0 for a checkpoint only when the run is interrupted


@dataclass
class CheckpointSettings:
    """The checkpoint of a finished run."""

    keep: bool = True  # whether it stays on disk, where it takes most of a run's space


@dataclass
class ExtractionSettings:
    """The extraction of gadgets between rounds; see :func:`qas_agents.gadgets.extract`."""

    circuits: int = 20  # number of best distinct circuits of a round, also written to circuits.json
    gadgets: int = 2  # new ones per round
    rank: str = "score"
    max_calls: int = 4
    max_qubits: int = 2
    structure_penalty: float = 1.0
    pseudo_counts: float = 10.0
    prune: bool = True  # drop gadgets that no circuit of the round uses
    carry_policy: bool = False  # start each round from the policy of the one before


@dataclass
class TrainSettings:
    """The settings of ``qas-train``."""

    env: EnvSettings = field(default_factory=EnvSettings)
    agent: dict[str, Any] = MISSING
    optimizer: dict[str, Any] = MISSING
    noise: dict[str, Any] = MISSING
    training: TrainingSettings = field(default_factory=TrainingSettings)
    rounds: list[Any] = field(default_factory=list)  # overrides of each round; empty for a single training
    extraction: ExtractionSettings = field(default_factory=ExtractionSettings)
    checkpoint: CheckpointSettings = field(default_factory=CheckpointSettings)
    loggers: list[Any] = field(default_factory=lambda: ["tensorboard"])  # names, import strings, or mappings
    policy: str | None = None  # folder of a run whose last policy is the initial one
    resume: str | None = None  # folder of a run to continue, which keeps its settings except limits
    run: str | None = None  # folder; by default runs/<id>-<agent>-seed<seed>-<time>
    contents: dict[str, str] = field(default_factory=dict)  # SHA-256 of files that settings name, filled in by commands

    def __post_init__(self) -> None:
        self.agent = named_agent(self.agent)
        self.optimizer, self.noise = named(self.optimizer), named(self.noise)


@dataclass
class SuiteSettings:
    """The instances of a benchmark, with common budgets and seeds."""

    name: str = MISSING
    instances: dict[str, Any] = MISSING  # overrides of qas-train's settings, by name
    seeds: int = 5
    total_timesteps: int = 1_000_000
    max_evaluations: int = 500_000
    max_seconds: float = 120.0


@dataclass
class CallSettings:
    """An agent on some suites: a call of ``qas-benchmark`` for each."""

    suites: list[str] = MISSING
    overrides: list[str] = field(default_factory=list)  # agent=... and changes of its settings or the suite's
    label: str | None = None
    instances: list[str] | None = None  # with these, all seeds are played; by default all instances


@dataclass
class CampaignTraining:
    """A run of ``qas-train`` for each seed; ``{seed}`` in its texts is replaced.

    With ``for_each`` it is a run for each seed and each combination of values. By name and value, ``for_each`` has the
    overrides that come after those of all. A name in braces is replaced by the value.
    """

    run: str = MISSING  # folder inside the campaign's
    overrides: list[str] = field(default_factory=list)
    for_each: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    plays: CallSettings | None = None  # a call whose agent has this run as agent.run


@dataclass
class CampaignSettings:
    """Which agents play which suites, and what is trained for it."""

    folder: str = MISSING  # of runs, and of the file records.sqlite
    seeds: int = 5
    first_seed: int = 0  # those before it are left out, e.g. because their results are committed
    fewer_seeds: dict[str, Any] = field(default_factory=dict)  # by suite and instance: slow ones, played last
    known: list[str] = field(default_factory=list)  # patterns of files with records that are not played again
    common: list[str] = field(default_factory=list)  # overrides of all trainings, before their own
    trainings: list[CampaignTraining] = field(default_factory=list)
    calls: list[CallSettings] = field(default_factory=list)


@dataclass
class BenchmarkSettings:
    """The settings of ``qas-benchmark``."""

    suite: SuiteSettings = field(default_factory=SuiteSettings)
    agent: dict[str, Any] = MISSING
    optimizer: dict[str, Any] = MISSING
    label: str | None = None  # name of the agent in tables; by default the name of its option
    instances: list[str] | None = None  # a subset of the suite's; by default all
    seeds: list[int] | None = None  # by default 0, 1, ... of the suite; only 0 if all seeds give the same run
    workers: int = 1  # number of cells played at the same time
    folder: str = "runs/benchmark"
    records: str = "runs/benchmark/records.sqlite"
    merge: str | None = None  # a file of records to add first
    campaign: CampaignSettings | None = None  # many calls; it has its own folder and records
    dry_run: bool = False  # list the missing cells, and play nothing

    def __post_init__(self) -> None:
        self.agent, self.optimizer = named_agent(self.agent), named(self.optimizer)


@dataclass
class StudySettings:
    """A study of ``qas-tune``: the objective, the sampler and the pruner."""

    study: str = ""  # its name; the same name continues the study
    trials: int = 30
    seeds: int = 1  # seeds of each trial
    objective: str = "error"
    sampler: str = "tpe"
    sampler_seed: int = 0
    pruner: str = "median"
    reports: int = 10  # intermediate values per training, after each of which it may be pruned
    folder: str = "runs/tune"
    storage: str | None = None  # a database URL; by default a journal in the study's folder


STUDY_CHOICES: Final = {
    "objective": ("error", "two_qubit_gates", "evaluations"),
    "sampler": ("tpe", "random"),
    "pruner": ("none", "median", "successive_halving"),
}
"""Names that settings of a study may have; :mod:`qas_experiments.tuning` has what they stand for."""


@dataclass
class TuneSettings:
    """The settings of ``qas-tune`` besides the overrides of ``qas-train``."""

    tune: StudySettings = field(default_factory=StudySettings)


def register_schemas() -> None:
    """Register the schemas with Hydra, and the options that have no file."""
    from hydra.core.config_store import ConfigStore

    register_options()
    store = ConfigStore.instance()
    if "tune_schema.yaml" in store.repo:
        return  # the others are there too, and making them takes a sixth of a composition
    store.store(name="train_schema", node=TrainSettings)
    store.store(name="benchmark_schema", node=BenchmarkSettings)
    store.store(group="suite", name="schema", node=SuiteSettings)
    store.store(group="campaign", name="schema", node=CampaignSettings)
    store.store(group="env", name="schema", node=EnvSettings)
    store.store(group="training", name="schema", node=TrainingSettings)
    store.store(name="tune_schema", node=TuneSettings)
