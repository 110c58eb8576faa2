"""Gates of an OpenQASM 3 program as Qiskit's gates: the standard library, definitions, modifiers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from qas_simulators.bridges.qasm3_definitions import STDGATES
from qas_simulators.bridges.qasm3_expressions import Number, UnreadableError, integer, number
from qas_simulators.errors import needs_extra, unknown_name

with needs_extra("qiskit"):
    from openqasm3 import ast
    from qiskit import QuantumCircuit
    from qiskit.circuit import Gate
    from qiskit.circuit.exceptions import CircuitError
    from qiskit.circuit.library import GlobalPhaseGate, PhaseGate, UGate, get_standard_gate_name_mapping
    from qiskit.exceptions import QiskitError

from qas_simulators.bridges.qiskit_expansion import MAX_GATES, PREFIX

_OTHER_NAMES: Final = {"CX": "cx", "phase": "p", "cphase": "cp"}
_MAX_REPETITIONS: Final = 10_000
_MAX_POWER_QUBITS: Final = 6
_PROBE: Final = 0.7  # the angle with which a definition is checked


class Definition(NamedTuple):
    """A gate that the program defines.

    Attributes:
        node: Definition of the reference parser.
        constants: Constants in scope there.
    """

    node: Any
    constants: Mapping[str, Number]


class Gates:
    """The gates that a program has included or defined so far.

    Attributes:
        names: Their names.
    """

    def __init__(self) -> None:
        self.names: dict[str, tuple[int, Callable[..., Any]]] = {"U": (3, UGate)}  # number of angles, class or function
        self._made: dict[tuple[Any, ...], Any] = {}
        self._budget = MAX_GATES

    def include_standard(self, is_taken: Callable[[str], bool]) -> None:
        """Add the gates of ``stdgates.inc``."""
        known = get_standard_gate_name_mapping()
        for name in STDGATES:
            if is_taken(name):
                raise UnreadableError(f"the name {name!r} of stdgates.inc is given already")
            gate = known[_OTHER_NAMES.get(name, name)]
            self.names[name] = len(gate.params), gate.base_class

    def define(self, definition: Definition) -> None:
        """Add a definition, and build the gate once to check it."""
        node = definition.node
        formal = [argument.name for argument in (*node.arguments, *node.qubits)]
        if len({*formal}) != len(formal):
            raise UnreadableError(f"gate {node.name.name!r} has two arguments of one name")
        self._instance(definition, [_PROBE / (k + 1) for k in range(len(node.arguments))])
        self.names[node.name.name] = len(node.arguments), lambda *angles: self._instance(definition, angles)

    def called(self, call: Any, names: Mapping[str, Number]) -> Any:
        """Return Qiskit's gate for a call with its angles and modifiers."""
        name = call.name.name
        if name not in self.names:
            hint = "" if "h" in self.names else ' Is include "stdgates.inc"; missing?'
            raise UnreadableError(unknown_name("gate", name, self.names) + hint)
        num_angles, make = self.names[name]
        if len(call.arguments) != num_angles:
            raise UnreadableError(f"gate {name!r} has {num_angles} angle(s), but is given {len(call.arguments)}")
        angles = [float(number(argument, names)) for argument in call.arguments]
        return self._modified(make(*angles), call.modifiers, names)

    def phase(self, call: Any, names: Mapping[str, Number]) -> Any:
        """Return Qiskit's gate for a global phase; with controls it is a relative phase."""
        return self._modified(GlobalPhaseGate(float(number(call.argument, names))), call.modifiers, names)

    def _instance(self, definition: Definition, angles: Sequence[float]) -> Any:
        node = definition.node
        key = (id(node), *angles)
        if key not in self._made:
            names = {**definition.constants, **dict(zip((a.name for a in node.arguments), angles, strict=True))}
            places = {qubit.name: number for number, qubit in enumerate(node.qubits)}
            body = QuantumCircuit(len(places))
            for statement in node.body:
                self._budget -= 1
                if self._budget < 0:
                    raise UnreadableError(f"there are more than {MAX_GATES} gates")
                self._append(body, statement, names, places)
            # Qiskit's ``control`` recognises gates by name, so this name must be none of its own
            gate = Gate(PREFIX + node.name.name, len(places), [*angles])
            gate.definition = body
            self._made[key] = gate
        return self._made[key]

    def _append(self, body: QuantumCircuit, call: Any, names: Mapping[str, Number], places: Mapping[str, int]) -> None:
        qubits = [self._formal(qubit, places) for qubit in getattr(call, "qubits", ())]
        if isinstance(call, ast.QuantumBarrier):
            return
        if isinstance(call, ast.QuantumPhase):
            gate = self.phase(call, names)
        elif isinstance(call, ast.QuantumGate) and call.duration is None:
            gate = self.called(call, names)
        else:
            raise UnreadableError(f"a statement of the kind {type(call).__name__} is not supported in a gate")
        if gate.num_qubits != len(qubits) or len({*qubits}) != len(qubits):
            raise UnreadableError(f"gate {gate.name!r} acts on {gate.num_qubits} different qubit(s), not {len(qubits)}")
        body.append(gate, qubits)

    def _formal(self, node: Any, places: Mapping[str, int]) -> int:
        name = node.name if isinstance(node, ast.Identifier) else node.name.name
        if name not in places or not isinstance(node, ast.Identifier):
            raise UnreadableError(unknown_name("qubit of the gate", name, places))
        return places[name]

    def _modified(self, gate: Any, modifiers: Sequence[Any], names: Mapping[str, Number]) -> Any:
        try:
            for modifier in reversed(modifiers):
                gate = _modified(gate, modifier, names)
        except (QiskitError, CircuitError) as error:
            raise UnreadableError(f"a modifier of gate {gate.name!r} cannot be read: {error}") from None
        return gate


