"""DeviceSteps: records the steps of environments whose episodes are tensors, without a look at every circuit."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from os import cpu_count
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from qas_agents.checks import check_number
from qas_experiments.training.recorder import Recorder, rank_of
from qas_simulators.errors import must

SHOWN: Final = 16
"""The episodes of this number of environments, the first ones, have rows in the metrics."""
_NAMES: Final = (
    *("energy", "energy_error", "success", "threshold", "num_gates", "num_two_qubit_gates", "depth"),
    *("evaluations", "gradients"),
)


class DeviceSteps:
    """A training callback for many environments: the recorder then holds what it would hold after seeing every step.

    Only the numbers of a step leave the device, and the circuits that may be among the best.

    Args:
        recorder: Records; its own environment has the same rules.
        envs: The environments, a :class:`~qas_envs.vector.DeviceVectorEnv`.
        should_stop: Called after every step of all environments; training stops when it returns True.
    """

    def __init__(self, recorder: Recorder, envs: Any, should_stop: Callable[[], bool]) -> None:
        self._recorder, self._envs, self._should_stop = recorder, envs, should_stop
        self._shown = min(SHOWN, envs.num_envs)
        self._returns = np.zeros(self._shown)
        self._lengths = np.zeros(self._shown, dtype=np.int64)

    def __call__(self, locals_: dict[str, Any], _globals: dict[str, Any]) -> bool:
        """Record one step of all environments; return False to stop training."""
        recorder, columns = self._recorder, {name: locals_["infos"].column(name) for name in _NAMES}
        over = locals_["dones"].cpu().numpy()
        self._returns += locals_["rewards"][: self._shown].cpu().numpy()
        self._lengths += 1
        best = self._best(columns)
        circuits = dict(zip(best, self._envs.circuits(best), strict=True))
        ended = np.flatnonzero(over[: self._shown]).tolist()
        counted = 0
        for row in sorted({*best, *ended}):
            self._count(columns, over, counted, row)
            recorder.steps += 1
            recorder.spend(int(columns["evaluations"][row]), int(columns["gradients"][row]))
            info = {name: column[row].item() for name, column in columns.items()}
            if row in circuits:
                recorder.keep(info, circuits[row])
            if row in ended:
                recorder.begin_episode(float(self._returns[row]), int(self._lengths[row]))
                recorder.end_episode(locals_["self"], info)
                self._returns[row] = self._lengths[row] = 0
            elif over[row]:
                recorder.episodes += 1
                recorder.successes += info["success"]
            counted = row + 1
        self._count(columns, over, counted, len(over))
        return not self._should_stop()

    def _count(self, columns: Mapping[str, NDArray[Any]], over: NDArray[np.bool_], first: int, end: int) -> None:
        """Count the steps of some environments whose circuits are not kept."""
        recorder, rows = self._recorder, slice(first, end)
        recorder.steps += end - first
        recorder.spend(*(int(columns[name][rows].sum()) for name in ("evaluations", "gradients")))
        recorder.episodes += int(over[rows].sum())
        recorder.successes += int((over & columns["success"])[rows].sum())

    def _best(self, columns: Mapping[str, NDArray[Any]]) -> list[int]:
        """Return the environments whose circuits the recorder may keep, in ascending order.

        Of environments with the same actions, later ones count only where they are better.
        """
        figures = (columns["energy_error"], columns["num_two_qubit_gates"], columns["num_gates"])
        may = np.flatnonzero(self._recorder.may_keep(*figures))
        best: dict[bytes, tuple[float, ...]] = {}
        found = set()
        for row, actions in zip(may.tolist(), self._envs.histories(may), strict=True):
            rank = rank_of(self._recorder.accuracy, *(column[row].item() for column in figures))
            if rank < best.get(own := actions.tobytes(), (3,)):
                best[own] = rank
                found.add(row)
        if self._recorder.simulates_without_noise:
            errors = self._envs.noiseless_errors(cpu_count() or 1)
            before = np.minimum.accumulate([self._recorder.ideal_error, *errors])[:-1]
            found |= {*np.flatnonzero(errors < before).tolist()}
        return sorted(found)

    def state(self) -> dict[str, Any]:
        """Return the unfinished episodes, as JSON content."""
        return {"returns": self._returns.tolist(), "lengths": self._lengths.tolist()}

    def check(self, state: Any) -> None:
        """Raise ``ValueError`` unless a value is a :meth:`state` of as many environments."""
        if not isinstance(state, dict) or set(state) != {"returns", "lengths"}:
            raise ValueError(must("episodes", "hold ['lengths', 'returns']", state))
        for name, values in state.items():
            if not isinstance(values, list) or len(values) != self._shown:
                raise ValueError(must(name, f"be a list of {self._shown} numbers", values))
            for value in values:
                check_number(name, value)
        if any(type(value) is not int or value < 0 for value in state["lengths"]):
            raise ValueError(must("lengths", "be numbers of steps", state["lengths"]))

    def restore(self, state: Mapping[str, Any]) -> None:
        """Restore a :meth:`state`."""
        self._returns, self._lengths = np.array(state["returns"], dtype=float), np.array(state["lengths"], np.int64)
