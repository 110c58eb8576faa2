"""Errors as text: rounding reads "exact", everywhere by the same rule."""

import pytest

from qas_envs.energy_errors import error_text


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (-4e-16, "exact"),
        (0.0, "exact"),
        (9.9e-10, "exact"),
        (1e-9, "1.00e-09 Ha"),
        (-3e-4, "-3.00e-04 Ha"),  # an estimate from shots may lie below the exact energy
        (1.6e-3, "1.60e-03 Ha"),
        (float("nan"), "nan Ha"),
    ],
)
def test_errors_below_1e_9_are_rounding(error: float, text: str) -> None:
    assert error_text(error, 2, "Ha") == text


def test_without_unit_no_space_is_left() -> None:
    assert error_text(0.0126, 1) == "1.3e-02"