def _modified(gate: Any, modifier: Any, names: Mapping[str, Number]) -> Any:
    """Return a gate after one modifier."""
    kind = modifier.modifier.name
    if kind == "inv":
        return gate.inverse()
    if kind == "pow":
        return _power(gate, number(modifier.argument, names))
    num_controls = 1 if modifier.argument is None else integer(modifier.argument, names)
    if not 1 <= num_controls <= 30 - gate.num_qubits:
        raise UnreadableError(f"{kind}({num_controls}) of a gate on {gate.num_qubits} qubit(s) is not supported")
    if isinstance(gate, GlobalPhaseGate):
        return _controlled_phase(gate.params[0], num_controls, kind == "negctrl")
    return gate.control(num_controls, ctrl_state=None if kind == "ctrl" else 0)


def _controlled_phase(angle: float, num_controls: int, is_open: bool) -> Any:
    """Return the gate that multiplies exp(i angle) where all controls are 1, or all 0."""
    if not is_open:
        gate: Any = PhaseGate(angle)
        return gate if num_controls == 1 else gate.control(num_controls - 1)
    body = QuantumCircuit(num_controls)
    body.x(range(num_controls))
    body.append(_controlled_phase(angle, num_controls, is_open=False), range(num_controls))
    body.x(range(num_controls))
    return body.to_gate()


def _power(gate: Any, exponent: Number) -> Any:
    """Return a power of a gate: by repetition for integers, else the principal power of its matrix."""
    if float(exponent).is_integer():
        if abs(exponent) > _MAX_REPETITIONS:
            raise UnreadableError(f"powers beyond {_MAX_REPETITIONS} are not supported")
        one = gate if exponent >= 0 else gate.inverse()
        body = QuantumCircuit(gate.num_qubits)
        for _ in range(abs(int(exponent))):
            body.append(one, range(gate.num_qubits))
        return body.to_gate()
    if gate.num_qubits > _MAX_POWER_QUBITS:
        raise UnreadableError(f"powers that are no integers are supported up to {_MAX_POWER_QUBITS} qubits")
    return gate.power(float(exponent))
