"""The topology as SVG: one file, no script, no font and no picture from elsewhere, light and dark.

Regions stand side by side, each from its users at the top to its data at the bottom. Lines are what the templates wire.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

from bicoastal.review.topology import USERS, Box, Edge, RegionView, Topology

_REGION = 360
_GAP = 90
_MARGIN = 24
_BOX = 52
_SPACE = 26
_TOP = 110
_SHOWN = 8
"""Boxes of a kind that are drawn; the rest are counted."""
_LEFT = 20
STYLE = """
.topology { --ground: #ffffff; --ink: #1c2430; --soft: #5a6675; --line: #8793a3; --panel: #f4f6f9; --edge: #d4dae2;
  --web: #dcebff; --servers: #e1f5e6; --data: #fdeed3; --store: #f3e6fb; --names: #e8ecf1; --copy: #b26a00; }
@media (prefers-color-scheme: dark) {
  .topology { --ground: #14181f; --ink: #e6ebf2; --soft: #9aa7b8; --line: #6d7b8d; --panel: #1c222c; --edge: #333d4b;
    --web: #1d3557; --servers: #1d3f2b; --data: #4a3515; --store: #3a2747; --names: #2a323e; --copy: #f0b050; }
}
.topology text { font: 13px system-ui, sans-serif; fill: var(--ink); }
.topology .soft { fill: var(--soft); font-size: 11px; }
.topology .head { font-weight: 600; font-size: 15px; }
.topology .panel { fill: var(--panel); stroke: var(--edge); }
.topology .box { stroke: var(--line); stroke-width: 1; }
.topology .web { fill: var(--web); } .topology .servers { fill: var(--servers); } .topology .data { fill: var(--data); }
.topology .store { fill: var(--store); } .topology .names { fill: var(--names); }
.topology .traffic { stroke: var(--line); fill: none; stroke-width: 1.5; }
.topology .replication { stroke: var(--copy); fill: none; stroke-width: 2; stroke-dasharray: 6 4; }
.topology .label { fill: var(--copy); font-size: 11px; }
"""


def as_svg(found: Topology, *, alone: bool = True) -> str:
    """The drawing; with `alone` false, for inside a page that has its style already."""
    places: dict[str, tuple[float, float, float]] = {}
    regions = list(_laid_out(found, places))
    width = _MARGIN * 2 + len(found.regions) * _REGION + max(len(found.regions) - 1, 0) * _GAP
    height = max((bottom for _, _, bottom in regions), default=_TOP) + _MARGIN
    middle = width / 2
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="topology" role="img" viewBox="0 0 {width:g} {height:g}"'
        f' width="{width:g}" height="{height:g}"><title>{escape(_title(found))}</title>'
    ]
    if alone:
        parts.append(f"<style>{STYLE}</style>")
    parts.append(f'<rect width="{width:g}" height="{height:g}" fill="var(--ground)"/>')
    parts.append(_defs())
    parts.extend(_users(found, middle))
    places[USERS] = (middle - 150, 20, 300)
    for view, left, bottom in regions:
        parts.extend(_region(view, left, bottom, places))
    parts.extend(line for edge in found.edges for line in _edge(edge, places))
    parts.append("</svg>\n")
    return "\n".join(parts)


def _title(found: Topology) -> str:
    where = " and ".join(view.name for view in found.regions) or "no region"
    return f"What stands in {where}, and what leads where"


def _defs() -> str:
    def arrow(name: str, color: str) -> str:
        return (
            f'<marker id="{name}" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"'
            f' orient="auto-start-reverse"><path d="M0 0L8 4L0 8z" fill="var({color})"/></marker>'
        )

    return f"<defs>{arrow('traffic-end', '--line')}{arrow('replication-end', '--copy')}</defs>"


def _users(found: Topology, middle: float) -> Iterator[str]:
    yield f'<rect class="box names" x="{middle - 150:g}" y="20" width="300" height="{_BOX}" rx="8"/>'
    yield _text(middle, 42, _cut(f"Users of {found.name}", 38) if found.name else "Users", "head", middle=True)
    text = f"Route 53: {found.guards}" if found.name else "no DNS record leads anywhere here"
    yield _text(middle, 60, text, "soft", middle=True)


def _drawn(view: RegionView) -> tuple[list[Box], list[str]]:
    """The boxes that find room, and words for those that don't."""
    kept: list[Box] = []
    left: dict[str, int] = {}
    for box in view.boxes:
        if sum(one.kind == box.kind for one in kept) < _SHOWN:
            kept.append(box)
        else:
            left[box.text] = left.get(box.text, 0) + 1
    return kept, [f"{count} more {name}" for name, count in left.items()]


def _laid_out(
    found: Topology, places: dict[str, tuple[float, float, float]]
) -> Iterator[tuple[RegionView, float, float]]:
    for index, view in enumerate(found.regions):
        left = _MARGIN + index * (_REGION + _GAP)
        top = _TOP + 62
        for box in _drawn(view)[0]:
            places[box.key] = (left + _LEFT, top, _REGION - 2 * _LEFT)
            top += _BOX + _SPACE
        yield view, left, top + 16 * min(len(_rest(view)), 4) + 8


def _rest(view: RegionView) -> list[str]:
    words = [*_drawn(view)[1], *view.rest]
    lines: list[str] = []
    for word in words:
        if lines and len(lines[-1]) + len(word) < 52:
            lines[-1] += f", {word}"
        else:
            lines.append(word)
    return lines[:3] + (["..."] if len(lines) > 3 else [])


def _region(
    view: RegionView, left: float, bottom: float, places: dict[str, tuple[float, float, float]]
) -> Iterator[str]:
    yield f'<rect class="panel" x="{left:g}" y="{_TOP}" width="{_REGION}" height="{bottom - _TOP:g}" rx="12"/>'
    yield _text(left + _LEFT, _TOP + 24, f"{view.name}{f' ({view.role})' if view.role else ''}", "head")
    zones = f"{len(view.zones)} zones" if len(view.zones) != 1 else view.zones[0]
    yield _text(left + _LEFT, _TOP + 42, f"{zones}; subnets: {view.subnets}" if view.subnets else "no VPC", "soft")
    last = _TOP + 62.0
    for box in _drawn(view)[0]:
        x, y, width = places[box.key]
        last = y + _BOX + _SPACE
        yield f'<rect class="box {box.kind}" x="{x:g}" y="{y:g}" width="{width:g}" height="{_BOX}" rx="8"/>'
        yield _text(x + 14, y + 22, _cut(box.title, 42), "")
        yield _text(x + 14, y + 40, _cut(box.text, 52), "soft")
    for index, line in enumerate(_rest(view)):
        yield _text(left + _LEFT, last + 4 + 16 * index, _cut(line, 58), "soft")


def _edge(edge: Edge, places: dict[str, tuple[float, float, float]]) -> Iterator[str]:
    if edge.source not in places or edge.target not in places:
        return
    (x1, y1, w1), (x2, y2, w2) = places[edge.source], places[edge.target]
    attributes = f'class="{edge.kind}" marker-end="url(#{edge.kind}-end)"'
    if edge.source == USERS:
        # Down, along above the regions, and down at the right of their titles.
        x, y = x1 + w1 / 2, x2 + w2 * 0.94
        yield f'<path {attributes} d="M{x:g} {y1 + _BOX:g}V{_TOP - 18}H{y:g}V{y2:g}"/>'
        return
    if x1 == x2:
        start, end = (x1 + w1 / 2, y1 + _BOX), (x2 + w2 / 2, y2)
        if x1 == x2 and y2 - y1 > _BOX + _SPACE + 1:
            # Something stands between: go around it on the right.
            side = x1 + w1 + 12
            a, b = y1 + _BOX / 2, y2 + _BOX / 2
            yield f'<path {attributes} d="M{x1 + w1:g} {a:g}C{side + 8:g} {a:g} {side + 8:g} {b:g} {x2 + w2:g} {b:g}"/>'
            return
        bend = (start[1] + end[1]) / 2
        yield (
            f'<path {attributes} d="M{start[0]:g} {start[1]:g}C{start[0]:g} {bend:g} {end[0]:g} {bend:g}'
            f' {end[0]:g} {end[1]:g}"/>'
        )
        return
    right = x2 > x1
    shift = 8 if edge.kind == "replication" else -8
    start = (x1 + w1 if right else x1, y1 + _BOX / 2 + shift)
    end = (x2 if right else x2 + w2, y2 + _BOX / 2 + shift)
    bend = (start[0] + end[0]) / 2
    yield (
        f'<path {attributes} d="M{start[0]:g} {start[1]:g}C{bend:g} {start[1]:g} {bend:g} {end[1]:g}'
        f' {end[0]:g} {end[1]:g}"/>'
    )
    if edge.text:
        yield _text(bend, (start[1] + end[1]) / 2 + 16, edge.text, "label", middle=True)


def _text(x: float, y: float, text: str, kind: str, *, middle: bool = False) -> str:
    anchor = ' text-anchor="middle"' if middle else ""
    return f'<text x="{x:g}" y="{y:g}" class="{kind}"{anchor}>{_safe(text)}</text>'


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _safe(text: str) -> str:
    return escape("".join(character if character >= " " else " " for character in text))
