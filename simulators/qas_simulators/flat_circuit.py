"""FlatCircuit: the integer table of a circuit's gates, and its parameters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qas_simulators.checks import finite_number, real_array
from qas_simulators.errors import must
from qas_simulators.gates import GATES

Table = NDArray[np.int32]
"""Rows ``(gate, qubit0, qubit1 or -1, number of the rotation or -1)``."""

_INITIAL_CAPACITY = 64
IS_ROTATION = tuple(gate.num_params == 1 for gate in GATES)
IS_PAIR = tuple(gate.num_qubits == 2 for gate in GATES)
MAX_QUBITS = 128
"""Largest register. What needs a state says how much memory it would take."""
MASK_QUBITS = 60
"""Up to this size masks of qubits are 64-bit integers, which most methods need."""


class Link(NamedTuple):
    """How a rotation's angle follows from the parameters: ``offset + factor * params[source]``.

    ``source`` is -1 for a constant angle.
    """

    source: int
    factor: float
    offset: float


class FlatCircuit:
    """The base of :class:`~qas_simulators.Circuit`: gates and angles as flat arrays, which kernels read.

    Gates are appended and read by their row in the gate table; their names and methods are in ``Circuit``.

    Args:
        num_qubits: Size of the register, 1 to 128. Qubit 0 is the least significant bit.

    Raises:
        ValueError: ``num_qubits`` is out of range.
    """

    def __init__(self, num_qubits: int) -> None:
        if not isinstance(num_qubits, int | np.integer) or not 1 <= num_qubits <= MAX_QUBITS:
            raise ValueError(must("num_qubits", f"be an integer from 1 to {MAX_QUBITS}", num_qubits))
        self.num_qubits = int(num_qubits)
        self._table = np.empty((_INITIAL_CAPACITY, 4), dtype=np.int32)
        self._angles = np.empty(_INITIAL_CAPACITY, dtype=np.float64)
        self._moments = [0] * self.num_qubits
        self._depth = 0
        self.num_gates = 0
        self.num_params = 0
        self.num_two_qubit_gates = 0
        self._links: list[Link] | None = None  # of every rotation; None while each is a parameter of its own

    def append_row(self, gate: int, qubit0: int, qubit1: int, angle: float = 0.0) -> None:
        """Append a gate by its row in the gate table, without the checks of names and angles in ``append``.

        Raises:
            ValueError: Not a row of the gate table, or qubits on which it cannot act.
        """
        self._check_row(gate, qubit0, qubit1)
        param = -1
        if IS_ROTATION[gate]:
            param = self.num_rotations
            self._add_param(angle)
            if self._links is not None:
                self._links.append(Link(self.num_params - 1, 1.0, 0.0))
        self._append(gate, qubit0, qubit1, param)

    def _check_row(self, gate: int, qubit0: int, qubit1: int) -> None:
        size = self.num_qubits
        if not 0 <= gate < len(IS_PAIR):
            raise ValueError(must("gate", f"be a row of the gate table, 0 to {len(IS_PAIR) - 1}", gate))
        if not (0 <= qubit0 < size and (0 <= qubit1 < size and qubit1 != qubit0 if IS_PAIR[gate] else qubit1 == -1)):
            raise ValueError(must("qubits", f"suit gate {GATES[gate].name!r} on {size} qubits", (qubit0, qubit1)))

    def append_param(self, value: float = 0.0) -> int:
        """Add a parameter that rotations can be linked to, see :meth:`append_linked`; return its index.

        Raises:
            ValueError: ``value`` is not a finite real number.
        """
        value = finite_number("value", value)
        self._own_links()
        self._add_param(value)
        return self.num_params - 1

    def _add_param(self, value: float) -> None:
        if self.num_params == len(self._angles):
            self._grow()
        self._angles[self.num_params] = value
        self.num_params += 1

    def append_linked(self, gate: int, qubit0: int, qubit1: int, link: Link) -> None:
        """Append a rotation whose angle is constant or follows from an existing parameter.

        Raises:
            ValueError: As for :meth:`append_row`; a gate without an angle; a link to a parameter that does not exist.
        """
        self._check_row(gate, qubit0, qubit1)
        if not IS_ROTATION[gate] or not -1 <= link.source < self.num_params:
            raise ValueError(must("link", f"go from a rotation to one of {self.num_params} parameters", link))
        links = self._own_links()
        links.append(link)
        self._append(gate, qubit0, qubit1, len(links) - 1)

    def _own_links(self) -> list[Link]:
        """Keep an explicit link of every rotation from now on; return the links."""
        if self._links is None:
            self._links = self.links
        return self._links

    def link_like(self, other: FlatCircuit) -> None:
        """Copy the parameters and links of a circuit with the same number of rotations."""
        if self.num_rotations != other.num_rotations:
            raise ValueError(must("other", f"have {self.num_rotations} rotations", other.num_rotations))
        while len(self._angles) < other.num_params:
            self._grow()
        self._links, self.num_params = other.links, other.num_params
        self._angles[: self.num_params] = other.params

    def set_links(self, links: Sequence[Link], params: ArrayLike) -> None:
        """Replace the parameters, and how every rotation's angle follows from them.

        Raises:
            ValueError: Not one link for each rotation, or a link to a parameter that does not exist.
        """
        values = real_array("params", params)
        if len(links) != self.num_rotations or not all(-1 <= link.source < len(values) for link in links):
            raise ValueError(must("links", f"link {self.num_rotations} rotations to {len(values)} parameters", links))
        while len(self._angles) < len(values):
            self._grow()
        self._links, self.num_params = list(links), len(values)
        self.params = values

    def _append(self, gate: int, qubit0: int, qubit1: int, param: int) -> None:
        index = self.num_gates
        if index == len(self._table):
            self._grow()
        self._table[index] = (gate, qubit0, qubit1, param)
        moments = self._moments
        if qubit1 < 0:
            moment = moments[qubit0] = moments[qubit0] + 1
        else:
            moment = moments[qubit0] = moments[qubit1] = max(moments[qubit0], moments[qubit1]) + 1
            self.num_two_qubit_gates += 1
        if moment > self._depth:
            self._depth = moment
        self.num_gates = index + 1

    def _grow(self) -> None:
        self._table = np.concatenate([self._table, np.empty_like(self._table)])
        self._angles = np.concatenate([self._angles, np.empty_like(self._angles)])

    def assign(self, other: FlatCircuit) -> None:
        """Become equal to another circuit on the same number of qubits, in the memory of this one."""
        if other.num_qubits != self.num_qubits:
            raise ValueError(must("other", f"have {self.num_qubits} qubits", other.num_qubits))
        while len(self._table) < other.num_gates or len(self._angles) < other.num_params:
            self._grow()
        self._table[: other.num_gates] = other.table
        self._angles[: other.num_params] = other._angles[: other.num_params]
        self._moments, self._depth = list(other._moments), other._depth
        self.num_gates, self.num_params = other.num_gates, other.num_params
        self.num_two_qubit_gates = other.num_two_qubit_gates
        self._links = None if other._links is None else list(other._links)

    def _move_to(self, table: Table, angles: NDArray[np.float64]) -> None:
        """Use other memory from now on, as long as it suffices."""
        table[: self.num_gates] = self.table
        angles[: self.num_params] = self._angles[: self.num_params]
        self._table, self._angles = table, angles

    def _place(self, table: Table, angles: NDArray[np.float64], counts: Sequence[int], moments: Sequence[int]) -> None:
        """Be the circuit that other memory holds: ``counts`` are gates, angles and two-qubit gates."""
        self._table, self._angles = table, angles
        self.num_gates, self.num_params, self.num_two_qubit_gates = counts
        self._moments, self._depth = list(moments), max(moments)
        self._links = None

    @property
    def table(self) -> Table:
        """Rows ``(gate, qubit0, qubit1 or -1, number of the rotation or -1)``, shape ``(num_gates, 4)``; a view."""
        return self._table[: self.num_gates]

    @property
    def is_linked(self) -> bool:
        """Whether some rotation is not a parameter of its own."""
        return self._links is not None

    @property
    def links(self) -> list[Link]:
        """How every rotation's angle follows from :attr:`params`."""
        return [Link(k, 1.0, 0.0) for k in range(self.num_params)] if self._links is None else list(self._links)

    @property
    def num_rotations(self) -> int:
        """Number of rotations; the number of parameters unless angles are shared or constant."""
        return self.num_params if self._links is None else len(self._links)

    @property
    def angles(self) -> NDArray[np.float64]:
        """Angle of every rotation in radians, in order, shape ``(num_rotations,)``; a copy."""
        if not self._links:
            return self.params[: self.num_rotations]
        sources, factors, offsets = (np.array(column) for column in zip(*self._links, strict=True))
        own = np.append(self._angles[: self.num_params], 0.0)[sources]  # the last one for constant angles
        return np.asarray(offsets + factors * own, dtype=np.float64)

    @property
    def params(self) -> NDArray[np.float64]:
        """All parameters in radians, in order, shape ``(num_params,)``; a copy.

        They are the rotations' :attr:`angles` unless these are linked.
        """
        return self._angles[: self.num_params].copy()

    @params.setter
    def params(self, values: ArrayLike) -> None:
        array = real_array("params", values)
        if array.shape != (self.num_params,):
            raise ValueError(must("params", f"have shape ({self.num_params},)", array.shape))
        if not np.isfinite(array).all():
            raise ValueError(must("params", "be finite", array))
        self._angles[: self.num_params] = array

    def depth(self) -> int:
        """Return the number of moments if every gate starts as soon as its qubits are free."""
        return self._depth

    def __len__(self) -> int:
        return self.num_gates

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, FlatCircuit):
            return NotImplemented
        return (
            self.num_qubits == other.num_qubits
            and np.array_equal(self.table, other.table)
            and np.array_equal(self.params, other.params)
            and self._links == other._links
        )

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        state["_table"], state["_angles"] = self._table.copy(), self._angles.copy()
        state["_moments"] = list(self._moments)
        state["_links"] = None if self._links is None else list(self._links)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
