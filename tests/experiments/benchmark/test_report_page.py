"""The page of ``qas-report`` in a browser: what it shows, folds, sorts and links, at two widths and in two themes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from qas_experiments.benchmarking.published import published
from qas_experiments.benchmarking.records import Record, Records
from qas_experiments.benchmarking.shorter import shorter_counts
from qas_experiments.benchmarking.site.pages import write_site
from tests.experiments.conftest import changed

Read = Callable[..., Any]


@pytest.fixture(scope="module")
def records(played: Path) -> list[Record]:
    """Two true records, and the same by other agents and seeds; agent 1 needs one more CNOT, agent 2 solves nothing."""
    known = list(Records(played / "records.sqlite"))
    more = []
    for k in range(60):
        for record in known:
            best = record.circuits["best"]
            other = {1: {"two_qubit_gates": best["two_qubit_gates"] + 1}}.get(k % 3, {})
            circuits = {name: {**one, "energy_error": 0.5} for name, one in record.circuits.items()}
            command = record.command.replace("annealing", "random").replace("seeds=[0]", f"seeds=[{k}]")
            made = dataclasses.replace(record, circuits=circuits) if k % 3 == 2 else changed(record, "best", **other)
            more.append(dataclasses.replace(made, agent=f"agent {k % 3}", seed=k, command=command))
    return known + more


@pytest.fixture
def write(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Read]]:
    """Function that writes a page of records and opens it; it returns one that runs a script there."""

    def made(
        records: list[Record], marks: dict[str, Any] | None = None, docs: str | None = None, width: int = 1280
    ) -> Read:
        counts = {record.hash: shorter_counts(record) for record in records[:2]}
        write_site(records, tmp_path, "Title", marks or {}, counts, docs)
        window = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", window)
        browser.get((tmp_path / "index.html").as_uri())
        assert browser.execute_script("return document.body.dataset.ready") == "yes"
        return lambda script, *given: browser.execute_script(script, *given)

    yield made
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert [entry for entry in browser.get_log("browser") if entry["level"] == "SEVERE"] == []


def column(read: Read, place: str, number: int) -> list[str]:
    """Return a column of all tables in an element."""
    found: list[str] = read(
        f"return [...document.querySelectorAll('{place} tbody tr')].map((row) => row.children[{number}].textContent)"
    )
    return found


def choose(read: Read, name: str, value: str) -> None:
    script = "const one = document.getElementById(arguments[0]); one.value = arguments[1];"
    read(f"{script} one.dispatchEvent(new Event('input', {{bubbles: true}}))", name, value)


def click(read: Read, selector: str) -> None:
    read(f"document.querySelector({selector!r}).dispatchEvent(new MouseEvent('click', {{bubbles: true}}))")


def opened(browser: Any) -> str:
    """Return the text of the dialog, which loads a file."""
    found: str = browser.execute_async_script(
        "const done = arguments[0]; const look = () => document.querySelector('#detail[open] pre')"
        " ? done(document.getElementById('detail').innerText) : setTimeout(look, 5); look()"
    )
    return found


def open_records(browser: Any, read: Read) -> None:
    read("document.getElementById('all-records').open = true")
    browser.execute_async_script(
        "const done = arguments[0]; const look = () => document.querySelector('#records tbody tr') ? done()"
        " : setTimeout(look, 5); look()"
    )


def test_records_sort_and_pages_turn(browser: Any, write: Any, records: list[Record]) -> None:
    read = write(records)
    open_records(browser, read)
    assert len(column(read, "#records", 3)) == 100
    click(read, "#records th:nth-child(4)")
    seeds = [int(seed) for seed in column(read, "#records", 3)]
    assert seeds == sorted(seeds)
    click(read, "#records th:nth-child(4)")
    seeds = [int(seed) for seed in column(read, "#records", 3)]
    assert seeds == sorted(seeds, reverse=True) and seeds[0] == 59
    click(read, "#pages button:last-child")
    assert len(column(read, "#records", 3)) == 22


def test_standings_fold_by_suite(browser: Any, write: Any, records: list[Record]) -> None:
    other = [dataclasses.replace(record, suite="zzz") for record in records]
    read = write([*records, *other])
    assert read("return [...document.querySelectorAll('#board details')].map((one) => one.open)") == [True, False]
    assert len(column(read, "#board details:last-child", 0)) == 0, "filled when it is opened"
    click(read, "#board details:last-child summary")
    browser.execute_async_script(
        "const done = arguments[0]; const look = () => document.querySelectorAll('#board table').length === 6 ? done()"
        " : setTimeout(look, 5); look()"
    )  # three for each suite: two instances, and all instances together
    first = "#board details:last-child h3 + .table"
    before = column(read, first, 0)
    click(read, f"{first} th:nth-child(1)")
    assert column(read, first, 0)[:4] == sorted(before[:4])
    click(read, f"{first} th:nth-child(1)")
    assert column(read, first, 0)[:4] == sorted(before[:4], reverse=True)


def test_the_best_agents_come_first(write: Any, records: list[Record]) -> None:
    """Sorted by share solved, then CNOTs; errors below 1e-9 read "exact"; counts after simplification beside."""
    read = write([changed(record, "best", energy_error=1e-12) if k < 2 else record for k, record in enumerate(records)])
    rows = read(
        "return [...document.querySelector('#board table').rows].map((row) => [...row.cells].map((c) => c.innerText))"
    )
    assert [row[0] for row in rows[1:]][-2:] == ["agent 1", "agent 2"]
    assert rows[0][3:6] == ["CNOTs", "simplified", "by Qiskit"]
    [mine] = [row for row in rows if row[0] == "annealing"]
    assert mine[1].startswith("1/1") and mine[2] == "exact"
    shorter = shorter_counts(records[0])["best"]
    assert mine[3].split()[0] == str(records[0].circuits["best"]["two_qubit_gates"])
    assert mine[4].split()[0] == str(shorter["simplified"]["two_qubit_gates"])
    assert mine[5].split()[0] == str(shorter["transpiled"]["two_qubit_gates"])


def test_a_command_reproduces_each_row(write: Any, records: list[Record]) -> None:
    read = write(records)
    command = read("return document.querySelector('#board td.tool button').title")
    assert command.startswith("qas-benchmark ") and "seeds=[" in command
    told = read("return data.board.find((row) => row.agent === 'agent 1').command")
    assert "'seeds=[" + ",".join(str(k) for k in range(1, 60, 3)) + "]'" in told and told.count("\n") == 0
    read("Object.defineProperty(navigator, 'clipboard', {value: undefined, configurable: true})")
    click(read, "#board td.tool button")
    assert read("return document.querySelector('#board pre.command').textContent") == command


def test_filters_confine_everything(browser: Any, write: Any, records: list[Record]) -> None:
    read = write(records)
    open_records(browser, read)
    choose(read, "instance", "TFIM-3")
    assert {*column(read, "#records", 1)} == {"TFIM-3"}
    assert read("return [...document.querySelectorAll('#board h3')].map((one) => one.textContent)") == ["TFIM-3"]
    choose(read, "agent", "agent 1")
    assert {*column(read, "#records", 2)} == {"agent 1"} and column(read, "#board", 0) == ["agent 1"]
    choose(read, "search", "seed 13")
    assert column(read, "#records", 3) == ["13"]
    choose(read, "search", "nothing")
    assert column(read, "#records", 3) == []


def test_the_summary_names_who_is_best(write: Any, records: list[Record]) -> None:
    fewest = records[0].circuits["best"]["two_qubit_gates"]
    mark = {
        "accuracy": 1e-3,
        "unit": "",
        "product": 0.3,
        "floors": [[0, 1.0], [fewest, 0.0]],
        "block_floors": [[1, 1.0]],
    }
    read = write(records, {records[0].instance: {**mark, "adapt": [[fewest + 2, 1e-5]]}})
    rows = read(
        "return [...document.querySelectorAll('#best tbody tr')].map((row) => [...row.cells].map((c) => c.innerText))"
    )
    [mine] = [row for row in rows if row[0].startswith(records[0].instance)]
    assert (
        mine[1] == mine[3] == str(fewest)
        and mine[4] == "> 1"
        and mine[5].split() == [str(fewest + 2), "2", "more", "CNOTs"]
    )
    assert "agent 2" not in mine[7] and mine[8] == "3 of 4"
    told = read("return document.getElementById('headlines').innerText")
    assert "2 of 2 instances without noise are solved" in told and "fewer CNOTs on 1 of 1 instances" in told


def test_two_agents_side_by_side(write: Any, records: list[Record]) -> None:
    read = write(records)
    choose(read, "first", "agent 0")
    choose(read, "second", "agent 1")
    told = read("return document.getElementById('verdict').textContent")
    assert (
        told.startswith("Both played 2 instances.")
        and "fewer CNOTs where both solve: 2 for agent 0, 0 for agent 1" in told
    )
    for left, right in zip(column(read, "#sides", 3), column(read, "#sides", 4), strict=True):
        assert int(right.split()[0]) == int(left.split()[0]) + 1
    assert read("return document.querySelectorAll('#sides td:nth-child(4) .wins').length") == 2
    choose(read, "second", "agent 2")
    assert column(read, "#sides", 4) == ["–", "–"]
    assert "more seeds solved: 2 for agent 0, 0 for agent 2" in read(
        "return document.getElementById('verdict').textContent"
    )


def test_labels_stay_in_their_cards_on_a_phone(write: Any, records: list[Record]) -> None:
    long = {"agent 0": "annealing_blocks_general", "agent 1": "annealing_blocks_with_redraws"}
    named = [dataclasses.replace(record, agent=long.get(record.agent, record.agent)) for record in records]
    read = write(named, width=390)
    for name, agent in zip(("first", "second"), long.values(), strict=True):
        choose(read, name, agent)
    cells = "[...document.querySelectorAll('#sides td')]"
    assert read(f"return {cells}.some((one) => one.dataset.label === 'evaluations, annealing_blocks_with_redraws')")
    assert read(f"return {cells}.filter((one) => one.scrollWidth > one.clientWidth).length") == 0


def test_a_click_on_a_mark_shows_its_circuit(browser: Any, write: Any, records: list[Record]) -> None:
    read = write(records)
    assert read("return document.querySelectorAll('#plot .mark').length") > 1
    click(read, "#plot .mark")
    shown = opened(browser)
    assert "OpenQASM 3" in shown and "q0: " in shown and "qas-benchmark " in shown
    assert any(record.hash in shown for record in records)
    read("document.getElementById('detail').close()")
    click(read, "#best button.count")
    assert "by Qiskit, level 3" in opened(browser)
    agent = read("return document.querySelector('#legend button').textContent")
    before = read("return document.querySelectorAll('#plot .mark').length")
    click(read, "#legend button")
    assert agent in {record.agent for record in records}
    assert read("return document.querySelectorAll('#plot .mark').length") < before


def test_published_figures_stand_beside_ours(write: Any, records: list[Record]) -> None:
    named = [dataclasses.replace(record, instance="BeH2-6 bohr") for record in records[:1]]
    read = write(named)
    known = [row for row in published() if row.instance == "BeH2-6 bohr"]
    read("showPublished()")
    assert sorted(column(read, "#published", 1)) == sorted(row.method for row in known)
    drawn = "return document.querySelectorAll('#plot path.paper').length"
    assert read(drawn) == sum(row.cnot is not None for row in known)
    choose(read, "against", "depth")
    assert read(drawn) == sum(row.depth is not None for row in known) > 0


def test_a_hostile_name_breaks_nothing(browser: Any, write: Any, records: list[Record]) -> None:
    named = [dataclasses.replace(records[0], agent="<!--<script>\u2028</script><b>bold")]
    read = write(named)
    open_records(browser, read)
    assert column(read, "#records", 2) == [named[0].agent]
    assert read("return document.querySelectorAll('td b').length") == 0


def test_agents_and_instances_link_to_their_pages(write: Any, records: list[Record]) -> None:
    read = write(records, docs="../docs/")
    addresses = set(read("return [...document.querySelectorAll('main a')].map((one) => one.getAttribute('href'))"))
    assert {"../docs/agents/annealing.html", "../docs/environments/molecules.html"} <= addresses
    assert "../docs/environments/spin_models.html" in addresses
    assert write(records)("return document.querySelectorAll('main a').length") == 0


@pytest.mark.parametrize("width", [1280, 390])
def test_the_page_fits_and_follows_the_theme(browser: Any, write: Any, records: list[Record], width: int) -> None:
    """With everything open, nothing is wider than the window; dark windows have a dark page."""
    papers = [dataclasses.replace(record, instance="BeH2-6 bohr") for record in records[:1]]
    brightness = []
    for scheme in ("light", "dark"):
        browser.execute_cdp_cmd(
            "Emulation.setEmulatedMedia", {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
        )
        read = write([*papers, *records], width=width)
        read("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        open_records(browser, read)
        wide = read(
            "return [...document.querySelectorAll('main *')].filter((one) => !one.closest('pre')"
            " && one.getBoundingClientRect().right > innerWidth).map((one) => one.outerHTML.slice(0, 99))"
        )
        assert wide == [] and read("return document.documentElement.scrollWidth <= innerWidth")
        click(read, "#plot .mark")
        opened(browser)
        assert read("return document.getElementById('detail').getBoundingClientRect().right <= innerWidth")
        colour = read("return getComputedStyle(document.body).backgroundColor")
        brightness.append(sum(int(part) for part in colour.removeprefix("rgb(").removesuffix(")").split(",")))
        assert browser.get_screenshot_as_png()[:4] == b"\x89PNG"
    assert brightness[0] > 700 > 100 > brightness[1]
    click(read, "#theme")
    assert read("return document.documentElement.dataset.theme") == "light"
    assert read("return getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    read("theme('system')")
