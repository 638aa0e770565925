"""Durations with their sources: what every sum of this package is made of."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """A duration of something, in seconds."""

    name: str
    least: float
    most: float | None
    """None: nobody says how long it may take."""
    source: str
    """Template and property, or document and the date on which it was read."""

    def __str__(self) -> str:
        """As reports print it: `30 s`, `20 to 30 s`, `at least 180 s`."""
        if self.most is None:
            return f"at least {self.least:g} s"
        return f"{self.most:g} s" if self.least == self.most else f"{self.least:g} to {self.most:g} s"

    def divided(self, factor: float) -> Figure:
        """The same on clocks that run faster by a factor."""
        return Figure(self.name, self.least / factor, None if self.most is None else self.most / factor, self.source)


def total(name: str, figures: Iterable[Figure]) -> Figure:
    """One after the other."""
    found = list(figures)
    most = sum(figure.most or 0.0 for figure in found)
    open_ended = any(figure.most is None for figure in found)
    return Figure(name, sum(figure.least for figure in found), None if open_ended else most, "the sum")


def later(name: str, *figures: Figure) -> Figure:
    """Side by side: over when the last one is."""
    open_ended = any(figure.most is None for figure in figures)
    most = None if open_ended else max(figure.most or 0.0 for figure in figures)
    return Figure(name, max(figure.least for figure in figures), most, "whichever is later")
