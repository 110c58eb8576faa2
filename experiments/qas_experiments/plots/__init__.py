"""Pictures: learning curves, fronts, errors along an episode, Kolmogorov-Arnold edges, gadgets, animations.

Every function returns a matplotlib figure or writes a file, in the theme ``"light"`` or ``"dark"``. Colours are Okabe
and Ito's, and lines also differ in their markers. Needs the ``plots`` extra. For circuits alone there is
``circuit.draw("mpl")``.
"""

from qas_experiments.plots.circuits import animate_episode, gadgets_figure
from qas_experiments.plots.errors import energy_errors, pareto_fronts, rollout_histograms
from qas_experiments.plots.learning import MEASURES, comparison, learning_curves
from qas_experiments.plots.networks import importances, kan_edges
from qas_experiments.plots.style import save
from qas_simulators.pictures import circuit_figure

__all__ = [
    "MEASURES",
    "animate_episode",
    "circuit_figure",
    "comparison",
    "energy_errors",
    "gadgets_figure",
    "importances",
    "kan_edges",
    "learning_curves",
    "pareto_fronts",
    "rollout_histograms",
    "save",
]
