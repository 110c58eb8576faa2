"""The summary of the page of ``qas-report``, its commands, and its links to the docs."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from qas_agents.registry import AGENTS
from qas_envs.registration import ENVIRONMENTS
from qas_experiments.benchmarking.published import Published
from qas_experiments.benchmarking.records import Record
from qas_experiments.benchmarking.site.links import AGENT_PAGES, INSTANCE_PAGES, address_of, agent_page, instance_page
from qas_experiments.benchmarking.site.rows import common_command
from qas_experiments.benchmarking.site.summary import headlines, labels_of, summary_of
from tests.experiments.conftest import changed, conf

DOCS = Path(__file__).parents[3] / "docs"


def test_instances_of_one_name_are_told_apart(record: Record) -> None:
    """By the exact energy, gates and couplings; seeds, agents and suites make no difference."""
    other = {**record.figures, "ground_energy": record.figures["ground_energy"] - 1}
    line = {**record.settings, "env": {**record.settings["env"], "couplings": "line"}}
    same = [record, dataclasses.replace(record, suite="hard", agent="x")]
    assert {*labels_of(same).values()} == {"H2-4"}
    shifted = dataclasses.replace(record, suite="shifted", figures=other)
    coupled = dataclasses.replace(record, suite="coupled", settings=line)
    assert labels_of([*same, shifted, coupled]) == {
        ("quick", "H2-4"): "H2-4 (quick, hard)",
        ("hard", "H2-4"): "H2-4 (quick, hard)",
        ("shifted", "H2-4"): "H2-4 (shifted)",
        ("coupled", "H2-4"): "H2-4 (coupled)",
    }


def test_the_fewest_cnots_and_what_they_stand_beside(record: Record) -> None:
    """Of circuits below the accuracy only, whichever circuit of a record it is."""
    base = {**record.circuits["best"], "energy_error": 1e-4, "two_qubit_gates": 7}
    mine = dataclasses.replace(record, circuits={"best": base, "front 0": {**base, "two_qubit_gates": 5}})
    close = {**base, "two_qubit_gates": 2, "energy_error": 1.6e-3}
    other = dataclasses.replace(
        mine, agent="other", circuits={"best": {**base, "two_qubit_gates": 5}, "front 0": close}
    )
    none = changed(dataclasses.replace(record, agent="none", circuits={"best": close}), "best")
    reference = {"floors": [[0, 1.0], [3, 2e-3], [4, 1e-3]], "block_floors": [[0, 1.0], [4, 0.1]], "adapt": [[9, 1e-5]]}
    papers = [
        Published("H2-4", "prefixed", "there", 1e-4, 1, caveat="a prefix is not counted", is_partial=True),
        Published("H2-4", "long", "there", 1e-4, 12),
        Published("H2-4", "wrong", "there", 1e-2, 0),
    ]
    counts = {mine.hash: {name: {"transpiled": {"two_qubit_gates": k}} for name, k in (("best", 4), ("front 0", 5))}}
    row = summary_of("H2-4", [mine, other, none], counts, reference, papers)
    assert (row["cnot"], row["transpiled"], row["finders"]) == (5, 4, ["other", "annealing"][::-1])
    assert (row["agents"], row["solved_by"], row["qubits"]) == (3, 2, 4)
    assert (row["floors"], row["block_floors"], row["block_floors_end"], row["adapt"]) == (4, None, 4, 9)
    assert (row["published"], row["paper"]) == (12, "long, there"), "a figure of all CNOTs comes first"
    partial = summary_of("H2-4", [mine], counts, reference, papers[:1])
    assert (partial["published"], partial["partial"], partial["caveat"]) == (None, 1, "a prefix is not counted")
    told = headlines([row], {"H2-4": [mine, other, none]})
    assert told[0].startswith("1 of 1 instances") and told[2].endswith("1 of them; 0 best circuits reach it.")
    empty = summary_of("H2-4", [none], {}, None, [])
    assert empty["cnot"] is None and empty["floors"] is None and empty["published"] is None


def test_a_command_plays_all_seeds(record: Record) -> None:
    seeds = [dataclasses.replace(record, seed=k, command=record.command.replace("[0]", f"[{k}]")) for k in (2, 0, 1)]
    assert common_command(seeds) == record.command.replace("'seeds=[0]'", "'seeds=[0,1,2]'") != record.command
    other = dataclasses.replace(record, seed=3, command=record.command.replace("[0]", "[3] env.max_gates=9"))
    assert common_command([*seeds, other]).count("\n") == 1


def test_every_agent_and_instance_has_a_page(record: Record) -> None:
    for page in {*AGENT_PAGES.values(), *INSTANCE_PAGES.values()}:
        assert (DOCS / f"{page}.md").is_file()
    no_agents = {"external"}  # another package's
    for name in ({*conf("agent")} - no_agents) | {*AGENTS}:
        assert agent_page(name) is not None, name
    assert agent_page("dqn_guided, short search") == "agents/dqn_guided" != agent_page("dqn")
    assert agent_page("hea_blocks (a1b2c3)") == "agents/blocks" and agent_page("heap") is None
    for name in ENVIRONMENTS:
        env = {**record.settings["env"], "id": name}
        assert instance_page(dataclasses.replace(record, settings={**record.settings, "env": env})), name


def test_where_the_docs_are(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "agents.html").touch()
    assert address_of("https://example.org/qas/", tmp_path) == "https://example.org/qas/"
    assert address_of(str(tmp_path / "docs"), tmp_path / "new" / "site") == "../../docs/"
    with pytest.raises(ValueError, match="`docs` must be an address or a folder of built docs"):
        address_of(str(tmp_path), tmp_path)
