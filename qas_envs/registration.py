"""The table of environment ids."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import gymnasium as gym

from qas_envs.circuit_env import CircuitBuildingEnv
from qas_envs.components import chosen, is_whole
from qas_envs.factory import make_env
from qas_envs.problems import Problem
from qas_envs.problems.instances import MOLECULES
from qas_envs.problems.lookup import problem_function
from qas_envs.rules import RULES
from qas_envs.vector import CircuitBuildingVectorEnv, DeviceVectorEnv
from qas_simulators.errors import must, unexpected_argument


@dataclass(frozen=True)
class EnvironmentId:
    """One row of the table.

    Attributes:
        problem: Name of the problem; empty if the argument ``problem`` names it.
        preset: Preset of the rules; a preset given to ``gym.make`` replaces it and ``rules``.
        rules: Rules that differ from the preset.
        example: Values of arguments that have no default, for tests and listings; ``gym.make`` does not use them.
    """

    problem: str
    preset: str = "default"
    rules: dict[str, Any] = field(default_factory=dict)
    example: dict[str, Any] = field(default_factory=dict)

    def function(self, arguments: Mapping[str, Any]) -> Callable[..., Problem]:
        """Return the function that builds the problem, of whose parameters ``gym.make`` takes the values.

        Args:
            arguments: Arguments of ``gym.make``.

        Raises:
            ValueError: The argument ``problem`` is missing or names no problem.
        """
        if not self.problem and "problem" not in arguments:
            raise ValueError(f"the argument `problem` is needed; for example {self.example}")
        return problem_function(self.problem or arguments["problem"])


ENVIRONMENTS: Final[dict[str, EnvironmentId]] = {
    "QAS-H2-v0": EnvironmentId("h2"),
    "QAS-LiH-v0": EnvironmentId("lih"),
    "QAS-BeH2-v0": EnvironmentId("beh2"),
    "QAS-H2O-v0": EnvironmentId("h2o"),
    "QAS-CH2-v0": EnvironmentId("ch2"),
    **{row.environment: EnvironmentId(name) for name, row in MOLECULES.items()},
    "QAS-Molecule-v0": EnvironmentId("molecule", example={"geometry": "H 0 0 0; H 0 0 0.74", "unit": "angstrom"}),
    "QAS-TFIM-v0": EnvironmentId("tfim"),
    "QAS-Heisenberg-v0": EnvironmentId("heisenberg"),
    "QAS-IsingGraph-v0": EnvironmentId("ising_graphs"),
    "QAS-XXZChain-v0": EnvironmentId("xxz_chains"),
    "QAS-J1J2-v0": EnvironmentId("j1_j2"),
    "QAS-Hubbard-v0": EnvironmentId("hubbard"),
    "QAS-MaxCut-v0": EnvironmentId("max_cut"),
    "QAS-IndependentSet-v0": EnvironmentId("independent_set"),
    "QAS-QUBO-v0": EnvironmentId("qubo", example={"matrix": [[-1.0, 2.0], [0.0, -1.0]]}),
    "QAS-GroundState-v0": EnvironmentId("ground_state", example={"hamiltonian": {"ZZ": -1.0, "XI": -0.5}}),
    "QAS-ExcitedState-v0": EnvironmentId("excited_state", example={"hamiltonian": {"ZZ": -1.0, "XI": -0.5}}),
    "QAS-Bell-v0": EnvironmentId("bell", "kanqas_bell"),
    "QAS-GHZ-v0": EnvironmentId("ghz", "kanqas_ghz"),
    "QAS-W-v0": EnvironmentId("w", rules={"max_gates": 20}),
    "QAS-RandomState-v0": EnvironmentId("random_state"),
    "QAS-Distribution-v0": EnvironmentId("distribution"),
    "QAS-Unitary-v0": EnvironmentId("unitary"),
    "QAS-Diagonalization-v0": EnvironmentId("diagonalization"),
    "QAS-Classifier-v0": EnvironmentId("classifier"),
    "QAS-Clifford-v0": EnvironmentId("clifford_state", "clifford"),
    "QAS-Problem-v0": EnvironmentId("", example={"problem": "tfim", "num_qubits": 2}),
    "QAS-State-v0": EnvironmentId("state", example={"statevector": [0.6, 0.0, 0.0, 0.8j]}),
}


TEXT_ENVIRONMENT: Final = "QAS-Text-v0"
"""Id of :class:`~qas_envs.text_env.TextEnv`, whose argument ``environment`` is one of the ids above."""


def make_registered(environment: str, render_mode: str | None = None, **arguments: Any) -> CircuitBuildingEnv:
    """Build the environment of an id; ``arguments`` go to the problem or override the rules.

    Raises:
        TypeError: An unknown keyword argument.
        ValueError: As for :func:`~qas_envs.factory.make_env`.
    """
    row = ENVIRONMENTS[chosen("environment id", environment, ENVIRONMENTS)]
    build = row.function(arguments)
    of_problem = inspect.signature(build).parameters
    problem = row.problem or arguments.pop("problem")
    settings = {name: arguments.pop(name) for name in of_problem if name in arguments}
    known = (*of_problem, *RULES, "preset", "vary", *(() if row.problem else ("problem",)))
    for name in arguments:
        if name not in known:
            raise TypeError(unexpected_argument(environment, name, known))
    varied = arguments.get("vary")
    varied = varied if isinstance(varied, Mapping) else {}
    missing = [
        name
        for name, p in of_problem.items()
        if p.default is inspect.Parameter.empty and name not in (*settings, *varied)
    ]
    if missing:
        raise ValueError(f"{environment} needs the argument `{missing[0]}`; for example {row.example}")
    preset = arguments.pop("preset", None)
    rules = {**row.rules, **arguments} if preset is None else arguments
    preset = row.preset if preset is None else preset
    if isinstance(problem, Problem):
        settings = {}
    return make_env(problem, preset=preset, render_mode=render_mode, problem_settings=settings, **rules)


def make_registered_vector(
    environment: str,
    num_envs: int = 1,
    autoreset_mode: str = "NextStep",
    num_threads: int | None = None,
    shared_curriculum: bool = False,
    device: str | None = None,
    copy: bool = True,
    **arguments: Any,
) -> CircuitBuildingVectorEnv | DeviceVectorEnv:
    """Build ``num_envs`` environments of an id that step together; other arguments as for a single environment.

    With a ``device``, episodes are tensors of PyTorch there; see :class:`~qas_envs.vector.DeviceVectorEnv`. The other
    arguments are those of :class:`~qas_envs.vector.CircuitBuildingVectorEnv`.
    """
    if not is_whole(num_envs, 1):
        raise ValueError(must("num_envs", "be an integer of at least 1", num_envs))
    if device is not None:
        if shared_curriculum:
            raise ValueError(must("shared_curriculum", "be False where `device` is given", shared_curriculum))
        if not copy:
            raise ValueError(must("copy", "be True where `device` is given", copy))
        env = make_registered(environment, **arguments)
        return DeviceVectorEnv(env, num_envs, device, autoreset_mode, num_threads)
    if "backend" in arguments:  # its calibration is read once
        arguments["backend"] = RULES["backend"].resolve(arguments["backend"])
    envs = [make_registered(environment, **arguments) for _ in range(num_envs)]
    return CircuitBuildingVectorEnv(envs, autoreset_mode, num_threads, shared_curriculum, copy)


def register_all() -> None:
    """Register every id with Gymnasium; calling it again changes nothing.

    Examples:
        >>> register_all()
        >>> "QAS-LiH-v0" in gym.registry
        True
    """
    for environment in ENVIRONMENTS:
        if environment not in gym.registry:
            gym.register(
                id=environment,
                entry_point="qas_envs.registration:make_registered",
                vector_entry_point="qas_envs.registration:make_registered_vector",
                kwargs={"environment": environment},
            )
    if TEXT_ENVIRONMENT not in gym.registry:
        gym.register(id=TEXT_ENVIRONMENT, entry_point="qas_envs.text_env:make_text_env")
