"""Gate set tomography: fitted gate sets, their gauge, repair to physical maps, and fits of measured counts."""

from qas_simulators.tomography.device import device_noise, pair_target
from qas_simulators.tomography.estimation import Estimator, fitted, linear_inversion, log_likelihood
from qas_simulators.tomography.experiments import Counts, Design, usual_design
from qas_simulators.tomography.gate_set import GateSet
from qas_simulators.tomography.gauge import gauge_distance, gauge_fixed
from qas_simulators.tomography.projection import nearest_channel, nearest_effects, nearest_state

__all__ = [
    "Counts",
    "Design",
    "Estimator",
    "GateSet",
    "device_noise",
    "fitted",
    "gauge_distance",
    "gauge_fixed",
    "linear_inversion",
    "log_likelihood",
    "nearest_channel",
    "nearest_effects",
    "nearest_state",
    "pair_target",
    "usual_design",
]
