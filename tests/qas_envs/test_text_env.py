"""Programs as actions: stages, rewards, and pass@k against enumeration."""

from __future__ import annotations

import itertools
import warnings

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

import qas_envs  # noqa: F401
from qas_envs.text_env import STAGES, TextEnv, pass_at_k, random_programs, score
from qas_simulators import Circuit

HEAD = 'OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[2] q;\n'


def bell(**arguments: object) -> TextEnv:
    return gym.make("QAS-Text-v0", environment="QAS-Bell-v0", **arguments).unwrapped  # type: ignore[return-value, arg-type]


@pytest.mark.parametrize("environment", ["QAS-LiH-v0", "QAS-TFIM-v0", "QAS-GHZ-v0"])
def test_gymnasium_checker(environment: str) -> None:
    env = gym.make("QAS-Text-v0", environment=environment, attempts=2).unwrapped
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*render.*")
        check_env(env, skip_render_check=True)
    description, _ = env.reset(seed=0)
    observation, *_ = env.step("no program")
    assert env.observation_space.contains(description) and env.observation_space.contains(observation)


@pytest.mark.parametrize(
    ("program", "stage", "reward", "message"),
    [
        ("", "text", 0.0, ""),
        ("hello", "text", 0.0, ""),
        (HEAD + "h q[0]; if (true) x q[0];", "text", 0.0, ""),
        ('OPENQASM 3.0;\ninclude "stdgates.inc";\nqubit[3] q;\nh q[0];\n', "program", 0.1, "2 qubits"),
        (HEAD + "rx(0.1) q[0];", "program", 0.1, "rx on (0)"),
        (HEAD + "x q[0];" * 7, "program", 0.1, "at most 6 gates"),
        (HEAD + "x q[0];", "circuit", 0.2, ""),
        (HEAD + "h q[0]; cx q[0], q[1];", "solution", 1.0, ""),
        (HEAD + "gate pair a, b { h a; cx a, b; }\npair q[1], q[0];", "solution", 1.0, ""),
    ],
)
def test_stages(program: str, stage: str, reward: float, message: str) -> None:
    env = bell()
    env.reset(seed=0)
    _, paid, terminated, truncated, info = env.step(program)
    assert (info["stage"], message in info["message"]) == (stage, True)
    assert paid == pytest.approx(reward, abs=1e-9)
    assert terminated == (stage == "solution") and truncated == (stage != "solution")
    assert np.isinf(info["energy"]) == (stage in STAGES[:2])
    with pytest.raises(RuntimeError, match="reset"):
        env.step(program)


def test_optimisation_moves_the_energy() -> None:
    """One qubit short of the answer: the angles decide, and both energies are reported."""
    env = gym.make("QAS-Text-v0", environment="QAS-TFIM-v0", num_qubits=2, attempts=3).unwrapped
    env.reset(seed=0)
    exact = env.task.problem.ground_energy
    rough = Circuit(2).ry(0.3, 0).ry(0.3, 1).cx(0, 1).ry(0.3, 0).ry(0.3, 1)
    observation, reward, terminated, truncated, info = env.step(rough.to_qasm3())
    assert info["stage"] == "circuit" and not terminated and not truncated and "The last program: error" in observation
    assert info["optimized_error"] < 1e-3 < info["energy_error"] and info["energy_error"] == info["energy"] - exact
    assert 0.2 + 0.4 <= reward < 1.0  # the optimised part in full
    better = env.judge(rough.to_qasm3()).circuit
    assert better is not None
    solved = env.task.optimizer.minimize(env.task.simulator, better, env.task.problem.hamiltonian, 0)
    better.params = solved.params
    _, reward, terminated, _, info = env.step(better.to_qasm3())
    assert terminated and reward == pytest.approx(1.0) and info["success"]


def test_couplings_and_symmetric_gates() -> None:
    env = gym.make("QAS-Text-v0", environment="QAS-TFIM-v0", num_qubits=3, gates="ry_cz", couplings="line").unwrapped
    assert "(0, 1), (1, 0), (1, 2), (2, 1)" in env.description()
    stages = [env.judge(Circuit(3).cz(*pair).to_qasm3()).stage for pair in ((0, 1), (1, 0), (0, 2))]
    assert stages == ["circuit", "circuit", "program"]


def test_pass_at_k_equals_enumeration() -> None:
    for samples, solved in [(5, 2), (6, 0), (4, 4), (7, 3)]:
        outcomes = [True] * solved + [False] * (samples - solved)
        for k in range(1, samples + 1):
            chosen = list(itertools.combinations(outcomes, k))
            assert pass_at_k(samples, solved, k) == pytest.approx(np.mean([any(one) for one in chosen]), abs=1e-12)
    for wrong in [(3, 4, 1), (3, 1, 0), (3, 1, 4)]:
        with pytest.raises(ValueError, match="must lie in"):
            pass_at_k(*wrong)


def test_a_policy_beside_all_programs() -> None:
    """Of all two-gate programs for a Bell pair, those with H and CX in one direction each are solutions."""
    env = bell()
    actions = env.task.catalogue.actions
    programs = []
    for first, second in itertools.product(actions, repeat=2):
        circuit = Circuit(2)
        for action in (first, second):
            circuit.append(action.gate, action.qubits)
        programs.append(circuit.to_qasm3())
    found = score(lambda _: programs.pop(), env, samples=len(programs))
    assert found.solved == 2 and found.stages == {"text": 0, "program": 0, "circuit": 142, "solution": 2}
    assert found.pass_at(1) == pytest.approx(2 / 144)
    drawn = score(random_programs(env, seed=0), env, samples=300, seed=0)
    assert drawn.stages["text"] == drawn.stages["program"] == 0 and 0 < drawn.pass_at(1) < 0.2


def test_refusals() -> None:
    with pytest.raises(ValueError, match="no gadgets"):
        TextEnv(gym.make("QAS-TFIM-v0", actions="blocks"))
    with pytest.raises(ValueError, match="attempts"):
        bell(attempts=0)
    with pytest.raises(TypeError, match="builds circuits"):
        TextEnv(gym.make("CartPole-v1"))
    env = bell()
    env.reset()
    with pytest.raises(TypeError, match="text of a program"):
        env.step(3)  # type: ignore[arg-type]
