"""`bicoastal budget`: what a deployment costs a month, and how long users wait for what."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from bicoastal.cfn.deployment import Deployment
from bicoastal.cfn.load import read_all
from bicoastal.cli.review import DEFAULT_FOLDER, Asked, given_parameters, placed
from bicoastal.costs.estimate import Estimate, estimate
from bicoastal.costs.prices import prices
from bicoastal.resilience.figures import Figure
from bicoastal.resilience.local_loss import Outcome
from bicoastal.resilience.outcomes import outcomes
from bicoastal.resilience.promise import Kept, kept
from bicoastal.review.demand import Demand

_WIDTH = 100
_COLORS = {Kept.KEPT: "green", Kept.BROKEN: "red", Kept.NOT_PROVEN: "yellow"}
Promise = tuple[str, str, float, Figure | None, Kept]
"""What was promised, in words, in seconds; what was reckoned; and what becomes of it."""


@click.command("budget")
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path, exists=True), metavar="[PATH]...")
@click.option(
    "-s", "--spec", type=click.Path(path_type=Path), help="Whose promise is compared; bicoastal.yaml, if there."
)
@click.option("-d", "--demand", metavar="PROFILE|FILE", help="The same from a profile or a file of demands.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--region", "regions", multiple=True, metavar="FILE=REGION[,REGION]", help="As `review` takes it.")
@click.option("--parameter", "parameters", multiple=True, metavar="[TEMPLATE:]NAME=VALUE", help="As `review` takes it.")
@click.option("--sources", is_flag=True, help="Print the source of every figure, too; the JSON always has them.")
@click.pass_context
def command(
    context: click.Context,
    *,
    paths: tuple[Path, ...],
    spec: Path | None,
    demand: str | None,
    form: str,
    regions: tuple[str, ...],
    parameters: tuple[str, ...],
    sources: bool,
) -> None:
    """Reckon the monthly cost by row, and RTO and RPO by failure and phase, from the templates' own values.

    PATH is what `review` takes. Ends with 1 where what was reckoned breaks a promise of the spec.
    """
    if not paths and not DEFAULT_FOLDER.exists():
        raise click.UsageError("There is no deployment/ here: `bicoastal synth` writes it. Or name your templates.")
    reading = read_all(paths or (DEFAULT_FOLDER,), placed(regions), given=given_parameters(parameters, ()))
    deployment = reading.deployment()
    bill, found = estimate(deployment), outcomes(deployment)
    compared = promises(Asked(spec, demand).demand(deployment), found)
    if form == "json":
        click.echo(json.dumps(as_data(bill, found, compared), indent=2, ensure_ascii=False))
    else:
        for line, color in as_text(bill, found, compared, deployment, sources=sources):
            click.secho(line, fg=color or None)
    context.exit(1 if any(verdict is Kept.BROKEN for *_, verdict in compared) else 0)


def promises(demand: Demand, found: Sequence[Outcome]) -> list[Promise]:
    """What was promised for the loss of the home region, beside what was reckoned for it."""
    writes = [one for one in found if one.failure == "the region" and one.region == demand.home.name]
    writes = [one for one in writes if one.what.startswith("writes") or one.what == "everything"]
    rto = writes[0].rto if writes else None
    rpo = writes[0].rpo if writes else None
    compared: list[Promise] = []
    if demand.rto_minutes is not None:
        seconds = demand.rto_minutes * 60.0
        compared.append(("rto", f"writes within {demand.rto_minutes} min", seconds, rto, kept(seconds, rto)))
    if demand.rpo_seconds is not None:
        seconds = float(demand.rpo_seconds)
        compared.append(("rpo", f"at most {demand.rpo_seconds} s of writes lost", seconds, rpo, kept(seconds, rpo)))
    return compared


def open_ended(figure: Figure, found: Sequence[Outcome]) -> str:
    """Why a figure has no upper end: its own source, or that of the phase without one."""
    own = next((one for one in found if figure in (one.rto,)), None)
    phases = [phase for phase in own.phases if phase.most is None] if own else []
    return "; ".join(f"{phase.name} ({phase.source})" for phase in phases) or figure.source


# For machines.


def as_data(bill: Estimate, found: Sequence[Outcome], compared: Sequence[Promise]) -> dict[str, Any]:
    """Everything, each figure with its source."""
    table = prices()
    return {
        "cost": {
            "currency": "USD",
            "prices": {"date": table.date, "about": table.about},
            "monthly": {"least": round(bill.least, 2), "most": round(bill.most, 2)},
            "rows": [
                {"id": row, "least": round(least, 2), "most": round(most, 2)}
                for row, (least, most) in bill.by_row().items()
            ],
            "lines": [
                {
                    "row": cost.row, "what": cost.what, "region": cost.region, "least": round(cost.least, 2),
                    "most": round(cost.most, 2), "how": cost.how, "source": cost.source,
                    "seen": cost.seen,
                }
                for cost in bill.costs
            ],
            "unknown": [{"what": one.what, "region": one.region, "why": one.why} for one in bill.unknown],
            "by_use": list(bill.by_use),
        },
        "failures": [
            {
                "failure": one.failure, "region": one.region, "what": one.what, "rto": _figure(one.rto),
                "rpo": _figure(one.rpo), "phases": [_figure(phase) for phase in one.phases], "unknown": one.why_unknown,
            }
            for one in found
        ],
        "promises": [
            {
                "name": name, "promised": text, "promised_s": seconds, "reckoned": _figure(figure),
                "verdict": verdict.value,
            }
            for name, text, seconds, figure, verdict in compared
        ],
    }  # fmt: skip


def _figure(figure: Figure | None) -> dict[str, Any] | None:
    if figure is None:
        return None
    return {"name": figure.name, "least_s": figure.least, "most_s": figure.most, "source": figure.source}


# For people.


def as_text(
    bill: Estimate, found: Sequence[Outcome], compared: Sequence[Promise], deployment: Deployment, *, sources: bool
) -> Iterator[tuple[str, str]]:
    """Lines and the color of each."""
    yield from ((line, "") for line in _cost_lines(bill, deployment, sources=sources))
    yield "", ""
    yield "How long users wait, and what may be lost:", ""
    yield f"  {'lost':<36}{'what waits':<36}{'RTO':<20}RPO", ""
    for one in found:
        rto = _short(one.rto) if one.rto else "unknown"
        rpo = _short(one.rpo) if one.rpo else "" if one.rto else "unknown"
        yield f"  {_cut(f'{one.failure}, {one.region}', 34):<36}{_cut(one.what, 34):<36}{rto:<20}{rpo}".rstrip(), ""
        if one.why_unknown:
            yield from _wrapped(f"unknown: {one.why_unknown}", "      ")
        for phase in one.phases if sources or len(one.phases) > 1 else ():
            yield f"      {phase.name}: {_short(phase)}", ""
            if sources:
                yield from _wrapped(phase.source, "        ")
    for _, text, _, figure, verdict in compared:
        yield "", ""
        reckoned = f"{_short(figure)} by what is known" if figure else "nothing is known"
        yield f"Promised: {text}. Reckoned: {reckoned}: {verdict}.", _COLORS[verdict]
        if verdict is Kept.NOT_PROVEN and figure is not None:
            yield from _wrapped(f"Not bounded: {open_ended(figure, found)}.", "  ")
    if not sources:
        yield "", ""
        yield "Each figure's source: --sources, or --format json.", ""


def _cost_lines(bill: Estimate, deployment: Deployment, *, sources: bool) -> Iterator[str]:
    from bicoastal.review.asked import ROWS  # noqa: PLC0415 - the titles of the rows

    titles = {row.id: row.title for row in ROWS}
    table = prices()
    yield f"A month in {' and '.join(deployment.regions)}: {_money(bill.least, bill.most)}, and what depends on use."
    yield f"List prices, on demand, {table.hours} hours, checked {table.date}; fleets from their least to their most."
    if not bill.costs:
        yield "Nothing here costs anything while nobody uses it, as far as the table of prices knows."
    for row, (least, most) in bill.by_row().items():
        yield f"  {row:<4}{_cut(titles.get(row, ''), 66):<68}{_money(least, most):>22}"
    total = bill.most or 1.0
    first = [f"{what} {_money(least, most)} ({most / total:.0%})" for what, least, most in bill.by_kind()[:4]]
    if first:
        yield from (line for line, _ in _wrapped(f"Most of it: {', '.join(first)}.", ""))
    guessed = [f"{cost.how} ({cost.region})" for cost in bill.costs if not cost.confirmed]
    if guessed:
        text = f"Prices from memory, confirmed by nothing that was read: {'; '.join(guessed)}."
        yield from (line for line, _ in _wrapped(text, ""))
    for one in bill.unknown[:8]:
        yield f"  not priced: {one.what} in {one.region}: {one.why}"
    if len(bill.unknown) > 8:
        yield f"  not priced: {len(bill.unknown) - 8} more"
    yield from (line for line, _ in _wrapped(f"By use, not in the sum: {'; '.join(bill.by_use)}.", ""))
    for cost in bill.costs if sources else ():
        yield f"  {cost.region} {cost.what}: {cost.how}"
        for text in (cost.source, f"seen: {cost.seen}"):
            yield from (line for line, _ in _wrapped(text, "      "))


def _money(least: float, most: float) -> str:
    return f"${least:,.2f}" if round(least, 2) == round(most, 2) else f"${least:,.2f} to ${most:,.2f}"


def _short(figure: Figure) -> str:
    def spoken(seconds: float) -> str:
        minutes, rest = divmod(round(seconds), 60)
        return f"{seconds:g} s" if seconds < 300 else f"{minutes} min{f' {rest} s' if rest else ''}"

    if figure.most is None:
        return f"{spoken(figure.least)} or more" if figure.least else "not bounded"
    if figure.least == figure.most:
        return spoken(figure.most)
    return (
        f"{figure.least:g}-{figure.most:g} s"
        if figure.most < 300
        else f"{spoken(figure.least)} - {spoken(figure.most)}"
    )


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _wrapped(text: str, indent: str) -> Iterator[tuple[str, str]]:
    for line in textwrap.wrap(text, _WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False):
        yield line, ""
