"""Compares a promise with what was reckoned: kept, broken, or, where no longest time is known, neither proven."""

from __future__ import annotations

from enum import StrEnum

from bicoastal.resilience.figures import Figure


class Kept(StrEnum):
    """What becomes of a promise."""

    KEPT = "kept"
    BROKEN = "broken"
    NOT_PROVEN = "not proven"


def kept(promised_s: float, figure: Figure | None) -> Kept:
    """Whether a promise of so many seconds is kept by a figure; None for one that cannot be known."""
    if figure is None:
        return Kept.NOT_PROVEN
    if figure.least > promised_s:
        return Kept.BROKEN
    return Kept.KEPT if figure.most is not None and figure.most <= promised_s else Kept.NOT_PROVEN
