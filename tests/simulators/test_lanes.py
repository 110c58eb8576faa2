"""Every pass over a Pauli vector against NumPy, as vector instructions and as plain loops; the choice between both."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numba
import numpy as np
import pytest
from numpy.typing import NDArray

from qas_simulators.kernels import lanes, loops, passes

ROOT = Path(__file__).parents[2]
FloatArray = NDArray[np.float64]
BOTH = pytest.mark.parametrize("module", [lanes, loops], ids=["lanes", "loops"])


def call(module: ModuleType, name: str, *arguments: Any) -> None:
    """Call a pass from compiled code."""
    caller(getattr(module, name), len(arguments))(*arguments)


@cache
def caller(function: Any, count: int) -> Any:
    """Return a compiled function of this number of arguments that calls a pass."""
    names = ", ".join(f"x{k}" for k in range(count))
    scope: dict[str, Any] = {"function": function}
    exec(f"def call_it({names}):\n    function({names})", scope)
    return numba.njit(scope["call_it"])


def on_qubit(block: FloatArray, qubit: int, num_qubits: int) -> FloatArray:
    """Return the matrix on a whole Pauli vector of a 4 x 4 block."""
    return np.kron(np.kron(np.eye(4 ** (num_qubits - 1 - qubit)), block), np.eye(4**qubit))


def on_pair(block: FloatArray, qubit0: int, qubit1: int, num_qubits: int) -> FloatArray:
    """Return the matrix on a whole Pauli vector of a 16 x 16 block, ``qubit0`` the less significant digit."""
    size = 4**num_qubits
    index = np.arange(size)
    digits = ((index >> 2 * qubit0) & 3) + 4 * ((index >> 2 * qubit1) & 3)
    rest = index & ~(3 << 2 * qubit0) & ~(3 << 2 * qubit1)
    same = rest[:, None] == rest[None, :]
    return np.where(same, block[digits[:, None], digits[None, :]], 0.0)


def check(found: FloatArray, expected: FloatArray) -> None:
    np.testing.assert_allclose(found, expected, rtol=0.0, atol=1e-13)


@BOTH
@pytest.mark.parametrize("is_transposed", [False, True])
@pytest.mark.parametrize("qubit", range(4))
def test_a_block_on_one_qubit(module: ModuleType, qubit: int, is_transposed: bool, rng: np.random.Generator) -> None:
    vector, blocks = rng.normal(size=4**4), rng.normal(size=(3, 4, 4))
    block = blocks[1].T if is_transposed else blocks[1]
    expected = on_qubit(block, qubit, 4) @ vector
    if qubit < 2:
        call(module, f"mix_lanes{qubit}", vector, blocks, 16, is_transposed)
    else:
        call(module, "mix_runs", vector, blocks, 16, is_transposed, 4**qubit)
    check(vector, expected)


@BOTH
def test_a_unital_block_leaves_the_identity_alone(module: ModuleType, rng: np.random.Generator) -> None:
    vector, block = rng.normal(size=4**3), np.eye(4)
    block[1:, 1:] = rng.normal(size=(3, 3))
    expected = on_qubit(block, 2, 3) @ vector
    call(module, "mix_runs_unital", vector, block, 0, False, 16)
    check(vector, expected)


@BOTH
@pytest.mark.parametrize("qubit", range(3))
def test_correlations(module: ModuleType, qubit: int, rng: np.random.Generator) -> None:
    """The products of bra at digit p and ket at digit q, summed; and the bra pulled back through a block."""
    bra, ket, sums, block = rng.normal(size=64), rng.normal(size=64), np.full(96, np.nan), rng.normal(size=(4, 4))
    left, right = (np.moveaxis(v.reshape(4, 4, 4), 2 - qubit, 0).reshape(4, 16) for v in (bra, ket))
    expected = left @ right.T
    pulled = on_qubit(block.T, qubit, 3) @ bra
    found = np.zeros((4, 4))
    if qubit < 2:
        call(module, f"correlate_lanes{qubit}", bra, ket, sums, block, 0)
        for m in range(4):
            for k in range(16):
                p = (k >> 2 * qubit) & 3
                found[p, p ^ m] += sums[16 * m + k]
    else:
        call(module, "correlate_runs", bra, ket, sums, block, 0, 16)
        found[1:] = sums.reshape(12, 8).sum(axis=1).reshape(3, 4)
        expected[0] = 0.0  # the identity has no derivative
    check(found, expected)
    check(bra, pulled)


@BOTH
@pytest.mark.parametrize(("low", "high", "name"), [(0, 2, "runs1"), (1, 3, "runs4"), (2, 3, "runs16")])
def test_runs_that_change_places(module: ModuleType, low: int, high: int, name: str, rng: np.random.Generator) -> None:
    vector, block = rng.normal(size=4**4), np.eye(16)
    first, second = 1 + 4 * 2, 3 + 4 * 1  # X, then Y on the high qubit; Z, then X on it
    block[[first, second]] = 0.0
    block[first, second], block[second, first] = -0.5, 2.0
    expected = on_pair(block, low, high, 4) @ vector
    left, right = ((p & 3) * 4**low + (p >> 2) * 4**high for p in (first, second))
    call(module, f"exchange_{name}", vector, 4**high, 4 * 4**low, 4**low, left, right, -0.5, 2.0)
    check(vector, expected)


@BOTH
@pytest.mark.parametrize("low", [0, 1])
@pytest.mark.parametrize("mask", [0, 1, 3])
def test_two_digits_of_a_high_qubit_mix(module: ModuleType, low: int, mask: int, rng: np.random.Generator) -> None:
    vector, factors = rng.normal(size=4**3), rng.normal(size=(2, 4, 4))
    (first, second), digits = (1, 2), np.arange(4)
    block = np.zeros((4, 4, 4, 4))  # high and low digit, twice
    block[[0, 3]] = np.eye(16).reshape(4, 4, 4, 4)[[0, 3]]
    for k, (row, column) in enumerate([(first, first), (first, second), (second, second), (second, first)]):
        block[row, digits, column, digits ^ mask] = factors[1, k]
    expected = on_pair(block.reshape(16, 16), low, 2, 3) @ vector
    call(module, f"mix_pair{low}{mask}", vector, factors, 16, first * 16, second * 16, 16)
    check(vector, expected)


@BOTH
@pytest.mark.parametrize(("name", "masks"), list(zip(["first", "second", "both"], loops.INNER_MASKS, strict=True)))
def test_sums_of_permuted_entries(
    module: ModuleType, name: str, masks: tuple[int, ...], rng: np.random.Generator
) -> None:
    vector, factors, index = rng.normal(size=4**3), rng.normal(size=(2, 4, 16)), np.arange(64)
    expected = sum(np.tile(factors[1, k], 4) * vector[index ^ mask] for k, mask in enumerate(masks))
    call(module, f"mix_inner_{name}", vector, factors, 64)
    check(vector, np.asarray(expected))


@BOTH
@pytest.mark.parametrize(("qubit0", "qubit1"), [(2, 3), (3, 2), (0, 2), (3, 1), (0, 1)])
def test_a_block_on_two_qubits(module: ModuleType, qubit0: int, qubit1: int, rng: np.random.Generator) -> None:
    vector, blocks, digits = rng.normal(size=4**4), rng.normal(size=(2, 16, 16)), np.arange(16)
    expected = on_pair(blocks[1], qubit0, qubit1, 4) @ vector
    offsets = (digits & 3) * 4**qubit0 + (digits >> 2) * 4**qubit1
    low, high = min(qubit0, qubit1), max(qubit0, qubit1)
    name, operand = ("mix2_runs", blocks) if low == 2 else ("mix2_scattered", blocks.transpose(0, 2, 1).copy())
    call(module, name, vector, operand, 256, offsets, 4**high, 4 * 4**low, 4**low)
    check(vector, expected)


@BOTH
@pytest.mark.parametrize("is_transposed", [False, True])
def test_products_of_blocks(module: ModuleType, is_transposed: bool, rng: np.random.Generator) -> None:
    lefts, rights = rng.normal(size=(2, 4, 4)), rng.normal(size=(3, 4, 4))
    expected = rights.copy()
    expected[2] = (lefts[1].T if is_transposed else lefts[1]) @ rights[2]
    call(module, "multiply4", lefts, 16, rights, 32, is_transposed)
    check(rights, expected)
    expected[0] = lefts[1]
    call(module, "copy4", lefts, 16, rights, 0)
    np.testing.assert_array_equal(rights[0], lefts[1])
    check(rights[1:], expected[1:])


@BOTH
@pytest.mark.parametrize(("name", "axis"), [("rx", 0), ("ry", 1), ("rz", 2), ("fixed", 3)])
def test_a_rotation_and_its_noise_follow_a_block(
    module: ModuleType, name: str, axis: int, rng: np.random.Generator
) -> None:
    blocks, noises, rotation = rng.normal(size=(2, 4, 4)), rng.normal(size=(2, 4, 4)), np.eye(4)
    if axis < 3:
        first, second = (axis + 1) % 3 + 1, (axis + 2) % 3 + 1
        rotation[[first, first, second, second], [first, second, first, second]] = 0.8, -0.6, 0.6, 0.8
    expected = noises[1] @ rotation @ blocks[1]
    call(module, f"follow_{name}", blocks, 16, noises, 16, 0.8, 0.6)
    check(blocks[1], expected)


def test_both_modules_have_the_same_passes() -> None:
    kernels = (ROOT / "simulators/qas_simulators/kernels/pauli_vectors.py").read_text()
    used = {word.split("(")[0] for word in kernels.split("passes.")[1:] if "(" in word.split("\n")[0]}
    assert len(used) == 27
    for module in (lanes, loops):
        assert used <= {*dir(module)}


# -- the choice ------------------------------------------------------------------------------------------------------


def test_numbas_versions_without_a_trial_are_those_of_the_package() -> None:
    dependencies = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    low, high = (".".join(map(str, version)) for version in passes.TESTED)
    assert f"numba>={low},<{high}" in dependencies
    pin = next(line for line in (ROOT / "constraints.txt").read_text().splitlines() if line.startswith("numba=="))
    version = tuple(int(part) for part in pin.removeprefix("numba==").split(".")[:2])
    assert passes.TESTED[0] <= version < passes.TESTED[1] == (version[0], version[1] + 1)


def test_a_trial_decides_about_other_versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(passes.PLAIN_VARIABLE, raising=False)
    assert not passes._is_plain()
    monkeypatch.setattr(numba, "__version__", "0.99.0")
    assert passes.private_api_works() and not passes._is_plain()
    monkeypatch.setattr(lanes, "mix_runs", lanes.mix_runs_unital)  # wrong numbers
    assert not passes.private_api_works() and passes._is_plain()
    monkeypatch.setattr(lanes, "mix_runs", None)  # does not compile
    assert not passes.private_api_works() and passes._is_plain()


def test_a_missing_private_interface_and_the_environment_variable_mean_loops(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(passes.PLAIN_VARIABLE, "1")
    assert passes._is_plain()
    monkeypatch.setenv(passes.PLAIN_VARIABLE, "0")
    assert not passes._is_plain()
    monkeypatch.delattr("qas_simulators.kernels.lanes")
    monkeypatch.setitem(sys.modules, "qas_simulators.kernels.lanes", None)
    assert passes._is_plain() and not passes.private_api_works()


CODE = """
import json
import numpy as np
from qas_simulators import NoiseModel, PauliTransferSimulator
from qas_simulators.circuit_batch import CircuitBatch
from qas_simulators.kernels.passes import IS_PLAIN
from qas_simulators.optimizers import ScanLBFGS
from tests.conftest import random_circuit, random_pauli_sum

