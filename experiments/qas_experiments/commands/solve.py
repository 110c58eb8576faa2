"""``qas-solve``: a Hamiltonian in, a circuit out, checked by Qiskit."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from rich.console import Console

from qas_envs.energy_errors import error_text
from qas_experiments.commands import arguments
from qas_experiments.commands.errors import check_out, fail
from qas_experiments.counting import number_of
from qas_experiments.problem_files import problem_of
from qas_simulators.errors import must

if TYPE_CHECKING:
    from qas_experiments.solving import Solved

_UNSOLVED = 1  # exit status


def main() -> None:
    """Entry point of the console script."""
    given = arguments.solve().parse_args()
    try:
        environment, of_problem = problem_of(given.problem)
        of_problem |= dict(_setting(text) for text in given.set)
        if given.gates is not None:
            of_problem["gates"] = given.gates.split(",") if "," in given.gates else given.gates
        if given.couplings is not None:
            of_problem["couplings"] = _couplings(given.couplings)
        check_out(given.out)
        from qas_experiments.solving import solve  # imports PyTorch, once the words are checked

        solved = solve(
            environment,
            of_problem,
            policy=given.policy,
            evaluations=given.evaluations,
            seconds=given.seconds,
            seed=given.seed,
        )
        solved.write(given.out)
    except (ValueError, OSError) as error:
        fail(error)
    _show(solved, given.out)
    if not solved.is_solution:
        raise SystemExit(_UNSOLVED)


def _setting(text: str) -> tuple[str, Any]:
    """Return the name and the value of ``name=value``; values are YAML."""
    name, equals, value = text.partition("=")
    if not equals or not name.isidentifier():
        raise ValueError(must("--set", "be name=value, such as bond_length=1.6", text))
    try:
        return name, yaml.safe_load(value)
    except yaml.YAMLError:
        raise ValueError(must(name, "be a number, a word or a list", value)) from None


def _couplings(text: str) -> Any:
    """Return the name of a coupling map, or pairs of qubits in both directions."""
    if "-" not in text:
        return text
    try:
        pairs = [tuple(int(qubit) for qubit in pair.split("-")) for pair in text.split(",")]
    except ValueError:
        raise ValueError(must("--couplings", "be a name, or pairs such as 0-1,1-2", text)) from None
    return [*pairs, *(pair[::-1] for pair in pairs)]


def _show(solved: Solved, folder: Path) -> None:
    """Print the circuit and its figures."""
    console = Console(width=None if sys.stdout.isatty() else 110)
    found, problem = solved.found, solved.env.problem
    console.print(found.circuit.draw(), highlight=False, soft_wrap=True, markup=False)
    rows = {
        "energy": f"{found.energy:.9f} {problem.unit}, exact {problem.ground_energy:.9f}",
        "error": f"{error_text(found.energy_error)}, {'solved' if solved.is_solution else 'not solved'}"
        f" below {problem.accuracy:g}",
        "circuit": f"{number_of(found.circuit.num_two_qubit_gates, 'two-qubit gate')},"
        f" {number_of(found.circuit.num_gates, 'gate')}, depth {found.circuit.depth()}",
        "search": f"{solved.evaluations:,} evaluations, {solved.seconds:.1f} s, policy {solved.policy or 'none'}",
        "Qiskit": f"the same energy up to {solved.checked:.1e}",
    }
    for name, text in rows.items():
        console.print(f"{name:8}{text}", highlight=False, markup=False)
    console.print(f"files are in {folder}", highlight=False, markup=False, soft_wrap=True)


if __name__ == "__main__":
    main()
