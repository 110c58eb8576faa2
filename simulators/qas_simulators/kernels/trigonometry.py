"""Cosines and sines of all angles at once: the library's, one by one, take a third of a noisy energy on four qubits.

References:
    Cody and Waite, "Software Manual for the Elementary Functions", Prentice-Hall 1980 (reduction in two parts).
    Sun Microsystems, fdlibm 5.3, k_sin.c and k_cos.c (coefficients of the two minimax polynomials).
"""

from __future__ import annotations

import math

from qas_simulators.kernels.compile import inner

LARGE = 1e5  # radians, beyond which the reduction loses digits
ROUND = 6755399441055744.0  # 1.5 * 2**52: adding and subtracting it rounds to an integer
HALF_PI_HIGH, HALF_PI_LOW = 1.57079632673412561417, 6.07710050650619224932e-11
S1, S2, S3 = -1.66666666666666324348e-01, 8.33333333332248946124e-03, -1.98412698298579493134e-04
S4, S5, S6 = 2.75573137070700676789e-06, -2.50507602534068634195e-08, 1.58969099521155010221e-10
C1, C2, C3 = 4.16666666666666019037e-02, -1.38888888888741095749e-03, 2.48015872894767294178e-05
C4, C5, C6 = -2.75573143513906633035e-07, 2.08757232129817482790e-09, -1.13596475577881948265e-11


@inner
def cosines_and_sines(angles, factor, out):
    """Fill ``out[k]`` with the cosine and sine of ``factor * angles[k]``, within two units in the last place of 1."""
    is_large = False
    for k in range(angles.size):
        angle = factor * angles[k]
        is_large = is_large or abs(angle) > LARGE
        quarters = (angle * (2.0 / math.pi) + ROUND) - ROUND
        x = (angle - quarters * HALF_PI_HIGH) - quarters * HALF_PI_LOW
        z = x * x
        sine = x + x * z * (S1 + z * (S2 + z * (S3 + z * (S4 + z * (S5 + z * S6)))))
        cosine = 1.0 - 0.5 * z + z * z * (C1 + z * (C2 + z * (C3 + z * (C4 + z * (C5 + z * C6)))))
        quarter = int(quarters)
        if quarter & 1:
            cosine, sine = sine, cosine
        out[k, 0] = -cosine if (quarter + 1) & 2 else cosine
        out[k, 1] = -sine if quarter & 2 else sine
    if is_large:
        for k in range(angles.size):
            out[k, 0], out[k, 1] = math.cos(factor * angles[k]), math.sin(factor * angles[k])
