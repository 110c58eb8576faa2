"""Sentences of the README and the docs whose figures come from the committed results; a test compares them.

``claims()`` returns, for each page, the sentences with the figures that the results give now. A sentence that is not in
its page is stale: ``python docs/figures.py`` prints those.
"""

from __future__ import annotations

import json
import lzma
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "experiments" / "results"
Row = dict[str, str]


@cache
def tables(page: str) -> dict[tuple[str, ...], dict[str, Row]]:
    """Return the rows of a page of results: by its headings below the title, by first cell, by column.

    The second of two columns with one name is ``"<name> 2"``. Signs of footnotes are left out.
    """
    found: dict[tuple[str, ...], dict[str, Row]] = {}
    headings: dict[int, str] = {}
    columns: list[str] = []
    for line in (RESULTS / page).read_text(encoding="utf-8").splitlines():
        if heading := re.match(r"(##+) (.*)", line):
            headings = {level: text for level, text in headings.items() if level < len(heading[1])}
            headings[len(heading[1])] = heading[2]
        if not line.startswith("|"):
            columns = []
            continue
        cells = [re.sub(r"\s*†\d*", "", cell).strip() for cell in line.strip("|").split("|")]
        if not columns:
            columns = [f"{name} 2" if name in cells[:k] else name for k, name in enumerate(cells)]
        elif set("".join(cells)) - set("- "):
            found.setdefault(tuple(headings.values()), {})[cells[0]] = dict(zip(columns, cells, strict=True))
    return found


def solved(suite: str, instance: str, agent: str) -> str:
    """Return how many seeds solved an instance, such as ``"4/5"``."""
    return tables("leaderboard.md")[suite, instance][agent]["solved"].split()[0]


def frozen(suite: str, instance: str, agent: str) -> str:
    """Return how many frozen policies solved an instance."""
    return tables("leaderboard.md")[suite, instance][agent]["frozen: solved"]


def evaluations(suite: str, instance: str, agent: str) -> str:
    """Return the evaluations to the first solution, an interquartile mean, with their interval."""
    return _figure(tables("leaderboard.md")[suite, instance][agent]["evaluations to solved"])


def gates(suite: str, instance: str, agent: str, column: str = "CNOT") -> str:
    """Return the two-qubit gates of the solutions with their interval; ``column="CNOT 2"``: of frozen policies."""
    return _figure(tables("leaderboard.md")[suite, instance][agent][column])


def _figure(cell: str) -> str:
    return cell.removesuffix(" (all equal)")


def mean(figure: str) -> str:
    """Return a figure without its interval or the seeds that it is of."""
    return re.split(r" [\[(]", figure)[0]


