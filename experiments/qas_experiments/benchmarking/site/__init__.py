"""The template of the page of ``qas-report``."""
