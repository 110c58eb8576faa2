"""One step of an environment of 20 qubits with about 100 angles re-optimised, by each simulator, on one thread.

    OMP_NUM_THREADS=1 python qas_envs/benchmarks/wide_step.py [quick]

The critical Ising chain of 20 spins, blocks on the line. Forty blocks are played, each step optimising all angles
(bricks by at most 200 iterations, the default, staircases by 5); then one block more, whose ``env.step`` is timed.
*Bricks*: blocks on even pairs of neighbours, then on odd ones, again and again. *Staircases*: blocks on pairs 0-1, 1-2,
..., twice; the light cones of late terms have all qubits, so that states are simulated as a whole: a step takes about
the time of its gradients, and is not timed. Blocks are in the order that the mask of the environment wants. Seconds of
the CPU; medians of three steps from the same episode, one where a step takes more than a second. *Error*: of the energy
that the step returns, against that of the same circuit by a matrix-product state without truncation. With ``quick``
whole states take no step.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any, Final, TypeVar

from qas_envs import CircuitBuildingEnv, make_env
from qas_envs.problems import tfim
from qas_simulators import MPSSimulator

T = TypeVar("T")
NUM_QUBITS: Final = 20
REPETITIONS: Final = 3
SLOW: Final = 1.0  # seconds of a step that is not repeated
RULES: Final[dict[str, Any]] = {"actions": "blocks", "couplings": "line", "max_gates": 400}
WHOLE: Final = "statevector, whole states"
SIMULATORS: Final[dict[str, Any]] = {
    "statevector": "statevector",
    WHOLE: {"name": "statevector", "light_cones": False},
    "matrix-product state": "mps",
    "propagation, coefficient 1e-4": {"name": "pauli_propagation", "coefficient": 1e-4},
}
PAIRS: Final = {
    "bricks": [*range(0, NUM_QUBITS - 1, 2), *range(1, NUM_QUBITS - 1, 2)],
    "staircases": [*range(NUM_QUBITS - 1)],
}
QUICK: Final[dict[str, Any]] = {"simulator": "mps", "optimizer": {"name": "scan_lbfgs", "max_iterations": 5}}
PLAYED_BY: Final[dict[str, dict[str, Any]]] = {"bricks": {"simulator": "statevector"}, "staircases": QUICK}
LEFT_OUT: Final = {
    ("staircases", "statevector"),  # the same as whole states
    ("staircases", "propagation, coefficient 1e-4"),  # needs more than a million strings
}
NUM_BLOCKS: Final = 40


def timed(call: Callable[[], T]) -> tuple[T, float]:
    """Return what a call returns, and its CPU seconds."""
    started = time.process_time()
    result = call()
    return result, time.process_time() - started


def actions_of(env: CircuitBuildingEnv, pairs: list[int]) -> list[int]:
    """Return the actions of blocks on pairs of neighbours, given by their first qubits, in the mask's order."""
    found = {}
    for action in range(len(env.catalogue.num_gates)):
        circuit = env.circuit.copy()
        env.catalogue.append(circuit, action)
        qubits = [operation.qubits for operation in list(circuit)[len(env.circuit) :] if len(operation.qubits) == 2]
        if len(qubits) == 1:
            found[min(qubits[0])] = action
    waiting, ordered = list(pairs), []
    while waiting:  # the smallest of those that nothing precedes: the order of the canonical mask
        free = [p for k, p in enumerate(waiting) if all(abs(p - earlier) > 1 for earlier in waiting[:k])]
        ordered.append(min(free))
        waiting.remove(min(free))
    return [found[pair] for pair in ordered]


def lines_of(name: str, is_quick: bool) -> list[str]:
    """Return the rows of one circuit."""
    problem = tfim(NUM_QUBITS)
    first = make_env(problem, **PLAYED_BY[name], **RULES)
    first.reset(seed=0)
    pairs = [PAIRS[name][k % len(PAIRS[name])] for k in range(NUM_BLOCKS + 1)]
    *played, last = actions_of(first, pairs)
    for action in played:
        assert first.action_masks()[action]
        first.step(action)
    begin, base, lines = first.episode.snapshot(), None, []
    for title, simulator in SIMULATORS.items():
        if (name, title) in LEFT_OUT:
            continue
        env = make_env(problem, simulator=simulator, **RULES)
        env.reset(seed=0)
        env.episode.restore(begin)
        one = env.simulator, env.circuit, problem.hamiltonian
        one[0].expectation_and_gradient(*one[1:])  # kernels compile
        _, energy = timed(lambda one=one: one[0].expectation(*one[1:]))
        _, gradient = timed(lambda one=one: one[0].expectation_and_gradient(*one[1:]))
        row = f"  {title:30s} {1e3 * energy:9.2f} ms {1e3 * gradient:9.2f} ms"
        if title == WHOLE and (is_quick or name == "staircases"):
            lines.append(row)
            continue
        times: list[float] = []
        while len(times) < REPETITIONS and not (times and times[0] > SLOW):
            env.episode.restore(begin)
            (*_, info), seconds = timed(lambda env=env: env.step(last))
            times.append(seconds)
        step = statistics.median(times)
        base = step if base is None else base
        error = info["energy"] - MPSSimulator().expectation(env.circuit, problem.hamiltonian)
        lines.append(
            f"{row} {step:9.3f} s {step / base:8.1f} x {info['gradients']:6d}   "
            f"{info['energy']:.6f}  {error:9.1e}  {info['num_params']}"
        )
    return lines


def main() -> None:
    """Print the table."""
    for name in PAIRS:
        print(f"{name}, {NUM_BLOCKS} blocks and one more")
        print("  simulator                        energy      gradient     env.step     ratio  gradients", end="")
        print("   energy after   error    angles")
        print("\n".join(lines_of(name, "quick" in sys.argv[1:])), flush=True)


if __name__ == "__main__":
    main()
