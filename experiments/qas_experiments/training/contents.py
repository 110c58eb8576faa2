"""Hashes of the files that settings name, so that a changed file under the same name counts as another setting."""

from __future__ import annotations

import dataclasses
import hashlib
import inspect
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from qas_envs.imports import imported, is_import_string
from qas_envs.rules import RULES
from qas_experiments.agents import entry_of, policy_path
from qas_experiments.benchmarking.records import settings_hash
from qas_experiments.runs.files import settings_of
from qas_experiments.settings import EnvSettings, TrainSettings
from qas_simulators.errors import must


def with_contents(settings: TrainSettings) -> TrainSettings:
    """Return settings with the SHA-256 of every file that they name.

    The field ``contents`` has an entry for each of these settings that is given: ``agent.run`` (the policy that is
    played) and ``agent.training`` (the settings that it was trained with, without the seed), ``agent.policy`` and
    ``agent.file`` (a file that is played), ``agent.source`` (the source file of an agent from another package),
    ``env.reward.source`` and the like (the module of a rule from another package), ``policy`` (the initial policy
    of the training), ``env.gadgets``, and files in ``env.problem``.

    Raises:
        ValueError: The run has no such policy, the agent cannot be imported, or a file differs from the hash that the
            settings already hold.
    """
    now = dict(_contents(settings))
    for name, digest in settings.contents.items():
        if now.get(name) != digest:
            requirement = f"have the same content as when the run started (SHA-256 {digest[:12]}...)"
            raise ValueError(must(name, requirement, f"{now.get(name, 'nothing')[:12]}..."))
    return dataclasses.replace(settings, contents=now)


def _contents(settings: TrainSettings) -> Iterator[tuple[str, str]]:
    agent = settings.agent
    entry = entry_of(agent)
    if entry.run is not None:
        yield "agent.run", _digest(policy_path(entry.run, agent.get("policy", "last")))
        yield "agent.training", settings_hash(dataclasses.asdict(settings_of(entry.run)), with_seed=False)
    if entry.file is not None:
        yield "agent.file" if "file" in agent else "agent.policy", _digest(entry.file())
    if entry.imported is not None and (source := _source(entry.imported())) is not None:
        yield "agent.source", _digest(source)
    yield from _imported_files(settings)
    if settings.policy is not None:
        yield "policy", _digest(policy_path(Path(settings.policy), "last"))
    named = {"env.gadgets": settings.env.gadgets}
    named |= {f"env.problem.{name}": value for name, value in settings.env.problem.items()}
    for name, value in named.items():
        if isinstance(value, str) and _is_file(value):
            yield name, _digest(Path(value))


def _imported_files(settings: TrainSettings) -> Iterator[tuple[str, str]]:
    """Yield a name and a hash for the module of every rule, and of the problem, that is an import string."""
    rules = {f"env.{name}": getattr(settings.env, name) for name in EnvSettings.__dataclass_fields__ if name in RULES}
    rules |= {"optimizer": settings.optimizer, "noise": settings.noise, "problem": settings.env.problem.get("problem")}
    for name, value in rules.items():
        target = value.get("name") if isinstance(value, Mapping) else value
        if isinstance(target, str) and is_import_string(target) and not _is_file(target):
            imported(name, target)
            path = getattr(sys.modules[target.partition(":")[0]], "__file__", None)
            if path is not None:
                yield f"{name}.source", _digest(Path(path))


def _source(kind: type[Any]) -> Path | None:
    """Return the file that defines a class, if it is written in Python."""
    try:
        found = inspect.getsourcefile(kind)
    except TypeError:
        return None
    return None if found is None else Path(found)


def _is_file(name: str) -> bool:
    try:
        return Path(name).is_file()
    except (OSError, ValueError):  # the text is no valid path, for instance a molecule's geometry that is too long
        return False


def _digest(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise ValueError(must("file", f"be readable ({error.strerror})", str(path))) from None
