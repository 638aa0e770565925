"""`--format html`: one page to send around: the topology drawn, rows, findings, what if. No asset from elsewhere."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from html import escape

from bicoastal.core.findings import Finding, Severity
from bicoastal.review.drawing import STYLE as DRAWING
from bicoastal.review.drawing import as_svg
from bicoastal.review.formats.losses import grouped
from bicoastal.review.formats.text import MARKS, WORDS, asked, inventory
from bicoastal.review.reviewed import Review
from bicoastal.review.topology import topology
from bicoastal.review.verdict import RowVerdict, Verdict
from bicoastal.review.what_if import Effect, Loss, losses

_STYLE = """
:root { color-scheme: light dark; --ground: #ffffff; --ink: #1c2430; --soft: #5a6675; --edge: #d4dae2; --panel: #f4f6f9;
  --delivered: #1b7f3b; --partly: #9a6700; --missing: #b3261e; --unknown: #5a6675; }
@media (prefers-color-scheme: dark) { :root { --ground: #14181f; --ink: #e6ebf2; --soft: #9aa7b8; --edge: #333d4b;
  --panel: #1c222c; --delivered: #6fd18c; --partly: #e3b341; --missing: #ff8a80; --unknown: #9aa7b8; } }
body { font: 16px/1.5 system-ui, sans-serif; background: var(--ground); color: var(--ink); margin: 0 auto;
  max-width: 60rem; padding: 2rem 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 .5rem; } h2 { font-size: 1.15rem; margin: 2rem 0 .5rem; }
p { margin: .25rem 0; } .soft { color: var(--soft); } code { font-size: .9em; overflow-wrap: anywhere; }
.scroll { overflow-x: auto; } svg { max-width: 100%; height: auto; }
table { border-collapse: collapse; width: 100%; } td, th { text-align: left; vertical-align: top;
  padding: .4rem .6rem; border-bottom: 1px solid var(--edge); } th { font-weight: 600; }
details { margin: .2rem 0; } summary { cursor: pointer; } ul { margin: .25rem 0; padding-left: 1.2rem; }
.verdict { white-space: nowrap; font-weight: 600; }
.delivered { color: var(--delivered); } .partly { color: var(--partly); }
.missing { color: var(--missing); } .unknown { color: var(--unknown); }
.finding { border: 1px solid var(--edge); border-left-width: 4px; border-radius: 6px; background: var(--panel);
  padding: .6rem .8rem; margin: .6rem 0; }
.finding.error { border-left-color: var(--missing); } .finding.warning { border-left-color: var(--partly); }
.finding p { color: var(--ink); }
"""
_CONTROL = re.compile("[\x00-\x1f\ud800-\udfff]")
_EFFECTS = {
    Effect.GOES_ON: "delivered",
    Effect.INTERRUPTED: "partly",
    Effect.MANUAL: "partly",
    Effect.STOPS: "missing",
    Effect.UNKNOWN: "unknown",
}


def as_html(done: Review, findings: Sequence[Finding], *, source: str) -> str:
    """The page."""
    delivered = sum(row.verdict is Verdict.DELIVERED for row in done.rows)
    title = f"{delivered} of {len(done.rows)} rows delivered"
    parts = [
        "<!doctype html>",
        '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
        f"<title>Review: {title}</title><style>{_STYLE}{DRAWING}</style></head><body><main>",
        f"<h1>{title}</h1>",
        f"<p>Asked: {_safe(asked(done.demand))} <span class=soft>({_safe(source)})</span></p>",
        f"<p>There is: {_safe(inventory(done.deployment))}</p>",
        f'<div class="scroll">{as_svg(topology(done.case), alone=False)}</div>',
        "<h2>Asked and delivered</h2><table>",
        *(_row(row) for row in done.rows),
        "</table>",
        *_findings(findings, done.suppressed),
        *_what_if(losses(done.case)),
        "</main></body></html>\n",
    ]
    return "\n".join(parts)


def _row(row: RowVerdict) -> str:
    mark, _ = MARKS[row.verdict]
    lacks = "".join(
        f"<li>{_safe(text)}</li>" for text in (*row.missing, *(f"can't tell: {doubt}" for doubt in row.doubts))
    )
    proof = "".join(
        f"<li>{_safe(item.region)} {_safe(item.resource)}: {_safe(item.text)} "
        f"<code>{_safe(item.template)}:{item.line}</code></li>"
        for item in row.evidence[:20]
    )
    more = f"<li>and {len(row.evidence) - 20} more</li>" if len(row.evidence) > 20 else ""
    shown = f"<ul>{lacks}</ul>" if lacks else ""
    if proof:
        shown += f"<details><summary class=soft>what proves it</summary><ul>{proof}{more}</ul></details>"
    verdict = f'<td class="verdict {row.verdict.value}">{mark} {WORDS[row.verdict]}</td>'
    return f"<tr><td>{row.id}</td>{verdict}<td>{_safe(row.title)}{shown}</td></tr>"


def _findings(findings: Sequence[Finding], suppressed: int) -> Iterator[str]:
    shown = [finding for finding in findings if finding.severity is not Severity.INFO]
    yield "<h2>What is wrong with what is there</h2>"
    if not shown:
        yield "<p>Nothing was found.</p>"
    for finding in shown:
        where = f" in {_safe(finding.region)}" if finding.region else ""
        detail = f"<p>{_safe(finding.detail)}</p>" if finding.detail else ""
        remedy = f"<p>→ {_safe(finding.remedy)}</p>" if finding.remedy else ""
        yield (
            f'<div class="finding {finding.severity.value}"><strong>{_safe(finding.title)}</strong>'
            f"<p class=soft><code>{_safe(str(finding.location))}</code>{where} [{_safe(finding.rule)}]</p>"
            f"{detail}{remedy}</div>"
        )
    unclear = [finding for finding in findings if finding.severity is Severity.INFO]
    if unclear:
        items = "".join(
            f"<li><code>{_safe(str(one.location))}</code>: {_safe(one.title)}</li>" for one in unclear[:200]
        )
        yield f"<details><summary>{len(unclear)} things could not be told</summary><ul>{items}</ul></details>"
    if suppressed:
        yield f"<p class=soft>{suppressed} suppressed in the templates, with a reason.</p>"


def _what_if(found: Sequence[Loss]) -> Iterator[str]:
    yield "<h2>What if</h2>"
    if not found:
        yield "<p>Nothing here serves anybody, so there is nothing to lose.</p>"
    for who, loss in grouped(found):
        yield f"<h3>{_safe(who)} is lost</h3><table>"
        for line in loss.lines:
            style = f"verdict {_EFFECTS[line.effect]}"
            yield (
                f'<tr><td>{_safe(line.part)}</td><td class="{style}">{_safe(line.effect.value)}</td>'
                f"<td>{_safe(line.text)}</td></tr>"
            )
        yield "</table>"


def _safe(text: str) -> str:
    return escape(_CONTROL.sub(" ", text))
