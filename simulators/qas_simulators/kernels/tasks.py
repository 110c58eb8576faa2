"""The tasks of a kernel, and the kinds of gates of statevector kernels, numbered for compiled code.

- ``ENERGY``: the expectation value.
- ``GRADIENT``: the expectation value, and its derivative by every angle.
- ``SCAN``: move angles to the exact minima of their sinusoids, one after the other; then the expectation value.
- ``MINIMIZE``: scan angles, then minimise over all of them by L-BFGS.
"""

ENERGY, GRADIENT, SCAN, MINIMIZE = range(4)
RX, RY, RZ, PHASE, RXX, RYY, RZZ, MATRIX1, CX, CZ, SWAP, MATRIX2 = range(12)
REAL_TURN, REAL_MATRIX, REAL_CX, REAL_CZ, REAL_SWAP, NOT_REAL = range(6)  # in real arithmetic
