"""What if, as text: losses with the same outcome are told once."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence

from bicoastal.review.what_if import Effect, Loss

COLORS = {
    Effect.GOES_ON: "green",
    Effect.INTERRUPTED: "yellow",
    Effect.MANUAL: "yellow",
    Effect.STOPS: "red",
    Effect.UNKNOWN: "yellow",
}
_WIDTH = 100


def grouped(losses: Sequence[Loss]) -> list[tuple[str, Loss]]:
    """Losses and who they are, those with the same lines together."""
    found: dict[tuple[object, ...], list[Loss]] = {}
    for loss in losses:
        found.setdefault((loss.whole, loss.region if loss.whole else "", *loss.lines), []).append(loss)
    return [(_either([loss.what for loss in same]), same[0]) for same in found.values()]


def _either(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} or {names[-1]}"


def as_lines(losses: Sequence[Loss]) -> Iterator[tuple[str, str]]:
    """Lines and the color of each."""
    if not losses:
        yield "What if: nothing here serves anybody, so there is nothing to lose.", ""
        return
    for who, loss in grouped(losses):
        yield "", ""
        yield f"If {who} is lost:", ""
        for line in loss.lines:
            yield from (
                (text, COLORS[line.effect])
                for text in textwrap.wrap(
                    f"{line.part:<9} {line.effect.value:<11}  {line.text}",
                    _WIDTH,
                    initial_indent="  ",
                    subsequent_indent=" " * 25,
                    break_long_words=False,
                    break_on_hyphens=False,
                )
            )
