"""The time line as SVG: phases as bars, and below them, for each coast, what became of every read and write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from bicoastal.drill.report import HalfSecond, Report, Stretch

_WIDTH, _LEFT, _RIGHT, _TOP = 1000, 230, 14, 34
_ROW, _LANE, _GAP = 17, 58, 18
_STEPS = (1, 2, 5, 10, 20, 30, 60, 120, 300, 600)
_LABELS = 12
"""Marks on the axis at most."""


@dataclass(frozen=True)
class Scale:
    """Seconds to the right."""

    begin: float
    end: float

    def x(self, seconds: float) -> float:
        """The position of a time that is within."""
        within = min(max(seconds, self.begin), self.end)
        return _LEFT + (within - self.begin) / (self.end - self.begin) * (_WIDTH - _LEFT - _RIGHT)


def time_line(report: Report, end_s: float | None = None) -> str:
    """The picture, to its end or to a time; the whole is drawn without the steps within phases."""
    whole = end_s is None
    ends = [phase.end_s for phase in report.phases] + [cells[-1].at_s for cells in report.plotted.values() if cells]
    scale = Scale(report.begins_s, max([5.0, *ends]) if end_s is None else end_s)
    phases = [phase for phase in report.phases if phase.start_s < scale.end and not (whole and phase.level)]
    phases_end = _TOP + _ROW * len(phases)
    height = phases_end + (_LANE + _GAP) * len(report.plotted) + 26
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="Time line of {escape(report.scenario)}">',
        *_axis(scale, height),
        *_phases(phases, scale),
        *_lanes(report, scale, phases_end + _GAP),
        *_marks(report, scale, height),
        "</svg>",
    ]
    return "".join(parts)


def _axis(scale: Scale, height: int) -> Iterator[str]:
    span = scale.end - scale.begin
    step = next((step for step in _STEPS if span / step <= _LABELS), _STEPS[-1])
    at = step * -int(-scale.begin // step)
    while at <= scale.end:
        x = scale.x(at)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP - 6}" y2="{height - 20}"/>'
        yield f'<text class="soft" x="{x:.1f}" y="{height - 6}" text-anchor="middle">{at:g} s</text>'
        at += step


def _phases(phases: Sequence[Stretch], scale: Scale) -> Iterator[str]:
    for index, phase in enumerate(phases):
        y = _TOP + _ROW * index
        left, right = scale.x(phase.start_s), scale.x(phase.end_s)
        color = "step" if phase.level else "bar"
        label = f"{phase.name}: {phase.start_s:.1f} to {phase.end_s:.1f} s"
        yield (
            f'<text x="{_LEFT - 10}" y="{y + 11}" text-anchor="end"{" class=soft" if phase.level else ""}>'
            f"{escape(phase.name)}</text>"
            f'<rect x="{left:.1f}" y="{y + 2}" width="{max(right - left, 2):.1f}" height="{_ROW - 6}" rx="2" '
            f'fill="var(--{color})"><title>{escape(label)}</title></rect>'
        )


def _lanes(report: Report, scale: Scale, top: int) -> Iterator[str]:
    most = max((_total(cell) for cells in report.plotted.values() for cell in cells), default=1)
    width = max(scale.x(scale.begin + 0.5) - scale.x(scale.begin) - 0.6, 1.0)
    for index, (name, cells) in enumerate(report.plotted.items()):
        floor = top + (_LANE + _GAP) * index + _LANE
        yield f'<text x="{_LEFT - 10}" y="{floor - _LANE / 2 + 4:.0f}" text-anchor="end">{escape(name)}</text>'
        yield f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{floor}" y2="{floor}"/>'
        for cell in cells:
            if cell.at_s >= scale.end:
                break
            y = float(floor)
            for count, color in ((cell.served, "served"), (cell.drained, "drained"), (cell.failed, "failed")):
                if count:
                    tall = count / most * _LANE
                    y -= tall
                    yield (
                        f'<rect x="{scale.x(cell.at_s):.1f}" y="{y:.1f}" width="{width:.1f}" height="{tall:.1f}" '
                        f'fill="var(--{color})"/>'
                    )


def _marks(report: Report, scale: Scale, height: int) -> Iterator[str]:
    """The loss, and when the last user of each kind was served again."""
    moments = [(0.0, f"{report.lost} lost")]
    back = {report.reads.seconds: "reads are back", report.writes.seconds: "writes are back"}
    if report.reads.seconds is not None and report.reads.seconds == report.writes.seconds:
        back = {report.reads.seconds: "reads and writes are back"}
    moments += [(at, text) for at, text in back.items() if at]
    labels: list[tuple[float, str]] = []
    for at, text in sorted(moments):
        yield (
            f'<line class="mark" x1="{scale.x(at):.1f}" x2="{scale.x(at):.1f}" y1="{_TOP - 10}" y2="{height - 20}" '
            'stroke-dasharray="3 3"/>'
        )
        # Two that come close together share a label: texts over each other say nothing.
        if labels and scale.x(at) - scale.x(labels[-1][0]) < 130:
            labels[-1] = (labels[-1][0], f"{labels[-1][1]}, {text}" if at else text)
        else:
            labels.append((at, text))
    for at, text in labels:
        right = scale.x(at) > _WIDTH - 8 * len(text)
        yield (
            f'<text x="{scale.x(at) + (-4 if right else 4):.1f}" y="{_TOP - 14}"'
            f"{' text-anchor=end' if right else ''}>{escape(text)}</text>"
        )


def _total(cell: HalfSecond) -> int:
    return cell.served + cell.drained + cell.failed
