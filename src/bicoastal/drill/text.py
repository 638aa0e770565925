"""A report for a terminal: what was promised and whether it held, the figures, and the time line, on one screen."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bicoastal.drill.report import Report

_WIDTH = 50


def as_text(report: Report) -> str:
    """All of it, in lines."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    verdict = "held" if report.held else "BROKEN"
    title = f"{report.title[:1].upper()}{report.title[1:]}"
    yield f"{report.scenario}: {verdict}. {title}. Pace {report.pace}, seed {report.seed}."
    for said in report.sentences:
        mark = "ok" if said.held else "NO"
        found = said.found.splitlines()
        yield f"  {mark}  {said.part:<11}{said.text}" + (f": {found[0]}" if found and said.part == "then" else "")
        if not said.held and said.part != "then":
            yield from (f"                 {line}" for line in found[:8])
    yield ""
    yield from _figures(report)
    yield ""
    yield from _time_line(report)
    yield from _errors(report)


def _figures(report: Report) -> Iterator[str]:
    yield f"  {'measured here, from the fault':<34}{'reads':>12}{'writes':>12}"
    yield f"  {'  until the last user was served':<34}{_s(report.reads.seconds):>12}{_s(report.writes.seconds):>12}"
    if report.lost:
        yield f"  {'  and without the drain':<34}{_s(report.undrained.seconds):>12}"
    for coast in sorted({*report.reads.by_coast, *report.writes.by_coast}):
        reads, writes = report.reads.by_coast.get(coast), report.writes.by_coast.get(coast)
        yield f"  {f'  from {coast}':<34}{_s(reads):>12}{_s(writes):>12}"
    for prediction in report.predicted:
        most = tuple(_s(figure.most, figure.least) for figure in (prediction.reads, prediction.writes))
        label = f"computed, {prediction.where}"
        yield f"  {label:<34}{most[0]:>12}{most[1]:>12}" + (
            f"  without {prediction.without}" if prediction.without else ""
        )
    loss = report.loss
    if loss is not None and not report.lost:
        yield f"  rows: {loss.acknowledged} acknowledged, {len(loss.lost)} lost."
    elif loss is not None:
        yield (
            f"  rows: {loss.acknowledged} acknowledged, {len(loss.lost)} lost, {_n(loss.diverged)} diverged, "
            f"{_n(loss.accepted_before_fence)} accepted before the fence. "
            f"The replica's last heartbeat was {_s(report.heartbeat_age_s)} old."
        )
    if report.lost:
        yield (
            f"  calls of the operator's path: {len(report.calls)}, forbidden {len(report.forbidden)}; "
            f"the operation took {_s(report.operation_s)}"
        )


def _time_line(report: Report) -> Iterator[str]:
    """To scale until all were served; what came afterwards has its times alone."""
    if not report.phases:
        return
    begin = report.begins_s
    end = report.served_s if report.served_s is not None else report.phases[-1].end_s
    scale = _WIDTH / max(end - begin, 0.1)
    for phase in report.phases:
        name = f"{'  ' * phase.level}{phase.name}"
        times = f"{phase.start_s:7.1f} to {phase.end_s:5.1f} s"
        left = round((max(phase.start_s, begin) - begin) * scale)
        width = max(round((min(phase.end_s, end) - max(phase.start_s, begin)) * scale), 1)
        bar = " " * left + ("-" if phase.level else "#") * width if phase.start_s < end else ""
        yield f"  {name[:30]:<30} {times}  {bar}".rstrip()


def _errors(report: Report) -> Iterator[str]:
    if not report.seen:
        return
    yield ""
    for kind, counts in report.seen.items():
        yield f"  {kind} until all were served: {_counted(counts)}"


def _counted(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {what}" for what, count in counts.items())


def _s(value: float | None, least: float | None = None) -> str:
    if value is not None:
        return f"{value:.1f} s"
    return "unknown" if least is None else f">= {least:.0f} s"


def _n(values: tuple[str, ...] | None) -> str:
    return "unknown" if values is None else str(len(values))
