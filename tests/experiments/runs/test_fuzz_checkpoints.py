"""Checkpoints with random damage: the same state, or one line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save

from qas_experiments.runs.checkpoints import DamagedCheckpointError
from tests.experiments.runs.conftest import contents, deep, resumed, sign

SEEDS = st.integers(0, 2**32 - 1)


def damaged(run: Path, rng: np.random.Generator) -> bool:
    """Damage one file of a checkpoint at random; return whether the sums are made to fit afterwards."""
    checkpoint = run / "checkpoint"
    files = [*sorted(checkpoint.iterdir()), run / "metrics.jsonl"]
    path = files[rng.integers(len(files))]
    content = bytearray(path.read_bytes())
    kind = rng.integers(6)
    if kind == 0 and content:
        for place in rng.integers(len(content), size=rng.integers(1, 5)):
            content[place] ^= 1 << rng.integers(8)
    elif kind == 1:
        del content[rng.integers(len(content) + 1) :]
    elif kind == 2:
        place = rng.integers(len(content) + 1)
        content[place:place] = rng.bytes(rng.integers(1, 40))
    elif kind == 3:
        content = bytearray(files[rng.integers(len(files))].read_bytes())
    elif kind == 4 and path.suffix == ".json":
        content = bytearray(json.dumps(mutated(json.loads(content), rng)).encode())
    elif path.suffix == ".safetensors":
        content = bytearray(save(mutated_arrays(load(bytes(content)), rng)))
    path.write_bytes(bytes(content))
    return bool(rng.integers(2)) and path.name != "latest.json"


def mutated(value: Any, rng: np.random.Generator) -> Any:
    """Replace something within JSON by something else."""
    numbers = [True, -1, 0, 10**6, 10**30, 1e308, float("nan"), float("-inf")]
    others = [None, *numbers, "", "x" * 50, [], {}, [[]], deep(80)]
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = sorted(value)[rng.integers(len(value))]
        return {**value, key: mutated(value[key], rng)} if rng.random() < 0.9 else {**value, key + "x": value[key]}
    if isinstance(value, list) and value and rng.random() < 0.8:
        place = int(rng.integers(len(value)))
        return [*value[:place], mutated(value[place], rng), *value[place + 1 :]]
    return others[rng.integers(len(others))]


def mutated_arrays(arrays: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Change one array of a file: its name, shape, kind or a number."""
    name = sorted(arrays)[rng.integers(len(arrays))]
    value = arrays.pop(name).copy()
    kind = rng.integers(5)
    if kind == 0:
        return arrays
    if kind == 1:
        name += "x"
    elif kind == 2:
        value = value.astype([np.float64, np.float32, np.int64, np.uint8][rng.integers(4)])
    elif kind == 3:
        value = np.concatenate([value.ravel(), value.ravel()[: rng.integers(1, 4)]])
    elif value.size:
        is_float = value.dtype.kind == "f"
        numbers = [np.nan, np.inf, -1.0, 1e30, 2.0] if is_float else [-1, 2, 100, np.iinfo(value.dtype).max]
        value.reshape(-1)[rng.integers(value.size)] = numbers[rng.integers(len(numbers))]
    return {**arrays, name: value}


def check_damage(cut: Path, place: Path, expected: str, seed: int) -> None:
    """Damage a copy; it must load to the same, or end in one line; with other sums also to something that trains on."""
    shutil.rmtree(place, ignore_errors=True)
    run = shutil.copytree(cut, place / "run")
    (place / "beside.txt").write_text("beside")
    is_signed = damaged(run, np.random.default_rng(seed))
    if is_signed:
        sign(run / "checkpoint")
    before, refusal = contents(run), None
    try:
        found = resumed(run, steps=10)
    except ValueError as error:
        refusal = error
    if refusal is None:
        assert is_signed or found == expected
    else:
        assert "\n" not in str(refusal)
        assert contents(run) == before or not isinstance(refusal, DamagedCheckpointError)
    assert sorted(path.name for path in place.iterdir()) == ["beside.txt", "run"]
    assert (place / "beside.txt").read_text() == "beside"


@pytest.mark.slow  # python -m pytest tests/experiments/runs/test_fuzz_checkpoints.py -m slow
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=SEEDS)
def test_a_damaged_checkpoint_loads_to_the_same_or_is_refused(cut: Path, whole: str, tmp_path: Path, seed: int) -> None:
    check_damage(cut, tmp_path / "fuzz", whole, seed)


@pytest.mark.slow
@settings(max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=SEEDS)
def test_many_damaged_checkpoints(cut: Path, whole: str, tmp_path: Path, seed: int) -> None:
    check_damage(cut, tmp_path / "fuzz", whole, seed)
