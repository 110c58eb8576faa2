"""Time to compile every kernel on a bare machine, and to load them from the cache afterwards.

python simulators/benchmarks/compile_time.py
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

CODE = """
import time
started = time.perf_counter()
import numpy as np
from qas_simulators import Circuit, NoiseModel, PauliSum, PauliTransferSimulator, StatevectorSimulator
from qas_simulators.optimizers import ScanLBFGS
imported = time.perf_counter()
circuit, observable = Circuit(2).ry(0.1, 0).cx(0, 1), PauliSum({"ZZ": 1.0, "XI": 0.5})
for simulator in (StatevectorSimulator(), PauliTransferSimulator(NoiseModel.depolarizing(1e-3, 1e-2))):
    simulator.expectation(circuit, observable)
    simulator.expectation_and_gradient(circuit, observable)
    ScanLBFGS().minimize(simulator, circuit, observable, 1)
StatevectorSimulator().statevector(circuit)
PauliTransferSimulator().pauli_vector(circuit)
print(f"import {imported - started:.2f} s, kernels {time.perf_counter() - imported:.2f} s")
"""

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "QAS_ENVS_CACHE_DIR": folder}
        environment.pop("NUMBA_CACHE_DIR", None)
        for name in ("bare  ", "cached"):
            result = subprocess.run(
                [sys.executable, "-c", CODE], env=environment, capture_output=True, text=True, check=True
            )
            print(name, result.stdout.strip())
