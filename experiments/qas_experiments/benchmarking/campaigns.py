"""Campaigns: agents on suites, and the policies trained for them, played by one command where no record exists."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from glob import glob
from itertools import product
from pathlib import Path
from typing import Any

import hydra
from hydra.core.global_hydra import GlobalHydra
from omegaconf import OmegaConf, flag_override

from qas_experiments.benchmarking.cells import Call, Cell, cells_of, is_known, list_missing, play_missing, wide_console
from qas_experiments.benchmarking.records import Records, settings_hash
from qas_experiments.counting import number_of
from qas_experiments.settings import BenchmarkSettings, CallSettings, CampaignSettings, CampaignTraining
from qas_simulators.errors import must

_BESIDE = ("campaign", "workers", "dry_run")
"""Settings that may be overridden beside a campaign; the others belong to its calls."""


def campaign(settings: BenchmarkSettings) -> dict[str, bool]:
    """Train and play the missing cells of a campaign, or list them.

    Returns:
        Whether it was ``interrupted``.

    Raises:
        ValueError: Overrides that do not fit, records that cannot be read, or cells that could not be played.
    """
    plan = settings.campaign
    assert plan is not None
    _check_overrides(Call.of_process().overrides)
    recorded = _Recorded(plan)
    console = wide_console()
    trainings = [cell for cell in _trainings(plan, recorded) if not recorded.has(cell)]
    if settings.dry_run:
        for cell in trainings:
            console.print(f"to train: {cell.settings.run}", highlight=False, soft_wrap=True)
    elif play_missing(trainings, recorded.records, settings.workers, console):
        return {"interrupted": True}

    cells = [*_cells_of_calls(plan), *_cells_of_policies(plan, recorded)]
    # Slow instances come last, so that most results are there early; seeds before agents, so that all are compared.
    cells.sort(key=lambda cell: (cell.instance in plan.fewer_seeds.get(cell.suite, {}), cell.seed))
    missing = [cell for cell in cells if not recorded.has(cell)]
    console.print(f"{number_of(len(cells), 'cell')}, {len(cells) - len(missing)} recorded", highlight=False)
    if settings.dry_run:
        list_missing(missing, console)
        return {"interrupted": False}
    is_interrupted = play_missing(missing, recorded.records, settings.workers, console)
    failed = [] if is_interrupted else [cell for cell in [*trainings, *missing] if not recorded.has(cell)]
    if failed:
        raise ValueError(f"{len(failed)} trainings and cells did not finish; the lines above say why.")
    return {"interrupted": is_interrupted}


class _Recorded:
    """The cells that are not played again: those in the campaign's records, and in the files that it knows."""

    def __init__(self, plan: CampaignSettings) -> None:
        self.records = Records(Path(plan.folder) / "records.sqlite")
        files = [Path(name) for pattern in plan.known for name in sorted(glob(pattern))]
        known = [record for source in [*map(Records, files), self.records] for record in source]
        self._names = {record.cell[:4] for record in known}
        self._cells = {(*record.cell[:4], _untimed_hash(record.settings)) for record in known}

    def has(self, cell: Cell) -> bool:
        """Return whether a cell is recorded, with any limit of wall time, or its training is finished."""
        if cell.is_recorded and (*cell.key[:4], _untimed_hash(dataclasses.asdict(cell.settings))) in self._cells:
            return True
        return is_known(cell, self.records)

    def has_named(self, *name: Any) -> bool:
        """Return whether suite, instance, agent and seed are recorded, with any settings."""
        return name in self._names


def _untimed_hash(settings: dict[str, Any]) -> str:
    """Return the hash of settings without the limit of wall time, which depends on the machine."""
    training = {name: value for name, value in settings["training"].items() if name != "max_seconds"}
    return settings_hash({**settings, "training": training})


def _check_overrides(overrides: Sequence[str]) -> None:
    for text in overrides:
        name = text.lstrip("+~").partition("=")[0]
        if name.partition(".")[0] not in _BESIDE:
            raise ValueError(must(name, "be left out beside a campaign, whose calls have their own", text))


def _composed(overrides: Sequence[str], config_name: str = "benchmark") -> tuple[Any, Call]:
    """Return the settings of a command with overrides, and the call."""
    is_command = GlobalHydra.instance().is_initialized()  # it has the folder of configurations already
    with nullcontext() if is_command else hydra.initialize_config_module("qas_experiments.conf", version_base="1.3"):
        config = hydra.compose(config_name, [*overrides], return_hydra_config=True)
    call = Call(tuple(config.hydra.overrides.task), str(config.hydra.runtime.choices["agent"]))
    with flag_override(config, ["struct", "readonly"], [False, False]):
        del config["hydra"]
    return OmegaConf.to_object(config), call


