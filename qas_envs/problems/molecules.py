"""Molecular instances: data files with provenance, checked by hash when read."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, astuple
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import numpy as np

from qas_envs.problems import instances
from qas_envs.problems.chemistry import Molecule, QubitHamiltonian, molecular_hamiltonian, with_active_space
from qas_envs.problems.fermions import FEW_QUBITS
from qas_envs.problems.geometry import read_geometry
from qas_envs.problems.problem import CHEMICAL_ACCURACY, Problem
from qas_envs.problems.sectors import Sector, sector_of, warn_of_sector
from qas_simulators import PauliSum, StatevectorSimulator
from qas_simulators.errors import must, unknown_name
from qas_simulators.files import cache_root

_DEGENERATE = 1e-8  # Hartree
_RECORD_VERSION = 4  # of computed molecules; a change invalidates cached ones
_REFERENCE: Final = {"method": "full configuration interaction", "error": 1e-9}  # to which PySCF agrees in the tests
_DECIMALS = 12  # of the coefficients; more would record the rounding of one machine's linear algebra


def hash_of_terms(terms: Mapping[str, float]) -> str:
    """Return the SHA-256 of the Pauli terms, sorted by label, coefficients with all their digits."""
    return hashlib.sha256(json.dumps(dict(sorted(terms.items()))).encode()).hexdigest()


def instance_record(molecule: Molecule) -> dict[str, Any]:
    """Compute everything an instance file states; energies in Hartree (needs the ``chemistry`` extra).

    On more than 12 qubits the highest energy, the best product state, the gap and the degeneracy are left out.
    """
    result = molecular_hamiltonian(molecule)
    terms = {label: round(value, _DECIMALS) for label, value in result.hamiltonian}
    hamiltonian = PauliSum(terms)
    energies, levels = _energies(hamiltonian, result)
    record = {
        "name": molecule.name,
        "molecule": {
            "atoms": [[symbol, list(position)] for symbol, position in molecule.atoms],
            "unit": molecule.unit,
            "basis": molecule.basis if isinstance(molecule.basis, str) else dict(molecule.basis),
            "frozen_orbitals": list(molecule.frozen),
            "active_orbitals": "all" if molecule.active is None else list(molecule.active),
            "active_electrons": result.num_electrons,
            "mapping": molecule.mapping,
            "charge": molecule.charge,
            "unpaired_electrons": molecule.spin,
        },
        "num_qubits": hamiltonian.num_qubits,
        "num_terms": len(hamiltonian),
        "energies": energies,
        "best_basis_state": f"{hamiltonian.basis_energies().argmin():0{hamiltonian.num_qubits}b}",
        **levels,
        "tool_versions": result.tool_versions,
        "command": "python -m qas_envs.problems.generate",
        "sha256": hash_of_terms(terms),
        "terms": terms,
    }
    if result.core_electrons:
        record["core_electrons"] = result.core_electrons
    if molecule.sector is not None or result.sector_energy > energies["ground"] + _DEGENERATE:
        record["sector"] = {**asdict(result.sector), "is_asked_for": molecule.sector is not None}
        energies["lowest_of_its_sector"] = result.sector_energy
    if result.lowest_energy > energies["ground"] + _DEGENERATE:
        energies["lowest_with_its_electrons"] = result.lowest_energy
    return record


def _energies(hamiltonian: PauliSum, result: QubitHamiltonian) -> tuple[dict[str, float], dict[str, Any]]:
    """Return the energies that an instance file states, with the gap between the lowest ones."""
    basis = hamiltonian.basis_energies()
    known = {
        "hartree_fock": result.hartree_fock_energy,
        "empty_circuit": float(basis[0]),
        "best_basis_state": float(basis.min()),
    }
    if result.ground_energy is not None and hamiltonian.num_qubits > FEW_QUBITS:
        problem = Problem("", hamiltonian, result.ground_energy, CHEMICAL_ACCURACY, "Ha")
        return {"ground": result.ground_energy, **known, "lower_bound": problem.lower_bound}, {}
    spectrum = hamiltonian.eigenvalues(min(8, 2**hamiltonian.num_qubits))
    problem = Problem("", hamiltonian, float(spectrum[0]), CHEMICAL_ACCURACY, "Ha")
    energies = {
        "ground": problem.ground_energy,
        "highest": -(-1.0 * hamiltonian).ground_energy(),
        **known,
        "best_product_state": StatevectorSimulator().expectation(problem.best_product_state(), hamiltonian),
        "lower_bound": problem.lower_bound,
    }
    degeneracy = int(np.sum(spectrum - spectrum[0] < _DEGENERATE))
    gap = float(spectrum[degeneracy] - spectrum[0]) if degeneracy < len(spectrum) else 0.0
    return energies, {"degeneracy": degeneracy, "gap": gap}


def _problem(record: dict[str, Any]) -> Problem:
    energies = record["energies"]
    ground = energies["ground"]
    if "sector" in record:
        asked = dict(record["sector"])
        is_asked_for, sector = asked.pop("is_asked_for"), Sector(**asked)
        own = energies["lowest_of_its_sector"]
        if is_asked_for:
            ground = own
        else:
            warn_of_sector(record["name"], sector, ground, energies.get("lowest_with_its_electrons"), own)
    return Problem(
        name=record["name"],
        hamiltonian=PauliSum(record["terms"]),
        ground_energy=ground,
        accuracy=CHEMICAL_ACCURACY,
        unit="Ha",
        provenance={key: value for key, value in record.items() if key != "terms"} | {"reference": _REFERENCE},
    )


@cache
def load_molecule(file_name: str, instance: str = "") -> Problem:
    """Read one instance of ``qas_envs/problems/data``; of a file with many, the one with this name.

    Raises:
        ValueError: The file's terms do not have the hash it states.
    """
    record: dict[str, Any] = json.loads(files("qas_envs.problems.data").joinpath(file_name).read_text("utf-8"))
    record = record[instance] if instance else record
    if hash_of_terms(record["terms"]) != record["sha256"]:
        raise ValueError(must("file_name", "name an intact instance file (its hash differs)", file_name))
    return _problem(record)


def _shipped_problem(name: str) -> Problem:
    return load_molecule(*instances.file_of(name))


def h2(bond_length: float = 0.7414, num_qubits: int = 4, mapping: str | None = None) -> Problem:
    """H2, STO-3G; ``bond_length`` in ångström: 0.7, 0.7414 and 2.63 are shipped.

    Args:
        bond_length: Others than the shipped ones need the ``chemistry`` extra.
        num_qubits: 4 (Jordan-Wigner), 2 or 3 (parity mapping, two qubits or one removed).
        mapping: ``None``, or the basis of CRLQAS's release: ``"checksum"`` (2 qubits), ``"checksum_total"`` (3).
    """
    _check_choice("num_qubits", num_qubits, instances.H2_MAPPINGS)
    own = instances.H2_MAPPINGS[num_qubits]
    chosen = _mapping("h2", num_qubits, own, mapping)
    lengths = instances.H2_BOND_LENGTHS if chosen == own else (0.7414,)
    length = _length(bond_length)
    file = f"h2_{num_qubits}_{chosen}_{length}_angstrom"
    return _at_bond_length(file, instances.h2(length, num_qubits, chosen), length, lengths)


def lih(
    bond_length: float = 3.4, num_qubits: int = 4, geometry: str = "angstrom", mapping: str | None = None
) -> Problem:
    """LiH, STO-3G; ``bond_length`` in ångström: 3.4 is shipped, others depend on the register.

    4 qubits: 1.2, 1.4, 1.8, 2.2, 2.4, 2.8, 3.4, 3.6 are shipped; 6 qubits: 1.2, 2.2, 3.4; 12 qubits: 1.6, 3.0, 3.4.

    Args:
        bond_length: Others than the shipped ones need the ``chemistry`` extra.
        num_qubits: 4 (parity) or 6 (Jordan-Wigner) for two electrons in three orbitals; 12 for all orbitals.
        geometry: ``"legacy-bohr"`` reads 3.4 as bohr, as the files of 6 and 12 qubits in released codes did.
        mapping: ``None``, or on 6 qubits the basis of CRLQAS's release, ``"jordan_wigner_blocked"``: all spins up, then
            all down.
    """
    _check_choice("num_qubits", num_qubits, instances.LIH_MAPPINGS)
    _check_choice("geometry", geometry, instances.GEOMETRIES)
    length = _length(bond_length)
    if geometry == "legacy-bohr":
        if length != 3.4 or num_qubits == 4 or mapping is not None:
            raise ValueError(must("geometry", "be 'angstrom' but at 3.4 with 6 or 12 qubits", geometry))
        return _shipped_problem(f"lih_{num_qubits}_jordan_wigner_3.4_legacy_bohr")
    own = instances.LIH_MAPPINGS[num_qubits]
    chosen = _mapping("lih", num_qubits, own, mapping)
    lengths = instances.LIH_BOND_LENGTHS[num_qubits] if chosen == own else (2.2,)
    file = f"lih_{num_qubits}_{chosen}_{length}_angstrom"
    return _at_bond_length(file, instances.lih(length, num_qubits, mapping=chosen), length, lengths)


def _mapping(molecule: str, num_qubits: int, own: str, asked: str | None) -> str:
    """Return the mapping of a diatomic molecule: the default, or that of CRLQAS's released files."""
    choices = (own, *filter(None, [instances.RELEASED_MAPPINGS[molecule].get(num_qubits)]))
    if asked is None:
        return own
    if asked not in choices:
        raise ValueError(unknown_name(f"mapping of {molecule} on {num_qubits} qubits", asked, choices))
    return asked


