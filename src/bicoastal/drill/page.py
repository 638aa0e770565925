"""Reports as one HTML file that needs nothing else: verdict, figures, and the time line plotted, light and dark.

It shows what `report` holds and computes nothing but positions.
"""

from __future__ import annotations

import collections
from collections.abc import Iterator, Mapping, Sequence
from html import escape

from bicoastal.drill.plot import time_line
from bicoastal.drill.report import HELD, UNPLAYED, Report, Unplayed, verdict
from bicoastal.drill.row import row_figures

_AFTER_S = 6.0
"""So much is plotted after the moment when all were served."""
_STYLE = """
:root{color-scheme:light dark;--ground:#fbfaf8;--card:#fff;--ink:#1d2025;--soft:#6a6f78;--line:#dedbd4;
--served:#2f6f9f;--drained:#d9a21b;--failed:#c8431f;--good:#23714a;--bad:#b3261e;--bar:#8d99ab;--step:#b9c2cf}
@media (prefers-color-scheme:dark){:root{--ground:#15171b;--card:#1d2026;--ink:#e7e6e2;--soft:#9aa0aa;--line:#34383f;
--served:#6db1de;--drained:#e3b445;--failed:#ef7350;--good:#6cc496;--bad:#ff8a80;--bar:#7f8da1;--step:#4d5867}}
*{box-sizing:border-box}body{margin:0;background:var(--ground);color:var(--ink);
font:16px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif}
main{max-width:70rem;margin:0 auto;padding:2rem 1.25rem 4rem}h1{font-size:1.7rem;line-height:1.2;margin:.2rem 0 .4rem}
h2{font-size:1.05rem;margin:2rem 0 .6rem}p{margin:.3rem 0}.soft{color:var(--soft)}
.verdict{font-weight:650}.held{color:var(--good)}.broken{color:var(--bad)}
article+article{border-top:1px solid var(--line);margin-top:3rem;padding-top:2rem}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(10.5rem,1fr));gap:.8rem;margin:1.2rem 0}
.figures div{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:.7rem .9rem}
.figures b{display:block;font-size:1.45rem;font-variant-numeric:tabular-nums;font-weight:620}
.figures span{display:block;color:var(--soft);font-size:.85rem;line-height:1.35}
.plot{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:8px;padding:.5rem}
svg{display:block;min-width:44rem;width:100%;height:auto}svg text{fill:var(--ink);font-size:11.5px}
svg .soft{fill:var(--soft)}svg .grid{stroke:var(--line)}svg .mark{stroke:var(--ink);stroke-width:1.2}
.legend{display:flex;flex-wrap:wrap;gap:1.1rem;margin:.5rem 0 0;font-size:.9rem;color:var(--soft)}
.legend i{display:inline-block;width:.8em;height:.8em;border-radius:2px;margin-right:.4em;vertical-align:-.05em}
table{border-collapse:collapse;width:100%;font-size:.93rem}.wide{overflow-x:auto}
th,td{text-align:left;padding:.35rem .7rem .35rem 0;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:600;color:var(--soft)}td.n,th.n{text-align:right;font-variant-numeric:tabular-nums;padding-right:1.2rem}
td.mark{width:2.2rem;font-weight:650}td.part{width:6.5rem;color:var(--soft)}details{margin-top:1rem}
summary{cursor:pointer;font-weight:600}code{font:0.92em ui-monospace,SFMono-Regular,Menlo,monospace}
"""


def as_html(ended: Sequence[Report | Unplayed]) -> str:
    """The whole file; a table before them where there is more than one."""
    title = ended[0].scenario if len(ended) == 1 else f"{len(ended)} drills"
    shown = (_article(one) if isinstance(one, Report) else _unplayed(one) for one in ended)
    articles = "\n".join("\n".join(lines) for lines in shown)
    if len(ended) > 1:
        articles = "\n".join(_row(ended)) + "\n" + articles
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n<body><main>\n{articles}\n</main></body></html>\n"
    )