simulator, optimizer = PauliTransferSimulator(NoiseModel.depolarizing(1e-3, 1e-2)), ScanLBFGS(max_iterations=5)
numbers = []
for num_qubits in (2, 4):
    circuit, observable = random_circuit(num_qubits, 30, seed=1), random_pauli_sum(num_qubits, 20, seed=1)
    energy, gradient = simulator.expectation_and_gradient(circuit, observable)
    found = optimizer.minimize(simulator, circuit, observable, 3)
    batch = CircuitBatch([random_circuit(num_qubits, 20, seed=seed) for seed in range(3)], 32)
    each = optimizer.minimize_each(simulator, batch, observable, [0, 1, 2], [1, 0, 2], num_threads=2)
    numbers += [energy, *gradient, found.energy, *found.params, *each.energies]
print(json.dumps([IS_PLAIN, numbers]))
"""


@pytest.mark.slow  # compiles the kernels twice
def test_plain_loops_give_the_same_energies_gradients_and_minima() -> None:
    """To rounding: most numbers are the same to the last bit, but loops may be contracted in another order."""
    results = []
    for plain in ("0", "1"):
        environment = {**os.environ, passes.PLAIN_VARIABLE: plain}
        command = [sys.executable, "-c", CODE]
        run = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=True)
        results.append(json.loads(run.stdout))
    assert [is_plain for is_plain, _ in results] == [False, True]
    np.testing.assert_allclose(results[1][1], results[0][1], rtol=0.0, atol=1e-9)