def beh2(geometry: str = "angstrom", num_qubits: int = 6, bond_length: float | None = None) -> Problem:
    """BeH2, linear, STO-3G: (4e, 3o) on 6 qubits, all orbitals on 14.

    Args:
        geometry: On 6 qubits ``"angstrom"``, or ``"legacy-bohr"`` as in released codes.
        num_qubits: 6 or 14.
        bond_length: Of both bonds, in ångström. Shipped are 1.33 on 6 qubits (the default), 1.3 (the default) and 3.0
            on 14; others need the ``chemistry`` extra.
    """
    _check_choice("num_qubits", num_qubits, instances.BEH2_BOND_LENGTHS)
    _check_choice("geometry", geometry, instances.GEOMETRIES)
    lengths = instances.BEH2_BOND_LENGTHS[num_qubits]
    length = lengths[0] if bond_length is None else _length(bond_length)
    if geometry == "legacy-bohr" and (num_qubits != 6 or length != 1.33):
        raise ValueError(must("geometry", "be 'angstrom' except at 1.33 with 6 qubits", geometry))
    name = geometry.replace("-", "_") if num_qubits == 6 else f"{length}_angstrom"
    file = f"beh2_{num_qubits}_jordan_wigner_{name}"
    return _at_bond_length(file, instances.beh2(geometry, num_qubits, length), length, lengths)


