"""A review as people read it, in the order in which a colleague would say it. Decides nothing.

what was asked, what is there         two sentences
each row and its verdict              a line each: all there is to read where everything is delivered
what each lacks                       the few things that matter; all of them are in the JSON
what is wrong with what is there      findings, with their places and the next move
what to do first                      rows stand on each other: a network before what is in it
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Sequence

from bicoastal.cfn.deployment import Deployment
from bicoastal.cfn.load import SKIPPED
from bicoastal.cfn.nested import RULE as NOT_HERE
from bicoastal.core.findings import Finding, Severity
from bicoastal.review.demand import Demand
from bicoastal.review.verdict import RowVerdict, Verdict

_WIDTH = 100
_SHOWN = {Verdict.MISSING: 3, Verdict.PARTLY: 6, Verdict.UNKNOWN: 6, Verdict.DELIVERED: 0}
"""Lines shown of what a row lacks; the rest are counted, and are in the JSON."""
_FINDINGS = 20
"""Findings shown in full."""
_FEW = 8
"""Up to so many resources are named one by one."""
_FIRST = ("M6", "M5", "M14", "M4", "M3", "M2", "M1", "M9", "M8", "M13", "M11", "M12", "M7", "M10")
"""The order in which rows stand on each other."""
_MOSTLY_MISSING = 0.6
"""From this share of missing rows on, starting from what `synth` writes is less work."""
WORDS = {
    Verdict.DELIVERED: "delivered",
    Verdict.PARTLY: "partly",
    Verdict.MISSING: "missing",
    Verdict.UNKNOWN: "can't tell",
}
MARKS = {
    Verdict.DELIVERED: ("✓", "green"),
    Verdict.PARTLY: ("~", "yellow"),
    Verdict.MISSING: ("✗", "red"),
    Verdict.UNKNOWN: ("?", "yellow"),
}
Line = tuple[str, str]
"""A line and its color; empty for none."""


def as_text(
    rows: Sequence[RowVerdict],
    deployment: Deployment,
    findings: Sequence[Finding],
    *,
    demand: Demand,
    source: str,
    suppressed: int = 0,
    cases: int = 1,
    known: int = 0,
) -> Iterator[Line]:
    """The whole report. `source`: where the demand comes from; `known`: what a baseline has left out."""
    for sentence in (f"Asked: {asked(demand)} ({source}).", f"There is: {inventory(deployment)}."):
        yield from _plain(_wrapped(sentence))
    if cases > 1:
        yield from _plain(
            _wrapped(f"Conditions that depend on parameters without a value were looked at in {cases} cases.")
        )
    yield "", ""
    width = max((len(row.title) for row in rows), default=0)
    for row in rows:
        mark, color = MARKS[row.verdict]
        yield f" {mark} {row.id:<4}{row.title:<{width}}  {WORDS[row.verdict]}", color
    undone = [row for row in rows if row.verdict is not Verdict.DELIVERED]
    regions = [region.name for region in demand.regions]
    if undone:
        yield "", ""
        yield "What is not there:", ""
    for row in undone:
        yield from _plain(_lacking(row, regions))
    yield from _found(findings)
    yield from _not_looked_at(findings)
    yield "", ""
    yield from _plain(_conclusion(rows, undone, findings, regions, suppressed=suppressed, known=known))


def asked(demand: Demand) -> str:
    """The request in one clause."""
    if demand.standby is None:
        return f"a web application in {demand.home.name}"
    return f"a web application in two regions, {demand.home.name} (home) and {demand.standby.name}"


def inventory(deployment: Deployment) -> str:
    """What the templates hold: each thing by name where they are few, counted where they are many."""
    where = " and ".join(deployment.regions)
    found = deployment.resources
    if len(found) > _FEW:
        stacks = f"{len(deployment.stacks)} stack{'' if len(deployment.stacks) == 1 else 's'}"
        return f"{len(found)} resources in {stacks}, in {where}"
    things = [f"{item.logical_id} ({item.type.removeprefix('AWS::').replace('::', ' ')})" for item in found]
    return f"{', '.join(things) or 'nothing'}, in {where or 'no region'}"


def _plain(lines: Sequence[str] | Iterator[str]) -> Iterator[Line]:
    for line in lines:
        yield line, ""


def _wrapped(text: str, first: str = "", rest: str = "") -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent=first, subsequent_indent=rest, break_long_words=False, break_on_hyphens=False
    )


def together(texts: Sequence[str], regions: Sequence[str]) -> list[str]:
    """Sentences that say the same of every region, as one."""
    if len(regions) < 2:
        return list(texts)
    found: dict[str, str] = {}
    said = set(texts)
    for text in texts:
        region = next((name for name in regions if text.startswith(name)), "")
        same = [text.replace(region, other, 1) for other in regions] if region else []
        plural = re.match(r"(?P<verb> has | does |: )", text.removeprefix(region)) if region else None
        if plural and said.issuperset(same):
            verb = {" has ": " have ", " does ": " do "}.get(plural["verb"], ": ")
            found.setdefault(same[0], f"{' and '.join(regions)}{verb}{text.removeprefix(region)[plural.end() :]}")
        else:
            found.setdefault(text, text)
    return list(found.values())


def _lacking(row: RowVerdict, regions: Sequence[str]) -> Iterator[str]:
    lines = [("", text) for text in together(row.missing, regions)]
    lines += [("can't tell: ", text) for text in together(row.doubts, regions)]
    shown = _SHOWN[row.verdict]
    for index, (mark, text) in enumerate(lines[:shown]):
        yield from _wrapped(mark + text, f"  {row.id if index == 0 else '':<4} - ", " " * 9)
    if len(lines) > shown:
        yield f"         and {len(lines) - shown} more of the kind (--format json has all of them)"
    if row.evidence and row.missing:
        there = list(dict.fromkeys(f"{item.resource} ({item.text})" for item in row.evidence))
        yield from _wrapped("there is: " + ", ".join(there[:3]) + (", ..." if len(there) > 3 else ""), " " * 9, " " * 9)


def _found(findings: Sequence[Finding]) -> Iterator[Line]:
    """Errors and warnings; what cannot be told is counted, and is in the JSON."""
    said: dict[tuple[str, ...], list[str]] = {}
    for finding in findings:
        if finding.severity is not Severity.INFO:
            place = f"{finding.location}: {finding.severity}: {finding.title}"
            said.setdefault((place, finding.rule, finding.detail, finding.remedy), []).append(finding.region)
    if said:
        yield "", ""
        yield "What is wrong with what is there:", ""
    for (place, rule, detail, remedy), regions in list(said.items())[:_FINDINGS]:
        where = f" (in {' and '.join(dict.fromkeys(regions))})" if all(regions) else ""
        yield f"{place}{where} [{rule}]", "red" if ": error: " in place else "yellow"
        for mark, text in (("   ", detail), ("    ->", remedy)):
            if text:
                yield from _plain(_wrapped(text, f"{mark} ", "    "))
    if len(said) > _FINDINGS:
        yield f"and {len(said) - _FINDINGS} more (--format json has all of them)", ""
    unclear = sum(item.severity is Severity.INFO and item.rule not in (SKIPPED, NOT_HERE) for item in findings)
    if unclear:
        yield "", ""
        yield f"{unclear} more could not be told from the templates (--format json says why).", ""


def _not_looked_at(findings: Sequence[Finding]) -> Iterator[Line]:
    missing = [finding for finding in findings if finding.rule in (SKIPPED, NOT_HERE)]
    if missing:
        yield "", ""
        yield "Not looked at:", ""
    for finding in missing[:_FEW]:
        yield f"  {finding.location}: {finding.title}", ""
    if len(missing) > _FEW:
        yield f"  and {len(missing) - _FEW} more files", ""


def _conclusion(
    rows: Sequence[RowVerdict],
    undone: Sequence[RowVerdict],
    findings: Sequence[Finding],
    regions: Sequence[str],
    *,
    suppressed: int,
    known: int,
) -> Iterator[str]:
    left = [
        f"{count} {word}"
        for count, word in ((suppressed, "suppressed with a reason"), (known, "known from the baseline"))
        if count
    ]
    if left:
        yield f"Not counted: {', '.join(left)}."
    count = {verdict: sum(row.verdict is verdict for row in rows) for verdict in Verdict}
    if undone:
        parts = [f"{count[verdict]} {WORDS[verdict]}" for verdict in Verdict if count[verdict]]
        yield f"Of {len(rows)} rows: {', '.join(parts)}."
        if not any(finding.severity is not Severity.INFO for finding in findings):
            yield "No fault was found in what is there; it is not yet what was asked."
    else:
        yield f"All {len(rows)} rows are delivered."
    by_id = {row.id: row for row in undone if row.missing}
    steps = [by_id[id_] for id_ in _FIRST if id_ in by_id][:3]
    wrong = next((finding for finding in findings if finding.severity is Severity.ERROR), None)
    if wrong is not None and wrong.remedy:
        yield from _wrapped(f"First: {wrong.remedy} ({wrong.location})")
    elif steps:
        first = steps[0]
        after = f" Then {' and '.join(row.id for row in steps[1:])}." if len(steps) > 1 else ""
        text = together(first.missing, regions)[0]
        yield from _wrapped(f"Begin with {first.id}, which others stand on: {text}{after}")
    if len(regions) > 1 and rows and count[Verdict.MISSING] >= _MOSTLY_MISSING * len(rows):
        yield from _wrapped(
            "So much is missing that starting from a complete set is less work: `bicoastal init` and `bicoastal synth`"
            " write all of it, to read or to deploy."
        )
