"""A report for a terminal, on one screen: the story first, then what was promised, then the time line.

Who reads it may never have seen this program: what was lost, how long users were without, which of their rows are
gone, what the operator typed, and what the templates had predicted stand in the first lines.
"""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Iterator, Mapping, Sequence

from bicoastal.drill.experiment import Said
from bicoastal.drill.report import Report, Stretch

_WIDTH = 50
_COLUMNS = 118
_BARS = 6
"""Of the time line, at most: the phases, and the longest of their steps."""
_DEEDS = 4
"""Each in a line of its own; more of them are told in a paragraph."""
_WHY = 8
"""Lines of an error, at most."""


def as_text(report: Report) -> str:
    """All of it, in lines."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    verdict = "held" if report.held else "BROKEN" if report.began else "NOT REHEARSED"
    title = f"{report.title[:1].upper()}{report.title[1:]}"
    yield f"{report.scenario}: {verdict}. {title}. Pace {report.pace}, seed {report.seed}."
    yield ""
    yield from _story(report)
    yield ""
    for part in ("given", "when", "then", "afterwards"):
        yield from _sentences([said for said in report.sentences if said.part == part], part)
    yield ""
    yield from _time_line(report)


def _story(report: Report) -> Iterator[str]:
    yield f"  {'measured here, from the fault':<38}{'reads':>12}{'writes':>12}"
    reads, writes = report.reads.seconds, report.writes.seconds
    yield f"  {'  until the last user was served again':<38}{_s(reads):>12}{_s(writes):>12}"
    if report.lost:
        yield f"  {'  and without the drain':<38}{_s(report.undrained.seconds):>12}"
    for coast in sorted({*report.reads.by_coast, *report.writes.by_coast}):
        reads, writes = report.reads.by_coast.get(coast), report.writes.by_coast.get(coast)
        yield f"  {f'  users near {coast}':<38}{_s(reads):>12}{_s(writes):>12}"
    for prediction in report.predicted:
        most = tuple(_most(figure.most, figure.least) for figure in (prediction.reads, prediction.writes))
        yield f"  {f'computed, {prediction.where}':<38}{most[0]:>12}{most[1]:>12}" + (
            f"  without {prediction.without}" if prediction.without else ""
        )
    yield from _rows(report)
    if report.commands:
        yield from _wrapped(f"The operator typed {_typed(report.commands)}.")
    if report.seen:
        seen = "; ".join(f"{kind} saw {_counted(counts)}" for kind, counts in report.seen.items())
        yield from _wrapped(f"Until all were served, {seen}.")


def _rows(report: Report) -> Iterator[str]:
    loss = report.loss
    if loss is None:
        return
    said = f"Of {loss.acknowledged} rows that users were told are stored, {len(loss.lost)} are lost"
    if not report.lost:
        yield f"  {said}."
        return
    yield from _wrapped(
        f"{said}; {_n(loss.diverged)} are in the lost region's database alone, and it took "
        f"{_n(loss.accepted_before_fence)} before it was fenced. The replica was {_s(report.heartbeat_age_s)} behind."
    )


def _typed(commands: Sequence[tuple[str, float, float]]) -> str:
    """What was typed again at once counts as one."""
    said = []
    for text, group in itertools.groupby(commands, key=lambda command: command[0]):
        typed = list(group)
        took = typed[-1][1] + typed[-1][2] - typed[0][1]
        again = f"{len(typed)} times, " if len(typed) > 1 else ""
        said.append(f"`{text}` ({again}{took:.1f} s)")
    return ", ".join(said)


def _sentences(said: Sequence[Said], part: str) -> Iterator[str]:
    """What was found stands beside what was promised. Conditions, and what was given back, are one if all is well."""
    if said and all(one.held for one in said) and (part in ("given", "afterwards") or _is_long(said, part)):
        yield from _wrapped("; ".join(one.text for one in said), f"  ok  {part:<11}", " " * 17)
        return
    for one in said:
        found = one.found.splitlines()
        text = one.text + (f": {found[0]}" if found and part == "then" else "")
        yield from _wrapped(text, f"  {'ok' if one.held else 'NO'}  {part:<11}", " " * 17)
        if not one.held and part != "then":
            yield from (f"                 {line}" for line in found[:_WHY])


def _is_long(said: Sequence[Said], part: str) -> bool:
    return part == "when" and len(said) > _DEEDS


def _time_line(report: Report) -> Iterator[str]:
    """To scale until all were served; what came afterwards has its times alone, in a line."""
    if not report.phases:
        return
    begin = report.begins_s
    end = report.served_s if report.served_s is not None else report.phases[-1].end_s
    scale = _WIDTH / max(end - begin, 0.1)
    for phase in _shown([phase for phase in report.phases if phase.start_s < end]):
        name = f"{'  ' * phase.level}{phase.name}"
        times = f"{phase.start_s:7.1f} to {phase.end_s:5.1f} s"
        left = round((max(phase.start_s, begin) - begin) * scale)
        width = max(round((min(phase.end_s, end) - max(phase.start_s, begin)) * scale), 1)
        yield f"  {name[:30]:<30} {times}  {' ' * left}{('-' if phase.level else '#') * width}"
    later = [phase for phase in report.phases if phase.start_s >= end and not phase.level]
    if later:
        yield from _wrapped(f"then: {', '.join(_took(phase) for phase in later)}")


def _shown(phases: Sequence[Stretch]) -> Iterator[Stretch]:
    """In their order."""
    steps = sorted((one for one in phases if one.level), key=lambda one: one.start_s - one.end_s)
    room = max(_BARS - sum(not one.level for one in phases), 0)
    left_out = steps[room:]
    return (one for one in phases if one not in left_out)


def _took(phase: Stretch) -> str:
    return f"{phase.name} {phase.end_s - phase.start_s:.1f} s"


def _wrapped(text: str, first: str = "  ", others: str = "    ") -> list[str]:
    return textwrap.wrap(
        text, _COLUMNS, initial_indent=first, subsequent_indent=others, break_long_words=False, break_on_hyphens=False
    )


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {what}" for what, count in counts.items())


def _s(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.1f} s"


def _most(most: float | None, least: float | None) -> str:
    """A computed figure: what it is at most, or else at least."""
    if most is not None:
        return f"<= {most:.0f} s"
    return "unknown" if least is None else f">= {least:.0f} s"


def _n(values: tuple[str, ...] | None) -> str:
    return "unknown" if values is None else str(len(values))
