"""ZeroNoise: what is measured at several strengths of the noise, and how it is extrapolated to none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from qas_simulators.checks import real_number
from qas_simulators.errors import must, unknown_name

FITS: Final = ("polynomial", "exponential")
SCALINGS: Final = ("rates", "folding")
READOUTS: Final = ("inverted", "scaled", "kept")
FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class ZeroNoise:
    """Zero-noise extrapolation: energies at several scales of the noise, fitted, and the fit's value without noise.

    Attributes:
        scales: Factors of the noise, each at least 1: a device cannot have less noise than it has.
        order: Of the polynomial in the scale. With ``order + 1`` scales the fit is exact (Richardson's extrapolation),
            with more it is a least-squares fit. 0 is an average.
        fit: ``"polynomial"``; or ``"exponential"``: the logarithm of the distance to the energy of the maximally mixed
            state is fitted by the polynomial. Where that distance changes its sign with the scale, the polynomial of
            the energies counts.
        scaling: ``"rates"``: probabilities and durations of all channels times the scale, see
            :meth:`~qas_simulators.Channel.scaled`; or ``"folding"``: ``scale`` gates for one, an odd number.
        readout: ``"inverted"``: confusion matrices of the noise model are inverted, at all scales; ``"scaled"``:
            readout errors are scaled like gate errors; ``"kept"``: they remain as they are.

    Raises:
        ValueError: Scales below 1 or equal ones, fewer than ``order + 1``, or an unknown name.

    References:
        Temme, Bravyi and Gambetta, "Error mitigation for short-depth quantum circuits", arXiv:1612.02058 (Richardson).
        Giurgica-Tiron et al., arXiv:2005.10921 (fits, folding).
        Bravyi et al., "Mitigating measurement errors in multi-qubit experiments", arXiv:2006.14044 (confusion
        matrices).

    Examples:
        >>> ZeroNoise(scales=(1, 2, 3), order=2).weights.round(9).tolist()
        [3.0, -3.0, 1.0]
        >>> round(float(ZeroNoise(scales=(1, 3), order=1).extrapolated([4.0, 2.0], mixed=0.0)), 9)
        5.0
    """

    scales: Sequence[float] = (1.0, 2.0, 3.0)
    order: int = 2
    fit: str = "polynomial"
    scaling: str = "rates"
    readout: str = "inverted"

    def __post_init__(self) -> None:
        scales = tuple(real_number("scales", scale) for scale in self.scales)
        if not all(1 <= scale < np.inf for scale in scales):
            raise ValueError(must("scales", "be finite numbers of at least 1", list(self.scales)))
        if len(set(scales)) < len(scales):
            raise ValueError(must("scales", "be different numbers", list(self.scales)))
        if not isinstance(self.order, int) or isinstance(self.order, bool) or not 0 <= self.order < len(scales):
            raise ValueError(must("order", f"lie in 0..{len(scales) - 1}, below the number of scales", self.order))
        for kind, name, names in (
            ("fit", self.fit, FITS),
            ("scaling", self.scaling, SCALINGS),
            ("treatment of readout errors", self.readout, READOUTS),
        ):
            if name not in names:
                raise ValueError(unknown_name(kind, name, names))
        if self.scaling == "folding":
            if not all(scale % 2 == 1 for scale in scales):
                raise ValueError(must("scales", "be odd integers for folding", list(self.scales)))
            if self.readout == "scaled":
                raise ValueError(must("readout", "be 'inverted' or 'kept' with folding, which scales gates", "scaled"))
        object.__setattr__(self, "scales", scales)

    @cached_property
    def weights(self) -> FloatArray:
        """Weights of the energies ``(scales,)`` whose sum is the polynomial at scale 0."""
        return np.asarray(np.linalg.pinv(np.vander(self.scales, self.order + 1, increasing=True))[0])

    @property
    def is_linear(self) -> bool:
        """Whether the result is a weighted sum of the energies."""
        return self.fit == "polynomial"

    def extrapolated(self, energies: ArrayLike, mixed: float) -> FloatArray:
        """Return the values without noise, ``(...)``.

        Args:
            energies: At each scale, ``(scales, ...)``.
            mixed: Energy of the maximally mixed state.
        """
        values = np.asarray(energies, dtype=np.float64)
        result = np.tensordot(self.weights, values, 1)
        if self.is_linear:
            return np.asarray(result)
        distances = values - mixed
        fits = _is_fit_for_logarithms(distances)
        logarithms = np.log(np.abs(np.where(fits, distances, 1.0)))
        curves = mixed + np.sign(distances[0]) * np.exp(np.tensordot(self.weights, logarithms, 1))
        return np.where(fits, curves, result)

    def slopes(self, energies: ArrayLike, mixed: float) -> FloatArray:
        """Return the derivatives of :meth:`extrapolated` by the energies, ``(scales, ...)``."""
        values = np.asarray(energies, dtype=np.float64)
        weights = self.weights.reshape(-1, *[1] * (values.ndim - 1))
        if self.is_linear:
            return np.broadcast_to(weights, values.shape)
        distances = values - mixed
        fits = _is_fit_for_logarithms(distances)
        result = self.extrapolated(values, mixed) - mixed
        return np.where(fits, weights * result / np.where(fits, distances, 1.0), weights)


def _is_fit_for_logarithms(distances: FloatArray) -> NDArray[np.bool_]:
    """Return whether the distances ``(scales, ...)`` have one sign and are not zero."""
    return np.asarray((np.sign(distances) == np.sign(distances[0])).all(axis=0) & (distances[0] != 0.0))


def inverted_readout() -> ZeroNoise:
    """Readout errors inverted, and nothing extrapolated."""
    return ZeroNoise(scales=(1.0,), order=0)
