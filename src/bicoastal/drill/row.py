"""What several drills found, as one report: a table, then all that is to be known of those that did not hold."""

from __future__ import annotations

import collections
import json
from collections.abc import Iterator, Sequence

from bicoastal.drill.report import HELD, Report, Unplayed, as_data, verdict
from bicoastal.drill.text import as_text

_HEAD = ("drill", "verdict", "seconds", "reads", "writes", "lost")
_WIDTHS = (30, 14, 8, 9, 9, 6)


def row_as_text(ended: Sequence[Report | Unplayed]) -> str:
    """All of it, in lines."""
    return "\n".join(_lines(ended)) + "\n"


def row_as_json(ended: Sequence[Report | Unplayed]) -> str:
    """`{"drills": [...]}`: of one that was not rehearsed, its name, its verdict and why."""
    return json.dumps({"drills": [_data(one) for one in ended]}, indent=2) + "\n"


def row_figures(one: Report | Unplayed) -> tuple[str, str, str, str]:
    """Seconds that it took, seconds until everybody read and wrote again, acknowledged rows that are lost."""
    if isinstance(one, Unplayed):
        return ("-", "-", "-", "-")
    lost = "-" if one.loss is None else str(len(one.loss.lost))
    return (f"{one.seconds_in_all:.0f}", _s(one.reads.seconds), _s(one.writes.seconds), lost)


def _lines(ended: Sequence[Report | Unplayed]) -> Iterator[str]:
    yield _line(_HEAD)
    for one in ended:
        word = verdict(one)
        yield _line((one.scenario, word if word == HELD else word.upper(), *row_figures(one)))
    counts = collections.Counter(verdict(one) for one in ended)
    yield f"{len(ended)} drills: {', '.join(f'{count} {word}' for word, count in counts.items())}."
    for one in ended:
        if verdict(one) == HELD:
            continue
        yield ""
        if isinstance(one, Unplayed):
            yield f"{one.scenario} could not be rehearsed:"
            yield from (f"    {line}" for line in one.why.splitlines())
        else:
            yield from as_text(one).splitlines()


def _line(words: Sequence[str]) -> str:
    left = [f"{word:<{width}}" for word, width in zip(words[:2], _WIDTHS[:2], strict=True)]
    right = [f"{word:>{width}}" for word, width in zip(words[2:], _WIDTHS[2:], strict=True)]
    return "".join((*left, *right))


def _data(one: Report | Unplayed) -> dict[str, object]:
    if isinstance(one, Report):
        return as_data(one)
    return {"scenario": one.scenario, "title": one.title, "verdict": verdict(one), "why": one.why}


def _s(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.1f} s"
