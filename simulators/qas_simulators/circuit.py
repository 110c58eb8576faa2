"""Circuit: gates by name on top of the flat table that kernels read; drawings, files, other libraries' circuits."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike

from qas_simulators.checks import finite_number
from qas_simulators.errors import must, unknown_name
from qas_simulators.flat_circuit import FlatCircuit, Link
from qas_simulators.gates import GATE_INDEX, GATES, gate_index

if TYPE_CHECKING:
    from cirq import Circuit as CirqCircuit
    from matplotlib.figure import Figure
    from pennylane.tape import QuantumScript
    from qiskit import QuantumCircuit
    from qiskit.circuit import ParameterVector


class Operation(NamedTuple):
    """One gate of a circuit, by name.

    Attributes:
        name: The gate's name in the gate table.
        qubits: Control first.
        angle: In radians; ``None`` for a fixed gate.

    Examples:
        >>> [operation.name for operation in Circuit(2).h(0).cx(0, 1)]
        ['h', 'cx']
    """

    name: str
    qubits: tuple[int, ...]
    angle: float | None


_MOST_SHOWN_GATES = 1000  # of the drawing that notebooks show


class Circuit(FlatCircuit):
    """A quantum circuit on ``num_qubits`` qubits that starts in ``|0...0>``.

    There is a method for every gate of the gate table. It takes the angle first and then the qubits, as in Qiskit, and
    returns the circuit. Gates are rows of one integer table, which kernels read as it is.

    Args:
        num_qubits: Size of the register, 1 to 60. Qubit 0 is the least significant bit.

    Raises:
        ValueError: ``num_qubits`` is out of range; a gate's qubit is out of range or repeated; an angle is not finite.

    Examples:
        >>> circuit = Circuit(2).h(0).cx(0, 1).ry(-0.7, 1)
        >>> circuit.depth(), circuit.count_ops(), circuit.params.tolist()
        (3, {'h': 1, 'cx': 1, 'ry': 1}, [-0.7])
    """

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

        A gate has at most one angle, so this one becomes three gates with three parameters.

        Examples:
            >>> [operation.name for operation in Circuit(1).u(0.1, 0.2, 0.3, 0)]
            ['rz', 'ry', 'rz']
        """
        for name, angle in (("rz", lam), ("ry", theta), ("rz", phi)):
            self.append(name, [qubit], angle)
        return self

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

    def count_ops(self) -> dict[str, int]:
        """Return how often each gate occurs, most frequent first (ties: first appearance)."""
        counts: dict[str, int] = {}
        for row in self.table[:, 0]:
            counts[GATES[row].name] = counts.get(GATES[row].name, 0) + 1
        return dict(sorted(counts.items(), key=lambda item: -item[1]))

    def __iter__(self) -> Iterator[Operation]:
        angles = self._angles if self._links is None else self.angles
        for gate, qubit0, qubit1, param in self.table.tolist():
            qubits = (qubit0,) if qubit1 < 0 else (qubit0, qubit1)
            yield Operation(GATES[gate].name, qubits, None if param < 0 else float(angles[param]))

    def __repr__(self) -> str:
        return f"<Circuit: {self.num_qubits} qubits, {self.num_gates} gates, depth {self.depth()}>"

    def _repr_svg_(self) -> str | None:
        """Return the drawing that notebooks show; ``None`` where it would be too large."""
        return self.draw("svg") if self.num_gates <= _MOST_SHOWN_GATES else None

    @overload
    def draw(self, output: Literal["text", "latex", "svg"] = "text", **settings: Any) -> str: ...

    @overload
    def draw(self, output: Literal["mpl"], **settings: Any) -> Figure: ...

    def draw(self, output: Literal["text", "latex", "svg", "mpl"] = "text", **settings: Any) -> str | Figure:
        """Return a drawing: text, one line per qubit and one column per moment, or a picture.

        Args:
            output: ``"text"``; ``"latex"`` for a ``quantikz`` environment; ``"svg"``; or ``"mpl"`` for a figure (needs
                the ``plots`` extra).
            settings: ``angles``, a text for each rotation; for SVG also ``theme``; for figures those of
                :func:`qas_simulators.pictures.circuit_figure`.

        Raises:
            ValueError: Another output.
        """
        if output == "mpl":
            from qas_simulators.pictures import circuit_figure

            return circuit_figure(self, **settings)
        if output in ("latex", "svg"):
            from qas_simulators.drawing_files import draw_latex, draw_svg

            return draw_latex(self, **settings) if output == "latex" else draw_svg(self, **settings)
        if output != "text":
            raise ValueError(unknown_name("output", output, ["text", "latex", "svg", "mpl"]))
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

    # -- other formats and libraries, imported when called: these modules build circuits, so they import this one, and
    # the libraries may not be installed

    def to_qiskit(self, symbols: str | ParameterVector | None = None) -> QuantumCircuit:
        """Return the same circuit as a ``qiskit.QuantumCircuit`` (needs the ``qiskit`` extra).

        ``symbols``, a ``ParameterVector`` or its name, takes the place of the parameters.
        """
        from qas_simulators.bridges.qiskit import to_qiskit

        return to_qiskit(self, symbols)

    @classmethod
    def from_qiskit(cls, circuit: QuantumCircuit, params: ArrayLike | None = None) -> Circuit:
        """Return a Qiskit circuit as a ``Circuit`` (needs the ``qiskit`` extra).

        ``params`` are the values of its symbols, in the order of ``circuit.parameters``; angles stay linked to them.
        """
        from qas_simulators.bridges.qiskit import from_qiskit

        return from_qiskit(circuit, params)

    def to_pennylane(self) -> QuantumScript:
        """Return the same circuit as a PennyLane tape (needs the ``pennylane`` extra)."""
        from qas_simulators.bridges.pennylane import to_pennylane

        return to_pennylane(self)

    @classmethod
    def from_pennylane(cls, tape: QuantumScript, num_qubits: int | None = None) -> Circuit:
        """Return a PennyLane tape of gates in the gate table as a ``Circuit``; wires must be qubit numbers.

        ``num_qubits`` is the register's size, by default the largest wire plus one.
        """
        from qas_simulators.bridges.pennylane import from_pennylane

        return from_pennylane(tape, num_qubits)

    def to_pennylane_template(self) -> Callable[..., None]:
        """Return a function ``template(params=None, wires=None)`` that applies the gates in a PennyLane ``QNode``.

        Qubit ``k`` acts on ``wires[k]``, by default wire ``k``; ``params`` may be differentiated.
        """
        from qas_simulators.bridges.pennylane import template

        return template(self)

    def to_cirq(self) -> CirqCircuit:
        """Return the same circuit as a ``cirq.Circuit`` on ``LineQubit`` objects (needs the ``cirq`` extra)."""
        from qas_simulators.bridges.cirq import to_cirq

        return to_cirq(self)

    def to_qasm2(self) -> str:
        """Return the circuit as an OpenQASM 2 program; gates that its library lacks are defined in it."""
        from qas_simulators.bridges.qasm2_writer import to_qasm2

        return to_qasm2(self)

    def to_qasm3(self) -> str:
        """Return the circuit as an OpenQASM 3 program; angles keep all 17 digits."""
        from qas_simulators.bridges.qasm3 import to_qasm3

        return to_qasm3(self)

    @classmethod
    def from_qasm3(cls, text: str) -> Circuit:
        """Return the circuit of an OpenQASM 3 program, up to a global phase.

        Registers, aliases, constants, gate definitions (expanded into gates of the gate table), modifiers and gates on
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
