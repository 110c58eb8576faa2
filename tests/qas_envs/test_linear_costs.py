"""Linear costs of unitaries: what they refuse."""

from __future__ import annotations

import numpy as np
import pytest

from qas_envs.problems import fewest_cx, linear_cost, makhlin_invariants
from qas_simulators import PauliSum


def test_bad_linear_costs() -> None:
    for operator, message in (([[0, 1], [0, 0]], "be Hermitian"), (np.zeros((2, 2)), "not 0"), (np.eye(4), "shape")):
        with pytest.raises(ValueError, match=message):
            linear_cost("bad", operator, PauliSum({"Z": 1.0}))
    with pytest.raises(ValueError, match="at most 4 qubits"):
        linear_cost("large", np.eye(32), PauliSum({"ZZZZZ": 1.0}))
    for function in (fewest_cx, makhlin_invariants):
        with pytest.raises(ValueError, match=r"have shape \(4, 4\)"):
            function(np.eye(2))
