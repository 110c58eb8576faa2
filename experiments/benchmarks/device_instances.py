"""Draws the instances of the families `restricted_devices` and `noisy_devices`: an XXZ chain and a device each.

    python experiments/benchmarks/device_instances.py      # prints them; they are fixed in the YAML files

Training instances are in conf/experiment, test instances in conf/suite, validation instances here.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from qas_simulators.device_snapshots import read_snapshot, snapshot_names

NUM_DEVICES: Final = {"train": 18, "validation": 5, "test": 10}
"""Devices of each split; no device is in two."""
FIRST_SEED: Final = {"train": 0, "validation": 900, "test": 1000}
"""Seed of the first chain of each split."""
EDGE_PROBABILITY: Final = 0.33


def devices_of(split: str) -> list[str]:
    """Return the devices of a split, in the order of a permutation that is the same everywhere."""
    names = np.random.Generator(np.random.PCG64(22)).permutation(sorted(snapshot_names())).tolist()
    first = 0
    for other, number in NUM_DEVICES.items():
        if other == split:
            return [str(name) for name in names[first : first + number]]
        first += number
    raise ValueError(split)


def noisy(split: str, parts: int, num_qubits: int = 4) -> list[dict[str, Any]]:
    """Return instances on random connected qubits, in random order, ``parts`` of each device."""
    rng = np.random.Generator(np.random.PCG64([22, FIRST_SEED[split]]))
    found: list[dict[str, Any]] = []
    for device in devices_of(split):
        for _ in range(parts):
            noise = {"name": "snapshot", "device": device, "qubits": connected_qubits(device, num_qubits, rng)}
            found.append({"seed": FIRST_SEED[split] + len(found), "noise": noise})
    return found


def connected_qubits(device: str, number: int, rng: np.random.Generator) -> list[int]:
    """Return connected qubits of a device in random order: a random one, then random neighbours of those before."""
    read = read_snapshot(device)
    starts = sorted({pair[0] for pair in read.pairs})
    while True:
        chosen = [int(rng.choice(starts))]
        while len(chosen) < number:
            near = sorted({b for a, b in read.pairs if a in chosen} - {*chosen})
            if not near:
                break
            chosen.append(int(rng.choice(near)))
        if len(chosen) == number:
            return [int(qubit) for qubit in rng.permutation(chosen)]


def restricted(split: str, number: int) -> list[dict[str, Any]]:
    """Return instances on random coupling maps; chain and map have the same seed."""
    seeds = range(FIRST_SEED[split], FIRST_SEED[split] + number)
    rule = {"name": "random", "edge_probability": EDGE_PROBABILITY}
    return [{"seed": seed, "couplings": {**rule, "seed": seed}} for seed in seeds]


VALIDATION: Final[dict[str, Sequence[dict[str, Any]]]] = {
    "restricted_devices": restricted("validation", 12),
    "noisy_devices": noisy("validation", 3),
}

if __name__ == "__main__":
    for split in ("train", "test"):
        for instance in (*restricted(split, 40 if split == "train" else 30), *noisy(split, 3)):
            print(split, instance)