@cache
def records(suite: str) -> list[dict[str, Any]]:
    """Return the committed records of a suite."""
    with lzma.open(RESULTS / "leaderboard" / f"{suite}.jsonl.xz", "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def printed(benchmark: str, pattern: str) -> str:
    """Return what a pattern's group matches in the output of a benchmark of ``performance.json``."""
    stored = json.loads((RESULTS / "performance.json").read_text(encoding="utf-8"))
    found = re.search(pattern, stored[benchmark]["output"])
    assert found is not None, (benchmark, pattern)
    return found[1]


def listed(names: Sequence[str]) -> str:
    """Return names as an English list."""
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def lowest_error(instance: str, *suites: str) -> tuple[float, str]:
    """Return the lowest error of an instance in any record of agents that choose gates, and whose it is."""
    return min(
        (circuit["energy_error"], record["agent"])
        for suite in suites
        for record in records(suite)
        if record["instance"] == instance and "blocks" not in record["agent"]
        for circuit in record["circuits"].values()
    )


def seconds(agent: str, instances: str) -> str:
    """Return the shortest and the longest time of an agent's records of ``crlqas`` whose instance begins so."""
    taken = [
        round(record["figures"]["seconds"])
        for record in records("crlqas")
        if record["agent"] == agent and record["instance"].startswith(instances)
    ]
    return f"{min(taken)} to {max(taken)} s"


def finders(instance: str, two_qubit_gates: int) -> list[str]:
    """Return the agents whose records hold a solution of an instance with this number of two-qubit gates."""
    return sorted(
        {
            record["agent"]
            for suite in ("crlqas", "tensorrl", "hard")
            for record in records(suite)
            if record["instance"] == instance
            for circuit in record["circuits"].values()
            if circuit["two_qubit_gates"] == two_qubit_gates and circuit["energy_error"] < record["figures"]["accuracy"]
        }
    )


# -- sentences ---------------------------------------------------------------------------------------------------------


def readme() -> list[str]:
    """Return the sentences of the README."""
    steps = printed("steps", r"environment step: ([\d,]+)")
    cobyla = float(printed("steps", r"SciPy on Qulacs .*?([\d,.]+) x").replace(",", ""))
    ours, theirs = (float(printed("steps", rf"{name}.* energy (-[\d.]+)")) for name in (r"\(ours\)", "Qulacs"))
    energy, _, aer, _, qulacs = noisy_energies(4)
    ten = tables("lih_3.4_ten_seeds.md")[()]
    ours_found, random_found = ten["found in training"], ten["random legal policy"]
    return [
        f"takes {1e6 / float(steps.replace(',', '')):.0f} µs on one core ({steps} steps/s;",
        f"needs {cobyla:,.0f} times as long for the same optimisations",
        f"(mean {theirs:.3f} against {ours:.3f} Ha)".replace("-", "−"),
        f"takes {energy:.1f} µs; Qiskit Aer's density matrix at its best takes {aer:.0f} times as long, Qulacs' "
        f"{qulacs:,.0f} times",
        f"| found in training | {ours_found['solved']} | {ours_found['CNOT']} |",
        f"| random legal policy, equal evaluations | {random_found['solved']} | {random_found['CNOT']} |",
    ]


def noisy_energies(num_qubits: int) -> list[float]:
    """Return µs of a noisy energy in a batch and in a call, then how many times as long Aer (twice), Qulacs take."""
    return [float(cell) for cell in printed("simulators", rf"depolarizing\n(?:.*\n)+? +{num_qubits} +(.*)").split()[:5]]


def noiseless_ratios(column: int) -> list[str]:
    """Return how many times as long a library's energy and gradient take, at 4, 8 and 12 qubits."""
    rows = [printed("simulators", rf"noiseless\n(?:.*\n)+? +{number} +(.*)").split() for number in (4, 8, 12)]
    return [f"{float(row[column]):.0f}" for row in rows]


def performance() -> dict[str, list[str]]:
    """Return the sentences about speed, by page."""
    planted = printed("extraction", r"motifs found .*, ([\d.]+) s a set")
    small = printed("extraction", r"6 random circuits of 10 gates: ([\d.]+) s")
    large = printed("extraction", r"200 random circuits of 40 gates: ([\d.]+) s")
    page = float(printed("report", r"open (\d+) ms")) / 1000
    large_energy, _, large_memory = printed("simulators", r"large\n(?:.*\n)+? +12 +(.*)").split()[:3]
    found = printed("extraction", r"motifs found (\d+)")
    return {
        "docs/gadgets.md": [
            f"({found} of 40; {float(planted):.2f} s a set)",
            f"six random circuits of 10 gates take {float(small):.2f} s",
            f"200 of 40 gates {float(large):.1f} s",
        ],
        "docs/benchmarks.md": [f"10,000 records open in {page:.2f} s"],
        "experiments/README.md": [f"the page of 10,000 records opens in {page:.2f} s"],
        "docs/faq.md": [f"({float(large_energy):.0f} ms an energy, {float(large_memory):.0f} MB)"],
        "docs/simulators.md": [
            "`lightning.qubit` adjoint takes {} times as long at 4 qubits, {} at 8 and {} at 12".format(
                *noiseless_ratios(1)
            ),
            "Qulacs' backprop {}, {} and {}".format(*noiseless_ratios(2)),
        ],
    }


def leaderboard() -> list[str]:
    """Return the sentences and the rows of ``docs/benchmarks.md`` about single instances."""
    cheap, short, guided = "annealing, cheap gates", "dqn_guided, short search", "dqn_guided, cheap gates"
    lih6, lih = ("crlqas", "LiH-6 2.2 Å"), {length: ("crlqas", f"LiH-4 {length} Å") for length in ("1.2", "2.2", "3.4")}
    tfim, heisenberg = ("tensorrl", "TFIM-6"), ("tensorrl", "Heisenberg-5")
    water = ("hard", "stretched H2O")
    ten = listed([f"`{each}`" for each in finders("Heisenberg-5", 10)])
    error, agent = lowest_error("LiH-6 3.4 Å", "hard")
    of_frozen = {"H2-4": ("crlqas", "H2-4"), **{f"LiH-4, {length} Å": place for length, place in lih.items()}}
    return [
        f"| LiH-6, 2.2 Å | {solved(*lih6, 'annealing')}, {mean(evaluations(*lih6, 'annealing'))} evaluations "
        f"| {solved(*lih6, cheap)}, {evaluations(*lih6, cheap)} evaluations |",
        f"| TFIM-6 | {solved(*tfim, 'annealing')} | {solved(*tfim, cheap)} |",
        f"| stretched H2O | {solved(*water, 'annealing')} | {solved(*water, cheap)} |",
        f"| TFIM-4, native gates | {solved('grl', 'TFIM-4', 'annealing')} | {solved('grl', 'TFIM-4', cheap)} |",
        f"The lowest error is {error:.1e}, found by `{agent}`;".replace("e-0", "e-"),
        f"solves LiH-6 in {solved(*lih6, guided)} seeds and TFIM-6 in {solved(*tfim, guided)}",
        f"Its frozen policy solves LiH-4 in {sum(int(frozen(*each, guided)[0]) for each in lih.values())} of 15 runs",
        f"within a million evaluations, {seconds(short, 'LiH-4')} on LiH-4 and {seconds(short, 'H2-4')} on H2-4",
        *(
            f"| {name} | {frozen(*place, short)} | {gates(*place, short, 'CNOT 2')} |"
            for name, place in of_frozen.items()
        ),
        f"LiH-6 is solved in {solved(*lih6, short)} seeds against {solved(*lih6, 'dqn_guided')}",
        *(
            f"| {name} | {solved(*tfim, agent)} | {gates(*tfim, agent)} | {mean(evaluations(*tfim, agent))} "
            f"| {solved(*heisenberg, agent)} | {gates(*heisenberg, agent)} | {mean(evaluations(*heisenberg, agent))} |"
            for name, agent in (("`hea`", "hea"), ("`annealing_cheap`", cheap))
        ),
        f"| `annealing` | {solved(*tfim, 'annealing')} | | | {solved(*heisenberg, 'annealing')} "
        f"| {gates(*heisenberg, 'annealing')} | {mean(evaluations(*heisenberg, 'annealing'))} |",
        f"and LiH-6 in {solved(*lih6, 'random')} with {mean(gates(*lih6, 'random'))} CNOTs",
        f"Heisenberg-5's exact circuits with ten CNOTs are in records of {ten}",
    ]


def studies() -> list[str]:
    """Return the rows of ``docs/benchmarks.md`` about families, the ablation, noise and the papers' rules."""
    lengths = [("families", f"LiH-4 {length} Å") for length in ("1.4", "1.8", "2.4", "2.8", "3.6")]
    of_frozen = [
        record["figures"]["evaluations"]
        for record in records("families")
        if record["agent"] == "frozen" and record["instance"].startswith("LiH-4")
    ]

    def firsts(agent: str) -> str:
        return " | ".join(solved(*each, agent)[0] for each in lengths)

    def of_blocks(agent: str) -> str:
        found = [float(mean(gates(*each, agent))) for each in lengths]
        low, high = f"{min(found):.3g}", f"{max(found):.3g}"
        return low if low == high else f"{low} to {high}"

    layers = sum(int(solved(*each, "hea")[0]) for each in lengths)
    full, fixed, unmasked = (
        ("ablation", f"LiH-4{variant}") for variant in ("", " without curriculum", " without mask")
    )
    mumbai = tables("leaderboard.md")["noisy", "LiH-4 3.4 Å, Mumbai"]["annealing, 3 M"]["error without noise"]
    rules = {
        "CRLQAS | H2-2": "H2-2, crlqas",
        "CRLQAS | H2-3": "H2-3, crlqas",
        "CRLQAS | H2-4, 0.70 Å": "H2-4 0.70 Å, crlqas",
        "GRL | TFIM-2, native gates": "TFIM-2, grl",
        "GRL | TFIM-3, CX and rotations": "TFIM-3 CX, grl",
        "GRL | TFIM-4, native gates": "TFIM-4, grl",
        "TensorRL-QAS | BeH2-6, published geometry": "BeH2-6 bohr, tensorrl",
    }
    return [
        f"| frozen policy | {min(of_frozen):,} to {max(of_frozen):,} | {firsts('frozen')} |",
        f"| `annealing` | 250 | {firsts('annealing, 250')} |",
        f"| `annealing_cheap` | 250 | {firsts('annealing, cheap gates, 250')} |",
        f"| `annealing` | 3,000 | {firsts('annealing')} |",
        f"| `annealing_cheap` | 3,000 | {firsts('annealing, cheap gates')} |",
        f"| `hea`, two layers | 1,600 to 2,800 | {firsts('hea')} | 6 |",
        *(
            f"| `{agent.partition(',')[0]}` | {budget} | {firsts(agent)} | {of_blocks(agent)} |"
            for agent, budget in (("annealing_blocks, 250", "250"), ("annealing_blocks", "3,000"))
        ),
        *(f"| `{agent}` | 3,000 | {firsts(agent)} | {of_blocks(agent)} |" for agent in ("hea_blocks", "random_blocks")),
        f"solve {layers} of 25",
        f"| all rules | {gates(*full, 'dqn')} | {evaluations(*full, 'dqn')} |",
        f"| without the mask | {gates(*unmasked, 'dqn')} |",
        f"| without the moving threshold | {gates(*fixed, 'dqn')} | {evaluations(*fixed, 'dqn')} |",
        f"the best circuit tried has {mumbai}".replace("e-0", "e-"),
        *(
            f"| {name} | {gates('presets', place, 'dqn')} | {gates('presets', place, 'random')} "
            f"| {frozen('presets', place, 'dqn')} |"
            for name, place in rules.items()
        ),
    ]


def annealing() -> list[str]:
    """Return the rows of the table of ``docs/agents/annealing.md``."""
    rows = {
        "LiH-4, 3.4 Å": ("crlqas", "LiH-4 3.4 Å"),
        "LiH-6, 2.2 Å": ("crlqas", "LiH-6 2.2 Å"),
        "H2O-8": ("tensorrl", "H2O-8"),
        "Heisenberg-5": ("tensorrl", "Heisenberg-5"),
    }
    texts = []
    for name, place in rows.items():
        both = [
            f"{solved(*place, agent)}, {mean(evaluations(*place, agent))}, {gates(*place, agent)} CNOT"
            for agent in ("annealing", "annealing, cheap gates")
        ]
        texts.append(f"| {name} | {both[0]} | {both[1]} |")
    return texts


def learning() -> list[str]:
    """Return the sentences of ``docs/agents/dqn_guided.md``, from ``learning.md`` and the leaderboard."""
    first = tables("learning.md")
    texts = []
    for length in ("3.4", "2.2", "1.2"):
        rows = first[(f"LiH, {length} Å, 4 qubits",)]
        to_three = rows["3"]
        texts.append(mean(to_three["sb3_maskable_ppo"]))
        texts.append(mean(to_three["dqn_guided"]))
    lih6 = first[("LiH, 2.2 Å, 6 qubits",)]
    texts.append(f"{lih6['dqn_guided']['fewest CNOT']} in {lih6['dqn_guided']['solved']}")
    texts.append(f"{lih6['annealing']['fewest CNOT']} in {lih6['annealing']['solved']}")
    place, agent = ("crlqas", "LiH-6 2.2 Å"), "dqn_guided, cheap gates"
    texts.append(
        f"(LiH-6 in {solved(*place, agent)} seeds, {gates(*place, agent)} CNOTs, first after "
        f"{evaluations(*place, agent)} evaluations;"
    )
    return texts


def gadgets() -> list[str]:
    """Return the sentences of ``docs/gadgets.md``, from ``gadgets.md``."""
    chain = "The critical Ising chain, IBM's native gates"
    spins = {n: tables("gadgets.md")[chain, f"{n} spins"] for n in (3, 4, 5)}
    targets = tables("gadgets.md")[("Targets in CNOT",)]["TFIM-6 below 1e-6"]  # its last row: the loop
    seconds_needed = float(mean(targets["s to ADAPT's CX"]))
    names = {
        "gates": "no gadgets",
        "gates and a redundant CZ": "redundant CZ",
        "gates and random gadgets of equal size": "random gadgets of equal size",
        "gates and gadgets learned on fewer spins": "gadgets learned on fewer spins",
        "the same by a short loop": "the same by a short loop",
    }

    def solved_with(row: Row) -> str:
        used = _figure(row["CZ"]).replace("-", "")
        return f"{row['solved']} | {used} |" if used else f"{row['solved']} | |"

    return [
        *(
            f"| {name} | {spins[3][row]['solved']} | {solved_with(spins[4][row])} {solved_with(spins[5][row])} "
            for name, row in names.items()
        ),
        f"| the loop | below 1e-6 | {targets['fewest CNOT']} | {targets['solved']} |",
        f"after {seconds_needed:.0f} s of training",
    ]


def kanqas() -> list[str]:
    """Return the rows of the table of ``docs/papers/kanqas.md`` and its sentence on the KAN's start."""
    texts = []
    for (title,), rows in tables("kanqas.md").items():
        last = rows["successful among the last 1000, %"]
        shown = [value for column, value in last.items() if not column.startswith("kan_released")]
        texts.append(f"| {title.rpartition(', ')[0]} | {' | '.join(shown[1:])} |")
        for column, value in last.items():
            if column.startswith("kan_released"):
                (refitted,) = (value for name, value in last.items() if name.startswith("kan_refit"))
                texts.append(f"in {value} % of the last 1000 episodes, with our start in {refitted} %")
    return texts


def claims() -> dict[str, list[str]]:
    """Return the sentences of each page."""
    pages = performance()
    pages["README.md"] = readme()
    pages["docs/benchmarks.md"] += [*leaderboard(), *studies()]
    pages["docs/gadgets.md"] += gadgets()
    pages["docs/papers/kanqas.md"] = kanqas()
    pages["docs/agents/annealing.md"] = annealing()
    pages["docs/agents/dqn_guided.md"] = learning()
    return pages


def stale() -> list[tuple[str, str]]:
    """Return the sentences that their page does not say, with the page."""
    texts = {page: " ".join((ROOT / page).read_text(encoding="utf-8").split()) for page in claims()}
    return [(page, claim) for page, sentences in claims().items() for claim in sentences if claim not in texts[page]]


if __name__ == "__main__":
    for page, claim in stale():
        print(f"{page}: {claim}")
