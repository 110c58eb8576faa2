"""``python -m qas_envs``."""

from qas_envs.command import main

main()
