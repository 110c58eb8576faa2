"""Pages of the docs that describe agents and instances."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from qas_experiments.benchmarking.records import Record

AGENT_PAGES: Final = {
    "annealing": "agents/annealing",
    "annealing_blocks": "agents/blocks",
    "beam": "agents/beam",
    "beam_blocks": "agents/blocks",
    "dqn": "agents/dqn",
    "dqn_crlqas": "papers/crlqas",
    "dqn_grl": "papers/grl",
    "dqn_guided": "agents/dqn_guided",
    "evolution": "agents/evolution",
    "frozen": "agents/frozen",
    "graph": "agents/graph",
    "greedy": "agents/greedy",
    "greedy_blocks": "agents/blocks",
    "hea": "agents/hea",
    "hea_blocks": "agents/blocks",
    "kanqas": "papers/kanqas",
    "latent": "agents/latent",
    "ppr_dqn": "noise/drift",
    "random": "agents/random",
    "random_blocks": "agents/blocks",
    "sb3": "agents/sb3",
}
"""Pages by the beginning of an agent's name; the longest one that fits counts."""

_MOLECULES, _SPINS, _STATES = "environments/molecules", "environments/spin_models", "environments/states"
INSTANCE_PAGES: Final = {
    **dict.fromkeys(
        ("H2", "LiH", "BeH2", "H2O", "CH2", "H4", "H4Rectangle", "H6", "N2", "StretchedH2O", "BentH2O"), _MOLECULES
    ),
    "Molecule": _MOLECULES,
    **dict.fromkeys(("TFIM", "Heisenberg", "J1J2", "Hubbard", "IsingGraph", "XXZChain"), _SPINS),
    **dict.fromkeys(("Bell", "GHZ", "W", "RandomState", "Distribution", "State"), _STATES),
    "Clifford": "environments/clifford",
    **dict.fromkeys(("Unitary", "Diagonalization", "Classifier"), "environments/unitaries"),
    **dict.fromkeys(("MaxCut", "IndependentSet", "QUBO"), "environments/combinatorial"),
    **dict.fromkeys(("GroundState", "ExcitedState", "Problem"), "environments/own"),
}
"""Pages by the problem in an environment's id."""


def agent_page(name: str) -> str | None:
    """Return the page of an agent by its name in tables; None if the docs have none.

    Examples:
        >>> agent_page("annealing_blocks, 100 k"), agent_page("my_module:Mine")
        ('agents/blocks', None)
    """
    word = name.split(",")[0].split(" ")[0]
    fitting = [start for start in AGENT_PAGES if word == start or word.startswith(f"{start}_")]
    return AGENT_PAGES[max(fitting, key=len)] if fitting else None


def instance_page(record: Record) -> str | None:
    """Return the page of a record's instance; None if the docs have none."""
    name = str(record.settings["env"].get("id", "")).removeprefix("QAS-").rsplit("-v", 1)[0]
    return INSTANCE_PAGES.get(name)


def address_of(docs: str | None, out: Path) -> str | None:
    """Return the beginning of the addresses of docs pages.

    Args:
        docs: Folder of the built docs (``make site``), or their address in the web. By default the folder
            ``build/site`` of the repository, if this library is used from there and the docs were built.
        out: Folder of the page that links to them.

    Returns:
        The beginning, which ends with a slash; None if there are no docs to link to.

    Raises:
        ValueError: ``docs`` is neither an address nor a folder of built docs.
    """
    if docs is not None and docs.startswith(("https://", "http://")):
        return docs.rstrip("/") + "/"
    folder = Path(__file__).parents[4] / "build" / "site" if docs is None else Path(docs)
    if not (folder / "agents.html").is_file():
        if docs is None:
            return None
        raise ValueError(
            f"Argument `docs` must be an address or a folder of built docs (`make site`), but is {docs!r}."
        )
    try:
        return Path(os.path.relpath(folder.resolve(), out.resolve())).as_posix() + "/"
    except ValueError:  # on another drive
        return folder.resolve().as_uri() + "/"
