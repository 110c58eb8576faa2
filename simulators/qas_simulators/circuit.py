"""Circuit: a list of gates that is at the same time the flat program the kernels read."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qas_simulators.checks import finite_number, real_array
from qas_simulators.errors import must, unknown_name
from qas_simulators.gates import GATE_INDEX, GATES, gate_index

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from pennylane.tape import QuantumScript
    from qiskit import QuantumCircuit

Table = NDArray[np.int32]
"""Rows ``(gate, qubit0, qubit1 or -1, number of the rotation or -1)``."""

_INITIAL_CAPACITY = 64
_IS_ROTATION = tuple(gate.num_params == 1 for gate in GATES)
_IS_PAIR = tuple(gate.num_qubits == 2 for gate in GATES)
MAX_QUBITS = 30


class Link(NamedTuple):
    """How a rotation's angle follows from the parameters: ``offset + factor * params[source]``.

    ``source`` is -1 for a constant angle.
    """

    source: int
    factor: float
    offset: float


class Operation(NamedTuple):
    """One gate of a circuit, readable.

    Attributes:
        name: Of the gate table.
        qubits: Control first.
        angle: In radians, ``None`` for a fixed gate.

    Examples:
        >>> [operation.name for operation in Circuit(2).h(0).cx(0, 1)]
        ['h', 'cx']
    """

    name: str
    qubits: tuple[int, ...]
    angle: float | None


class Circuit:
    """A quantum circuit on ``num_qubits`` qubits that starts in ``|0...0>``.

    Gate methods exist for every row of the gate table, take the angle first and then the qubits, as in Qiskit, and
    return the circuit. Gates live in one integer table, which simulators hand to their kernels as it is.

    Args:
        num_qubits: Size of the register, 1 to 30. Qubit 0 is the least significant bit.

    Raises:
        ValueError: ``num_qubits`` is out of range; a gate's qubit is out of range or repeated; an angle is not finite.

    Examples:
        >>> circuit = Circuit(2).h(0).cx(0, 1).ry(-0.7, 1)
        >>> circuit.depth(), circuit.count_ops(), circuit.params.tolist()
        (3, {'h': 1, 'cx': 1, 'ry': 1}, [-0.7])
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
        self._links: list[Link] | None = None  # of every rotation, once one is not a parameter of its own

    # -- building ------------------------------------------------------------------------------------------------

    def append(self, name: str, qubits: Sequence[int], angle: float | None = None) -> Circuit:
        """Append one gate by name.

        Args:
            name: A name of the gate table.
            qubits: One or two distinct qubits; ``(control, target)`` for controlled gates.
            angle: Radians; required by rotations, refused by other gates.

        Raises:
            ValueError: Unknown gate, wrong number of qubits, qubit out of range or repeated, angle missing or not
                finite.
        """
        row = gate_index(name)
        gate = GATES[row]
        if len(qubits) != gate.num_qubits or len(set(qubits)) != len(qubits):
            raise ValueError(must("qubits", f"be {gate.num_qubits} distinct qubit(s) for gate {name!r}", tuple(qubits)))
        for qubit in qubits:
            if not isinstance(qubit, int | np.integer) or isinstance(qubit, bool) or not 0 <= qubit < self.num_qubits:
                raise ValueError(must("qubits", f"lie in 0..{self.num_qubits - 1}", tuple(qubits)))
        if (angle is None) != (gate.num_params == 0):
            raise ValueError(must("angle", f"be {'given' if gate.num_params else 'absent'} for gate {name!r}", angle))
        if angle is not None:
            angle = finite_number("angle", angle)
        self.append_row(row, qubits[0], qubits[1] if len(qubits) == 2 else -1, angle or 0.0)
        return self

    def u(self, theta: float, phi: float, lam: float, qubit: int) -> Circuit:
        """Append Qiskit's ``U(theta, phi, lam)``, up to a global phase: RZ(lam), RY(theta), RZ(phi).

        A gate of a circuit has one angle, so that this one becomes three gates with three parameters.

        Examples:
            >>> [operation.name for operation in Circuit(1).u(0.1, 0.2, 0.3, 0)]
            ['rz', 'ry', 'rz']
        """
        for name, angle in (("rz", lam), ("ry", theta), ("rz", phi)):
            self.append(name, [qubit], angle)
        return self

    def append_row(self, gate: int, qubit0: int, qubit1: int, angle: float = 0.0) -> None:
        """Append a gate by numbers: table row, qubits (second -1 if none), angle; the fast way in.

        Raises:
            ValueError: Not a row of the gate table, or qubits on which it cannot act.
        """
        self._check_row(gate, qubit0, qubit1)
        param = -1
        if _IS_ROTATION[gate]:
            param = self.num_rotations
            self._add_param(angle)
            if self._links is not None:
                self._links.append(Link(self.num_params - 1, 1.0, 0.0))
        self._append(gate, qubit0, qubit1, param)

    def _check_row(self, gate: int, qubit0: int, qubit1: int) -> None:
        size = self.num_qubits
        if not 0 <= gate < len(_IS_PAIR):
            raise ValueError(must("gate", f"be a row of the gate table, 0 to {len(_IS_PAIR) - 1}", gate))
        if not (0 <= qubit0 < size and (0 <= qubit1 < size and qubit1 != qubit0 if _IS_PAIR[gate] else qubit1 == -1)):
            raise ValueError(must("qubits", f"suit gate {GATES[gate].name!r} on {size} qubits", (qubit0, qubit1)))

    def append_param(self, value: float = 0.0) -> int:
        """Add a parameter for rotations yet to come, see :meth:`append_linked`; return its index.

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
        """Append a rotation whose angle is constant, or follows from a parameter that is there.

        Raises:
            ValueError: As for :meth:`append_row`, a gate without an angle, or a link to a parameter that is not there.
        """
        self._check_row(gate, qubit0, qubit1)
        if not _IS_ROTATION[gate] or not -1 <= link.source < self.num_params:
            raise ValueError(must("link", f"go from a rotation to one of {self.num_params} parameters", link))
        links = self._own_links()
        links.append(link)
        self._append(gate, qubit0, qubit1, len(links) - 1)

    def _own_links(self) -> list[Link]:
        """Keep a link of every rotation from now on."""
        if self._links is None:
            self._links = self.links
        return self._links

    def link_like(self, other: Circuit) -> None:
        """Take over parameters and links of a circuit with as many rotations."""
        if self.num_rotations != other.num_rotations:
            raise ValueError(must("other", f"have {self.num_rotations} rotations", other.num_rotations))
        while len(self._angles) < other.num_params:
            self._grow()
        self._links, self.num_params = other.links, other.num_params
        self._angles[: self.num_params] = other.params

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

    def assign(self, other: Circuit) -> None:
        """Become equal to another circuit on as many qubits, in the memory of this one."""
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
        """Live in other memory from now on, as long as it suffices."""
        table[: self.num_gates] = self.table
        angles[: self.num_params] = self._angles[: self.num_params]
        self._table, self._angles = table, angles

    def __getattr__(self, name: str) -> Callable[..., Circuit]:
        if name not in GATE_INDEX:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        if GATES[GATE_INDEX[name]].num_params:
            return lambda angle, *qubits: self.append(name, qubits, angle)
        return lambda *qubits: self.append(name, qubits)

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *GATE_INDEX]

    def extend(self, other: Circuit) -> Circuit:
        """Append all gates of ``other``, which must have the same number of qubits."""
        if other.num_qubits != self.num_qubits:
            raise ValueError(must("other", f"have {self.num_qubits} qubits", other.num_qubits))
        if not other.is_linked:
            for name, qubits, angle in other:
                self.append(name, qubits, angle)
            return self
        first, links = self.num_params, other.links
        for value in other.params:
            self.append_param(value)
        for gate, qubit0, qubit1, param in other.table.tolist():
            if param < 0:
                self._append(gate, qubit0, qubit1, -1)
            else:
                source, factor, offset = links[param]
                self.append_linked(gate, qubit0, qubit1, Link(source + first if source >= 0 else -1, factor, offset))
        return self

    def copy(self) -> Circuit:
        """Return an independent copy."""
        twin = Circuit(self.num_qubits)
        twin.__setstate__(self.__getstate__())
        return twin

    # -- reading -------------------------------------------------------------------------------------------------

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
        """Rotation gates, which are as many as parameters unless angles are shared or constant."""
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
        """Return the number of moments when every gate starts as soon as its qubits are free."""
        return self._depth

    def count_ops(self) -> dict[str, int]:
        """Return how often each gate occurs, most frequent first (ties: first appearance)."""
        counts: dict[str, int] = {}
        for row in self.table[:, 0]:
            counts[GATES[row].name] = counts.get(GATES[row].name, 0) + 1
        return dict(sorted(counts.items(), key=lambda item: -item[1]))

    def __len__(self) -> int:
        return self.num_gates

    def __iter__(self) -> Iterator[Operation]:
        angles = self._angles if self._links is None else self.angles
        for gate, qubit0, qubit1, param in self.table.tolist():
            qubits = (qubit0,) if qubit1 < 0 else (qubit0, qubit1)
            yield Operation(GATES[gate].name, qubits, None if param < 0 else float(angles[param]))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Circuit):
            return NotImplemented
        return (
            self.num_qubits == other.num_qubits
            and np.array_equal(self.table, other.table)
            and np.array_equal(self.params, other.params)
            and self._links == other._links
        )

    __hash__ = None  # type: ignore[assignment]  # mutable

    def __repr__(self) -> str:
        return f"<Circuit: {self.num_qubits} qubits, {self.num_gates} gates, depth {self.depth()}>"

    def __getstate__(self) -> dict[str, Any]:
        state = dict(self.__dict__)
        state["_table"], state["_angles"] = self._table.copy(), self._angles.copy()
        state["_moments"] = list(self._moments)
        state["_links"] = None if self._links is None else list(self._links)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)

    @overload
    def draw(self, output: Literal["text"] = "text") -> str: ...

    @overload
    def draw(self, output: Literal["mpl"], **settings: Any) -> Figure: ...

    def draw(self, output: Literal["text", "mpl"] = "text", **settings: Any) -> str | Figure:
        """Return a drawing: text, one line per qubit and one column per moment, or a matplotlib figure.

        Args:
            output: ``"text"``, or ``"mpl"`` for a figure (needs the ``plots`` extra).
            settings: Of :func:`qas_simulators.pictures.circuit_figure`: ``title``, ``theme``, ``fold``, ``angles``.

        Raises:
            ValueError: Another output.
        """
        if output == "mpl":
            from qas_simulators.pictures import circuit_figure

            return circuit_figure(self, **settings)
        if output != "text":
            raise ValueError(unknown_name("output", output, ["text", "mpl"]))
        from qas_simulators.drawing import draw_text

        return draw_text(self, **settings)

    def simplified(self, tolerance: float = 1e-12) -> Circuit:
        """Return a circuit with the same unitary, up to a global phase, and at most as many gates.

        Rotations about one axis merge, fixed gates whose product is a gate of the table become that, inverses cancel,
        rotations by multiples of 2 pi (within ``tolerance``, radians) and identities vanish; gates move past others
        that they commute with. The result need not be the shortest.

        Examples:
            >>> Circuit(2).h(0).cx(0, 1).rz(0.3, 0).cx(0, 1).rz(-0.3, 0).simplified().count_ops()
            {'h': 1}
        """
        from qas_simulators.simplification import simplified

        return simplified(self, tolerance)

    # -- bridges -------------------------------------------------------------------------------------------------

    def to_qiskit(self) -> QuantumCircuit:
        """Return the same circuit as a ``qiskit.QuantumCircuit`` (needs the ``qiskit`` extra)."""
        from qas_simulators.bridges.qiskit import to_qiskit

        return to_qiskit(self)

    @classmethod
    def from_qiskit(cls, circuit: QuantumCircuit) -> Circuit:
        """Return a Qiskit circuit of gates in our table as a ``Circuit`` (needs the ``qiskit`` extra)."""
        from qas_simulators.bridges.qiskit import from_qiskit

        return from_qiskit(circuit)

    def to_pennylane(self) -> QuantumScript:
        """Return the same circuit as a PennyLane tape (needs the ``pennylane`` extra)."""
        from qas_simulators.bridges.pennylane import to_pennylane

        return to_pennylane(self)

    @classmethod
    def from_pennylane(cls, tape: QuantumScript, num_qubits: int | None = None) -> Circuit:
        """Return a PennyLane tape of gates in our table as a ``Circuit``; wires must be qubit numbers.

        ``num_qubits`` is the register's size, by default the largest wire plus one.
        """
        from qas_simulators.bridges.pennylane import from_pennylane

        return from_pennylane(tape, num_qubits)

    def to_qasm3(self) -> str:
        """Return the circuit as an OpenQASM 3 program; angles keep all 17 digits."""
        from qas_simulators.bridges.qasm3 import to_qasm3

        return to_qasm3(self)

    @classmethod
    def from_qasm3(cls, text: str) -> Circuit:
        """Return the circuit of an OpenQASM 3 program, up to a global phase.

        Registers, aliases, constants, gate definitions (expanded into gates of our table), modifiers and gates on
        whole registers are read as Qiskit reads them; registers are joined in the order of their declarations.
        Barriers are skipped. Measurements at the end are left out with a warning. What :meth:`to_qasm3` writes is read
        by the base installation, other programs need the ``qiskit`` extra.

        Args:
            text: The program.

        Raises:
            ImportError: The ``qiskit`` extra is not installed and needed.
            ValueError: No valid program, or control flow, a reset, a gate after a measurement of its qubit, a classical
                variable; the message begins with line and column.

        Examples:
            >>> Circuit.from_qasm3(Circuit(2).h(0).cx(0, 1).to_qasm3()).count_ops()
            {'h': 1, 'cx': 1}
        """
        from qas_simulators.bridges.qasm3 import from_qasm3

        return from_qasm3(text)

    @classmethod
    def from_qasm2(cls, text: str) -> Circuit:
        """Return the circuit of an OpenQASM 2 program, up to a global phase (needs the ``qiskit`` extra).

        Qiskit's strict parser reads it. The gates of Qiskit's ``qelib1.inc`` are known where it is included; gates that
        the program defines are expanded by their definitions. No other file is included.

        Args:
            text: The program.

        Raises:
            ImportError: The ``qiskit`` extra is not installed.
            ValueError: As for :meth:`from_qasm3`.
        """
        from qas_simulators.bridges.qasm2 import from_qasm2

        return from_qasm2(text)

    @classmethod
    def from_qasm(cls, text: str) -> Circuit:
        """Return the circuit of an OpenQASM program of version 2 or 3, which its first line says (3 without one)."""
        from qas_simulators.bridges.qasm_text import version_of

        return cls.from_qasm2(text) if (version_of(text) or "3").startswith("2") else cls.from_qasm3(text)