def h2o(num_qubits: int = 8, geometry: str = "angstrom") -> Problem:
    """H2O: four active electrons, STO-3G on 8 qubits, 6-31G on 10 and 12; all orbitals of STO-3G on 14.

    ``geometry`` is ``"angstrom"``, or ``"legacy-bohr"`` as in released codes, which have no 14 qubits.
    """
    _check_choice("num_qubits", num_qubits, instances.H2O_QUBITS)
    _check_choice("geometry", geometry, instances.GEOMETRIES if num_qubits < 14 else ("angstrom",))
    return _shipped_problem(f"h2o_{num_qubits}_jordan_wigner_{geometry.replace('-', '_')}")


def ch2(geometry: str = "angstrom") -> Problem:
    """CH2, STO-3G, (6e, 4o) of closed-shell orbitals, 8 qubits, ground state a triplet; ``geometry`` as for BeH2."""
    _check_choice("geometry", geometry, instances.GEOMETRIES)
    return _shipped_problem(f"ch2_8_jordan_wigner_{geometry.replace('-', '_')}")


def _of_table(name: str) -> Callable[..., Problem]:
    """Return the problem function of a row of :data:`~qas_envs.problems.instances.MOLECULES`."""
    row = instances.MOLECULES[name]
    signature = row.signature
    types = {argument: parameter.annotation for argument, parameter in signature.parameters.items()}

    def build(*given: Any, **settings: Any) -> Problem:
        bound = signature.bind(*given, **settings)
        bound.apply_defaults()
        arguments = {name: _number(name, value, types[name]) for name, value in bound.arguments.items()}
        if "bond_length" in arguments:
            arguments["bond_length"] = _length(arguments["bond_length"])
        file, definition = row.file.format(**arguments), row.define(**arguments)
        if list(arguments) == ["bond_length"]:
            lengths = tuple(each["bond_length"] for each in row.settings)
            return _at_bond_length(file, definition, arguments["bond_length"], lengths)
        return _shipped_problem(file) if arguments in row.settings else _elsewhere(definition, tuple(arguments))

    build.__name__ = build.__qualname__ = name
    build.__doc__ = row.define.__doc__
    build.__annotations__ = {**types, "return": Problem}
    build.__signature__ = signature.replace(return_annotation=Problem)  # type: ignore[attr-defined]
    return build


TABLE: Final = {name: _of_table(name) for name in instances.MOLECULES}
"""Problem functions of molecules with one register."""
globals().update(TABLE)  # pickles name a function by its module


