"""Tables that notebooks show."""

from __future__ import annotations

from typing import Final

from qas_simulators.pauli import PauliSum

_MOST_TERMS: Final = 20


def terms_table(operator: PauliSum) -> str:
    """Return the terms with the largest coefficients as an HTML table.

    Examples:
        >>> terms_table(PauliSum({"ZZ": -1.0, "XI": 0.5})).count("<tr>")
        3
    """
    largest = sorted(operator, key=lambda term: -abs(term[1]))[:_MOST_TERMS]
    rows = "".join(f"<tr><td><code>{label}</code></td><td>{value:.6g}</td></tr>" for label, value in largest)
    left = len(operator) - len(largest)
    more = f'<tr><td colspan="2">and {left:,} more</td></tr>' if left else ""
    caption = f"<caption>{operator.num_qubits} qubits, {len(operator):,} terms</caption>"
    return f"<table>{caption}<tr><th>Pauli string</th><th>coefficient</th></tr>{rows}{more}</table>"
