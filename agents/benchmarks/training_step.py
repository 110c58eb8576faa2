"""Time of a training step: by network, and of the whole loop compared with Stable-Baselines3's DQN.

    OMP_NUM_THREADS=1 python agents/benchmarks/training_step.py

One thread; medians. A step is the gradient step of a double DQN: two forward passes of the next observations, one of
the observations, backward pass, Adam. pykan is measured with its defaults, and without its inactive branch.
"""

from __future__ import annotations

import cProfile
import pstats
import statistics
import time
from collections.abc import Callable
from typing import Any

import gymnasium as gym
import torch
from torch import nn
from torch.nn import functional

import qas_envs  # noqa: F401
from qas_agents import DQNConfig, MaskedDQN
from qas_agents.dqn.networks import KAN, PyKAN, mlp

BATCH = 500


def step_of(make: Callable[[], nn.Module]) -> Callable[[], None]:
    """Return a training step on one-hot observations like KANQAS's."""
    online, target = make(), make()
    optimizer = torch.optim.Adam(online.parameters(), fused=True)
    now, later = ((torch.rand(BATCH, 84) < 0.05).float() for _ in range(2))

    def step() -> None:
        with torch.no_grad():
            best = online(later).argmax(dim=1, keepdim=True)
            goal = 1.0 + 0.4 * target(later).gather(1, best).squeeze(1)
        loss = functional.smooth_l1_loss(online(now)[:, 0], goal)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()

    return step


def milliseconds(step: Callable[[], None], repetitions: int) -> float:
    """Return the median time of a step."""
    times = []
    for _ in range(repetitions + 3):
        started = time.perf_counter()
        step()
        times.append(time.perf_counter() - started)
    return 1e3 * statistics.median(times[3:])


def networks() -> None:
    """Compare training steps."""
    import kan

    def default_pykan() -> nn.Module:
        return kan.KAN(width=[84, 2, 12], grid=5, k=3, seed=0, auto_save=False)  # type: ignore[no-any-return]

    cases: dict[str, tuple[Callable[[], nn.Module], int]] = {
        "MLP 84-30-30-30-12": (lambda: mlp(84, 12, (30, 30, 30)), 200),
        "KAN 84-2-12, order 3": (lambda: KAN([84, 2, 12], 5, 3), 200),
        "KAN 84-10-10-10-12, order 4": (lambda: KAN([84, 10, 10, 10, 12], 5, 4), 100),
        "pykan 84-2-12, inactive branch off": (lambda: PyKAN([84, 2, 12], 5, 3), 10),
        "pykan 84-2-12, as it comes": (default_pykan, 5),
    }
    reference = 0.0
    for name, (make, repetitions) in cases.items():
        took = statistics.median(milliseconds(step_of(make), repetitions) for _ in range(3))
        reference = reference or took
        print(f"{name:36s} {took:9.3f} ms   {took / reference:8.2f} x MLP", flush=True)


def loop(learn: Callable[[int], Any], steps: int) -> float:
    """Return steps per second."""
    started = time.perf_counter()
    learn(steps)
    return steps / (time.perf_counter() - started)


def whole_loops() -> None:
    """Compare the steps per second of MaskedDQN and Stable-Baselines3's DQN with the same settings."""
    from stable_baselines3 import DQN

    for name, hidden, batch, every, steps in (
        ("paper: 5 x 1000, batch 1000, every step", [1000] * 5, 1000, 1, 15),
        ("ours: 2 x 128, batch 128, every 16 steps", [128, 128], 128, 16, 4_000),
        ("2 x 128, batch 128, every 4 steps", [128, 128], 128, 4, 1_500),
    ):
        config = DQNConfig(
            network={"name": "mlp", "hidden": hidden},
            batch_size=batch,
            train_frequency=every,
            learning_starts=batch,
            n_step=1,
            buffer_size=10_000,
        )
        ours = MaskedDQN(gym.make("QAS-LiH-v0").unwrapped, config, seed=0)
        settings: dict[str, Any] = {
            "policy_kwargs": {"net_arch": hidden},
            "batch_size": batch,
            "train_freq": every,
            "learning_starts": batch,
            "buffer_size": 10_000,
            "device": "cpu",
        }
        theirs = DQN("MlpPolicy", gym.make("QAS-LiH-v0", illegal="skip").unwrapped, seed=0, **settings)

        def continued(count: int, model: Any = theirs) -> None:
            model.learn(count, reset_num_timesteps=False)

        ours.learn(batch + 20)
        continued(batch + 20)
        rates = [(loop(ours.learn, steps), loop(continued, steps)) for _ in range(3)]
        one, other = (statistics.median(column) for column in zip(*rates, strict=True))
        profile = cProfile.Profile()
        profile.runcall(ours.learn, steps)
        found: Any = pstats.Stats(profile)
        parts = {"environment": ("environments.py", "step"), "gradient steps": ("learner.py", "gradient_step")}
        shares = []
        for label, (file, function) in parts.items():
            spent = sum(row[3] for key, row in found.stats.items() if key[0].endswith(file) and key[2] == function)
            shares.append(f"{label} {100 * spent / found.total_tt:.0f} %")
        text = ", ".join(shares)
        print(f"{name:44s} {one:8.0f} /s   SB3 {other:8.0f} /s   {one / other:5.2f} x   {text}", flush=True)


if __name__ == "__main__":
    torch.set_num_threads(1)
    networks()
    whole_loops()