def _row(ended: Sequence[Report | Unplayed]) -> Iterator[str]:
    counts = collections.Counter(verdict(one) for one in ended)
    said = ", ".join(f"{count} {word}" for word, count in counts.items())
    yield f"<h1>{len(ended)} drills: {escape(said)}</h1>"
    heads = ("drill", "verdict", "seconds", "reads", "writes", "lost")
    yield '<div class="wide"><table><tr>' + "".join(
        f"<th{' class=n' if index > 1 else ''}>{head}</th>" for index, head in enumerate(heads)
    )
    for one in ended:
        word = verdict(one)
        kind = "held" if word == HELD else "broken"
        figures = "".join(f'<td class="n">{escape(text)}</td>' for text in row_figures(one))
        yield f'<tr><td>{escape(one.scenario)}</td><td class="{kind}">{escape(word)}</td>{figures}</tr>'
    yield "</table></div>"


def _unplayed(one: Unplayed) -> Iterator[str]:
    yield f'<article><p class="verdict broken">{UNPLAYED.capitalize()}</p>'
    yield f"<h1>{escape(one.title[:1].upper() + one.title[1:])}</h1><pre>{escape(one.why)}</pre></article>"


def _article(report: Report) -> Iterator[str]:
    kind = "held" if report.held else "broken"
    yield "<article>"
    yield f'<p class="verdict {kind}">{kind.capitalize()}</p>'
    yield f"<h1>{escape(report.title[:1].upper() + report.title[1:])}</h1>"
    yield (
        f'<p class="soft"><code>bicoastal drill {escape(report.scenario)} --pace {escape(report.pace)} --seed '
        f"{report.seed}</code>{escape(_who(report))}</p>"
    )
    yield from _tiles(report)
    yield "<h2>What users got, second by second</h2>"
    if report.served_s is not None:
        yield f'<div class="plot">{time_line(report, report.served_s + _AFTER_S)}</div>'
    yield (
        '<p class="legend"><span><i style="background:var(--served)"></i>served</span>'
        '<span><i style="background:var(--drained)"></i>answered "back in a moment" by the drained gate</span>'
        '<span><i style="background:var(--failed)"></i>failed</span></p>'
    )
    yield from _sentences(report)
    yield "<h2>And the way back</h2>"
    yield f'<div class="plot">{time_line(report)}</div>'
    yield from _compared(report)
    yield from _seen(report)
    yield from _calls(report)
    yield "</article>"


def _who(report: Report) -> str:
    return f" · {report.lost} is lost, {report.survivor} survives" if report.lost else ""


def _tiles(report: Report) -> Iterator[str]:
    loss = report.loss
    tiles = [
        (_s(report.reads.seconds), "until everybody read again"),
        (_s(report.writes.seconds), "until everybody wrote again"),
        ("unknown" if loss is None else str(len(loss.lost)), _rows(report)),
    ]
    if report.lost:
        moved = "until everybody was with the survivor: what the loss alone cost, without the drain"
        forbidden = f"of {len(report.calls)} calls of the operator's path needed what was lost"
        tiles.insert(1, (_s(report.undrained.seconds), moved))
        tiles.append((_s(report.heartbeat_age_s), "the replica was behind just before the loss"))
        tiles.append((str(len(report.forbidden)), forbidden))
    yield '<div class="figures">'
    for value, text in tiles:
        yield f"<div><b>{escape(value)}</b><span>{escape(text)}</span></div>"
    yield "</div>"


def _rows(report: Report) -> str:
    loss = report.loss
    if loss is None:
        return "the rows could not be counted"
    parts = [f"of {loss.acknowledged} acknowledged rows are lost"]
    if loss.diverged is not None:
        parts.append(f"in the old database alone: {len(loss.diverged)}")
    if loss.accepted_before_fence is not None:
        parts.append(f"accepted by it before its fence: {len(loss.accepted_before_fence)}")
    return "; ".join(parts)