def _overrides_of(call: CallSettings, suite: str) -> list[str]:
    label = [] if call.label is None else [f"label='{call.label}'"]
    return [f"suite={suite}", *call.overrides, *label]


def _text_of(instances: Sequence[str]) -> str:
    return f"instances={json.dumps([*instances], ensure_ascii=False)}"


# -- calls -------------------------------------------------------------------------------------------------------------


def _cells_of_calls(plan: CampaignSettings) -> Iterator[Cell]:
    """Yield the cells of all calls, each seed of a call that its instance is played with."""
    for call in plan.calls:
        for suite in call.suites:
            chosen = [] if call.instances is None else [_text_of(call.instances)]
            settings, given = _composed([*_overrides_of(call, suite), *chosen])
            settings.folder = plan.folder
            settings.suite.seeds = plan.seeds
            fewer = plan.fewer_seeds.get(suite, {}) if call.instances is None else {}
            for cell in cells_of(settings, given):
                if plan.first_seed <= cell.seed < fewer.get(cell.instance, plan.seeds):
                    yield cell


# -- trainings and what plays their policies ---------------------------------------------------------------------------


def _trainings(plan: CampaignSettings, recorded: _Recorded) -> Iterator[Cell]:
    """Yield the trainings, except those of policies whose cells are all recorded."""
    for seed in range(plan.first_seed, plan.seeds):
        for training in _single_trainings(plan):
            if training.plays is None or _unrecorded(training.plays, seed, recorded):
                run = _run_of(plan, training, seed)
                given = [text.replace("{seed}", str(seed)) for text in (*plan.common, *training.overrides)]
                overrides = [*given, f"training.seed={seed}", "training.progress=false", f"run={run}"]
                settings, call = _composed(overrides, "train")
                yield Cell("", run.name, call.agent, seed, settings, is_recorded=False)


def _single_trainings(plan: CampaignSettings) -> Iterator[CampaignTraining]:
    """Yield one training for each combination of the values of ``for_each``.

    Raises:
        ValueError: A name or its values do not fit, or two trainings have the same run.
    """
    runs: set[str] = set()
    for training in plan.trainings:
        if training.for_each and training.plays is not None:
            raise ValueError(must("for_each", "be empty beside plays", dict(training.for_each)))
        for name, values in training.for_each.items():
            if name == "seed" or not values:
                raise ValueError(must("for_each", "have values by names other than 'seed'", {name: dict(values)}))
        for chosen in product(*(values.items() for values in training.for_each.values())):
            named = dict(zip(training.for_each, (value for value, _ in chosen), strict=True))
            overrides = [*training.overrides, *(text for _, texts in chosen for text in texts)]
            run, *overrides = (_filled(text, named) for text in (training.run, *overrides))
            if run in runs or re.search(r"\{(?!seed\})", run):
                raise ValueError(must("run", "differ between trainings, and name values of for_each alone", run))
            runs.add(run)
            yield dataclasses.replace(training, run=run, overrides=overrides, for_each={})


def _filled(text: str, values: Mapping[str, str]) -> str:
    """Return a text with names in braces replaced by their values."""
    return re.sub(r"\{(\w+)\}", lambda found: values.get(found[1], found[0]), text)


def _run_of(plan: CampaignSettings, training: CampaignTraining, seed: int) -> Path:
    return Path(plan.folder) / training.run.replace("{seed}", str(seed))


def _unrecorded(call: CallSettings, seed: int, recorded: _Recorded) -> dict[str, list[str]]:
    """Return, by suite, the instances of a call without a record of a policy that was trained with this seed.

    Records are compared by name: the same training gives another file, and so other settings, on another machine.
    """
    if call.instances is None:
        raise ValueError(must("plays.instances", "be given", None))
    label = call.label or next((text[6:] for text in call.overrides if text.startswith("agent=")), "")
    missing = {
        suite: [name for name in call.instances if not recorded.has_named(suite, name, label, seed)]
        for suite in call.suites
    }
    return {suite: names for suite, names in missing.items() if names}


def _cells_of_policies(plan: CampaignSettings, recorded: _Recorded) -> Iterator[Cell]:
    """Yield the cells without a record that play a finished training's policy."""
    for seed in range(plan.first_seed, plan.seeds):
        for training in _single_trainings(plan):
            run = _run_of(plan, training, seed)
            if training.plays is None or not (run / "summary.json").exists():
                continue
            for suite, names in _unrecorded(training.plays, seed, recorded).items():
                chosen = [f"agent.run={run}", _text_of(names), f"seeds=[{seed}]"]
                settings, given = _composed([*_overrides_of(training.plays, suite), *chosen])
                settings.folder = plan.folder
                yield from cells_of(settings, given)
