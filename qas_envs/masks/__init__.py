"""Masks: which actions are legal after the gates so far."""

from qas_envs.masks.canonical import CanonicalMask
from qas_envs.masks.commuting import CommutingMask
from qas_envs.masks.frontier import FrontierMask
from qas_envs.masks.mask import Mask, Masks, NoMask, parts_of
from qas_envs.masks.restricted import RestrictedMask
from qas_envs.masks.table import MASKS, is_mask_function, new_mask, usual_mask

__all__ = [
    "MASKS",
    "CanonicalMask",
    "CommutingMask",
    "FrontierMask",
    "Mask",
    "Masks",
    "NoMask",
    "RestrictedMask",
    "is_mask_function",
    "new_mask",
    "parts_of",
    "usual_mask",
]