def molecule(
    geometry: Any,
    unit: str | None = None,
    basis: str | Mapping[str, str] = "sto-3g",
    active_space: Sequence[int] | None = None,
    mapping: str = "jordan_wigner",
    charge: int = 0,
    spin: int = 0,
    name: str = "",
    sector: Sequence[Any] | None = None,
) -> Problem:
    """Any molecule, computed with PySCF and OpenFermion (the ``chemistry`` extra) and kept in the user's cache folder.

    Args:
        geometry: ``"H 0 0 0; H 0 0 0.74"``, rows of element and coordinates as PySCF takes them, or the text or the
            path of an XYZ file.
        unit: ``"angstrom"`` or ``"bohr"``, of the coordinates; there is no default, but XYZ files are in ångström.
        basis: Gaussian basis set, as PySCF names it, or a name for each element. If a core potential belongs to it,
            the core's electrons are not counted in what follows.
        active_space: Number of electrons and of orbitals, around the Fermi level; ``None`` for all.
        mapping: ``"jordan_wigner"``, ``"parity"`` (two qubits removed), ``"parity_total"`` (one removed) or
            ``"bravyi_kitaev"``.
        charge: Total charge.
        spin: Unpaired electrons.
        name: For tables; by default the elements.
        sector: Number of active electrons and Sz of the state asked for, ``(4, 1)``: a penalty on all other states is
            added to the Hamiltonian. With ``"reference"`` as a third, the Hamiltonian stays, and only the ground energy
            is that of the sector. ``None``: the lowest state of the register, with a warning if it has other electrons.

    Raises:
        ValueError: PySCF's reason in one line, or an impossible active space or sector.
        ImportError: PySCF or OpenFermion is missing.
    """
    atoms, length = read_geometry(geometry, unit)
    label = name or "".join(symbol for symbol, _ in atoms)
    asked = sector_of(sector)
    target = None if asked is None else astuple(asked)
    plain = Molecule(label, atoms, length, basis, mapping, charge=charge, spin=spin, sector=target)
    return _problem(_computed(with_active_space(plain, active_space)))


def _computed(definition: Molecule) -> dict[str, Any]:
    """Return the record of a molecule, from the user's cache folder or computed and kept there."""
    key = hashlib.sha256(json.dumps([asdict(definition), _RECORD_VERSION], sort_keys=True).encode()).hexdigest()
    path = _cache_folder() / f"{key[:32]}.json"
    record = _read_intact(path)
    if record is None:
        record = instance_record(definition)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.part")
        partial.write_text(json.dumps(record), encoding="utf-8")
        partial.replace(path)
    return record


def _cache_folder() -> Path:
    """Return the folder of computed molecules, beside that of the compiled kernels."""
    return cache_root() / "molecules"


def _read_intact(path: Path) -> dict[str, Any] | None:
    """Return a record, or ``None`` if there is none or its hash shows that it is incomplete."""
    try:
        record: dict[str, Any] = json.loads(path.read_text("utf-8"))
        return record if hash_of_terms(record["terms"]) == record["sha256"] else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _check_choice(argument: str, value: object, choices: Collection[object]) -> None:
    if value not in choices:
        raise ValueError(must(argument, f"be one of {list(choices)}", value))


def _number(name: str, value: Any, kind: type) -> float:
    """Return a number of a type; an integer may be given as a float, as families with ``vary`` do."""
    try:
        number: float | None = kind(value)
    except (TypeError, ValueError, OverflowError):
        number = None
    if number is None or isinstance(value, str | bool | np.bool_) or (kind is int and number != value):
        raise ValueError(must(name, f"be {'an integer' if kind is int else 'a number'}", value))
    return number


def _length(bond_length: float) -> float:
    if not 0.2 <= bond_length <= 20:
        raise ValueError(must("bond_length", "lie in [0.2, 20] ångström", bond_length))
    return float(bond_length)


@cache
def _elsewhere(definition: Molecule, names: tuple[str, ...]) -> Problem:
    """Compute an instance that is not shipped; the names of its arguments are for the message."""
    try:
        return _problem(_computed(definition))
    except ImportError:
        hint = 'be those of an instance in the docs (others: pip install "qas-envs[chemistry]")'
        raise ValueError(must(", ".join(names), hint, definition.name)) from None


@cache
def _at_bond_length(file: str, definition: Molecule, bond_length: float, shipped: tuple[float, ...]) -> Problem:
    """Return a shipped instance, or compute another length."""
    if bond_length in shipped:
        return _shipped_problem(file)
    try:
        record = _computed(definition)
    except ImportError:
        choices = ", ".join(map(str, shipped))
        hint = f'be one of the shipped {choices} Å (others: pip install "qas-envs[chemistry]")'
        raise ValueError(must("bond_length", hint, bond_length)) from None
    return _problem(record)
