"""Coverage-guided fuzzing of the OpenQASM readers; needs ``pip install atheris``, which no extra brings.

python -m tests.fuzz.openqasm_atheris -max_total_time=600 -max_len=64 -len_control=0
"""

from __future__ import annotations

import sys

import atheris

with atheris.instrument_imports(include=["qas_simulators.bridges", "openqasm3"]):
    # imported here already, because the functions that need them would import them uninstrumented
    import qas_simulators.bridges.qasm2
    import qas_simulators.bridges.qasm3_reader  # noqa: F401
    from tests.fuzz.openqasm import PROGRAMS, WORDS, judge


def once(data: bytes) -> None:
    """Judge words that the bytes choose, mixed with the bytes as text."""
    provider = atheris.FuzzedDataProvider(data)
    program = PROGRAMS[provider.ConsumeIntInRange(0, len(PROGRAMS) - 1)]
    for _ in range(provider.ConsumeIntInRange(0, 4)):
        place = provider.ConsumeIntInRange(0, len(program))
        length = provider.ConsumeIntInRange(0, 12)
        is_word = provider.ConsumeBool()
        word = WORDS[provider.ConsumeIntInRange(0, len(WORDS) - 1)] if is_word else provider.ConsumeUnicode(4)
        program = program[:place] + word + program[place + length :]
    judge(program)


if __name__ == "__main__":
    atheris.Setup(sys.argv, once)
    atheris.Fuzz()
