"""Transfer of a trained policy to another environment, as the initial policy of a training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from qas_envs import CircuitBuildingEnv
from qas_envs.catalogue import ActionCatalogue
from qas_envs.encodings import TensorEncoder
from qas_experiments.building import Plan
from qas_experiments.runs.files import settings_of
from qas_simulators.errors import must

if TYPE_CHECKING:
    from qas_agents import Growth


def growth_between(old: CircuitBuildingEnv, new: CircuitBuildingEnv) -> Growth:
    """Return which actions and tensor entries of two environments correspond to each other.

    Actions correspond if they append the same gates.

    Raises:
        ValueError: An encoding is not the tensor encoding.
    """
    from qas_agents import Growth  # imports PyTorch

    encoders = old.encoder, new.encoder
    if not all(isinstance(encoder, TensorEncoder) for encoder in encoders):
        kinds = [type(encoder).__name__ for encoder in encoders]
        raise ValueError(must("encoding", "be 'tensor' in both environments to transfer a policy", kinds))
    before, after = ({name: k for k, name in enumerate(encoder.names())} for encoder in encoders)  # type: ignore[attr-defined]
    actions = {name: k for k, name in enumerate(_definitions(old.catalogue))}
    sources: list[int | None] = [actions.get(name) for name in _definitions(new.catalogue)]
    if new.catalogue.stop is not None:
        sources.append(old.catalogue.stop)
    return Growth(tuple(sources), tuple(before.get(name) for name in after))


def _definitions(catalogue: ActionCatalogue) -> list[tuple[Any, ...]]:
    """Return the operations of every action; gadget names are not compared, because they do not identify a gadget."""
    return [
        (number, *(catalogue.operations[part] for part in parts))
        for number, parts in zip(catalogue.num_angles, catalogue.parts, strict=True)
    ]


def begin_with(agent: Any, env: CircuitBuildingEnv, run: Path) -> None:
    """Initialise an agent with the last policy of a finished run.

    Raises:
        ValueError: There is no such run, or the agents or environments do not match.
    """
    plan = Plan.of(settings_of(run))
    entry = plan.entry
    if entry.inherit is None or entry.load is None:
        raise ValueError(must("policy", "be of an agent that can grow", plan.settings.agent["name"]))
    before = plan.make_environment()
    parent = entry.load(run / "policy_last.safetensors", before)
    if type(parent) is not type(agent):
        kinds = [type(one).__name__ for one in (parent, agent)]
        raise ValueError(must("policy", "be of an agent of the same class", kinds))
    entry.inherit(agent, parent, growth_between(before, env))