def _sentences(report: Report) -> Iterator[str]:
    yield '<h2>What was promised</h2><div class="wide"><table>'
    for said in report.sentences:
        mark, kind = ("✓", "held") if said.held else ("✗", "broken")
        found = f'<br><span class="soft">{escape(said.found)}</span>' if said.found else ""
        yield (
            f'<tr><td class="mark {kind}" title="{kind}">{mark}</td><td class="part">{escape(said.part)}</td>'
            f"<td>{escape(said.text)}{found}</td></tr>"
        )
    yield "</table></div>"


def _compared(report: Report) -> Iterator[str]:
    yield '<h2>Measured and computed</h2><div class="wide"><table>'
    yield '<tr><th></th><th class="n">reads</th><th class="n">writes</th><th></th></tr>'
    yield _compared_row(f"measured, pace {report.pace}", _s(report.reads.seconds), _s(report.writes.seconds), "")
    for coast in sorted({*report.reads.by_coast, *report.writes.by_coast}):
        reads, writes = report.reads.by_coast.get(coast), report.writes.by_coast.get(coast)
        yield _compared_row(f"… from {coast}", _s(reads), _s(writes), "")
    for one in report.predicted:
        without = f"without {one.without}" if one.without else ""
        yield _compared_row(f"computed, {one.where}", str(one.reads), str(one.writes), without)
    yield "</table></div>"
    for one in report.predicted:
        yield f"<details><summary>What {escape(one.where)} is made of</summary><table>"
        for figure in one.figures:
            yield (
                f'<tr><td>{escape(figure.name)}</td><td class="n">{escape(str(figure))}</td>'
                f'<td class="soft">{escape(figure.source)}</td></tr>'
            )
        yield "</table></details>"


def _compared_row(name: str, reads: str, writes: str, note: str) -> str:
    return (
        f'<tr><td>{escape(name)}</td><td class="n">{escape(reads)}</td><td class="n">{escape(writes)}</td>'
        f'<td class="soft">{escape(note)}</td></tr>'
    )


def _seen(report: Report) -> Iterator[str]:
    kinds = list(dict.fromkeys(what for one in report.seconds for what in one))
    if not kinds:
        return
    yield "<details><summary>What users saw, by second from the loss</summary>"
    yield '<div class="wide"><table><tr><th class="n">second</th>'
    yield "".join(f'<th class="n">{escape(kind)}</th>' for kind in kinds) + "</tr>"
    for index, one in enumerate(report.seconds):
        cells = "".join(f'<td class="n">{one.get(kind, 0) or "·"}</td>' for kind in kinds)
        yield f'<tr><td class="n">{report.begins_s + index:.0f}</td>{cells}</tr>'
    yield "</table></div></details>"


def _calls(report: Report) -> Iterator[str]:
    counted: dict[tuple[str, str, str, str], int] = {}
    for call in report.calls:
        key = (call.region, call.service, call.action, call.outcome)
        counted[key] = counted.get(key, 0) + 1
    if not counted:
        return
    yield "<details><summary>What the operator's commands asked of AWS, by the gateway's record</summary>"
    yield (
        '<div class="wide"><table><tr><th>region</th><th>service</th><th>action</th><th>outcome</th>'
        '<th class="n">calls</th></tr>'
    )
    for words, count in _ordered(counted):
        yield f'<tr>{"".join(f"<td>{escape(word)}</td>" for word in words)}<td class="n">{count}</td></tr>'
    yield "</table></div></details>"


def _ordered(counted: Mapping[tuple[str, str, str, str], int]) -> list[tuple[tuple[str, str, str, str], int]]:
    return sorted(counted.items(), key=lambda item: (item[0][0], item[0][1], -item[1]))


def _s(value: float | None) -> str:
    return "unknown" if value is None else f"{value:.1f} s"
