"""Compiled loops. They trust their arguments; only ``qas_simulators.program`` calls them."""
