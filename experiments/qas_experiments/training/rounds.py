"""Rounds: a sequence of trainings, each with the gadgets extracted from the rounds before."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from rich.console import Console

from qas_agents.gadgets import ScoreSettings, check_limits, extract, merged, standalone, used
from qas_envs.gadget_sets import gadgets_of
from qas_experiments.agents import can_grow
from qas_experiments.runs.files import new_folder, overridden
from qas_experiments.runs.folders import RunFolder
from qas_experiments.settings import ExtractionSettings, TrainSettings
from qas_experiments.training.continuing import played
from qas_experiments.training.corpus import Corpus
from qas_simulators import Gadget, save_gadgets
from qas_simulators.errors import must

_GADGETS = "gadgets.json"
_SUMMARY = "summary.json"
_OWN = ("run", "resume", "rounds", "extraction", "policy")  # settings that a round may not override


def play_rounds(
    settings: TrainSettings, resumed: Path | None, train: Callable[[TrainSettings], dict[str, Any]]
) -> dict[str, Any]:
    """Train round after round; extract gadgets from the best circuits of each for the following rounds.

    The folder holds ``round-0``, ``round-1``, ..., each a separate run with ``gadgets.json``, the gadgets of the next
    round. Finished rounds are not played again.

    Args:
        settings: Settings of all rounds; ``rounds`` holds the overrides of each.
        resumed: Folder of interrupted rounds, if they are resumed.
        train: Function that plays one round.

    Returns:
        The summaries of the rounds, and whether the sequence was interrupted.

    Raises:
        ValueError: The overrides are invalid; nothing is written then.
    """
    _check(settings)
    planned = [_round_settings(settings, overrides) for overrides in settings.rounds]
    gadgets = gadgets_of(settings.env.gadgets)
    console = Console()
    with closing(RunFolder.reopen(resumed) if resumed is not None else new_folder(settings)) as folder:
        folder.remove_end()
        summaries: list[dict[str, Any]] = []
        for number, round_settings in enumerate(planned):
            path = folder.path / f"round-{number}"
            round_settings.env.gadgets = _given(gadgets, folder, number)
            if number and settings.extraction.carry_policy:
                round_settings.policy = str(folder.path / f"round-{number - 1}")
            round_settings.run = str(path)
            summary = played(round_settings, train)
            if summary["interrupted"]:
                break
            gadgets = _learn(gadgets, path, settings.extraction)
            names = ", ".join(gadget.name for gadget in gadgets) or "none"
            console.print(f"round {number}: gadgets of the next round: {names}", highlight=False)
            summaries.append({"gadgets": [gadget.name for gadget in gadgets], **summary})
        result = {"rounds": summaries, "interrupted": len(summaries) < len(planned)}
        folder.write_json(_SUMMARY, result)
    return result


def _check(settings: TrainSettings) -> None:
    """Raise ``ValueError`` for settings that would fail only after the first round."""
    extraction = settings.extraction
    for name in ("circuits", "gadgets"):
        if getattr(extraction, name) < (name == "circuits"):
            raise ValueError(must(f"extraction.{name}", "not be negative, and circuits at least 1", extraction))
    check_limits(extraction.rank, max_calls=extraction.max_calls, max_qubits=extraction.max_qubits)
    ScoreSettings(extraction.structure_penalty, extraction.pseudo_counts)
    names = {str((one.get("agent") or settings.agent).get("name")) for one in settings.rounds if isinstance(one, dict)}
    if extraction.carry_policy and (len(names) > 1 or not all(map(can_grow, names))):
        kinds = "be false unless all rounds have the same agent, and that agent can grow"
        raise ValueError(must("extraction.carry_policy", kinds, sorted(names)))


def _round_settings(settings: TrainSettings, overrides: Any) -> TrainSettings:
    if not isinstance(overrides, dict):
        raise ValueError(must("rounds", "be a list of mappings of overrides", overrides))
    for name in _OWN:
        if name in overrides:
            raise ValueError(must("rounds", f"not override {name!r}, which all rounds share", overrides))
    if "gadgets" in (overrides.get("env") or {}):
        raise ValueError(must("rounds", "not override 'gadgets', which come from the rounds before", overrides))
    own = dataclasses.replace(settings, contents={})  # hashes of the round's own files are added when it is played
    return overridden(own, {**overrides, "rounds": [], "resume": None}, "rounds")


def _given(gadgets: list[Gadget], folder: RunFolder, number: int) -> str | None:
    """Return the file with the gadgets of a round; None if it has none."""
    if not gadgets:
        return None
    path = folder.path / f"round-{number - 1}" / _GADGETS if number else folder.path / _GADGETS
    if not path.exists():
        save_gadgets(gadgets, path)
    return str(path)


def _learn(known: list[Gadget], path: Path, settings: ExtractionSettings) -> list[Gadget]:
    """Return the gadgets for the next round, and write them to the folder of the finished one."""
    if (path / _GADGETS).exists():
        return gadgets_of(path / _GADGETS)
    corpus = Corpus.of([path])
    gadgets = list(known)
    if corpus.circuits and settings.prune:
        gadgets = used(gadgets, corpus.circuits)
    if corpus.circuits and settings.gadgets:
        found = extract(
            corpus.circuits,
            settings.gadgets,
            known=gadgets,
            blocks=corpus.blocks,
            rank=settings.rank,
            max_calls=settings.max_calls,
            max_qubits=settings.max_qubits,
            settings=ScoreSettings(settings.structure_penalty, settings.pseudo_counts),
        )
        gadgets = merged([*gadgets, *found.gadgets])
    gadgets = standalone(gadgets)
    save_gadgets(gadgets, path / _GADGETS)
    return gadgets
