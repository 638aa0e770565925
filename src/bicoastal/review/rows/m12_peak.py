"""M12: under a peak the fleet grows first, then users spill over, and only long quiet shrinks it."""

from __future__ import annotations

from bicoastal.review.case import Case
from bicoastal.review.model.resolution import load_limit
from bicoastal.review.model.service import Fleet
from bicoastal.review.model.signals import Alarm
from bicoastal.review.rows.m04_scaling import policies
from bicoastal.review.verdict import Judgement, number, where

TITLE = "Adjusts by itself under peak load, in the right order"
_PROMPT_S = 300
"""A fleet that reacts later than this has lost its users."""


def judge(case: Case) -> Judgement:
    """Scale-out at lower load and sooner than spill-over; scale-in later than both."""
    judgement = Judgement()
    for region in case.regions:
        fleet = case.fleet(region)
        grows = _alarms(case, fleet, up=True)
        shrinks = _alarms(case, fleet, up=False)
        if not grows:
            other = case.runs_otherwise(region) if fleet is None else ""
            if other:
                judgement.unsure(f"{other}: what it does under load is not looked into.")
            else:
                judgement.lacks(f"{region} does not grow under load.")
            continue
        out = min(_delay(alarm) for alarm in grows)
        if out > _PROMPT_S:
            judgement.lacks(f"{where(grows[0].resource)} grows the fleet only after {out / 60:.0f} minutes.")
        else:
            judgement.found(grows[0].resource, f"grows after {out / 60:.0f} min of load")
        for alarm in shrinks:
            if _delay(alarm) <= out:
                judgement.lacks(f"{where(alarm.resource)} shrinks the fleet as fast as it grows: it will swing.")
            else:
                judgement.found(alarm.resource, f"shrinks after {_delay(alarm) / 60:.0f} min of quiet")
        if not shrinks:
            judgement.lacks(f"{region} never shrinks after a peak.")
        _order(case, judgement, region, grows)
    return judgement


def _alarms(case: Case, fleet: Fleet | None, *, up: bool) -> list[Alarm]:
    return [alarm for _, alarms in policies(case, fleet, up=up) for alarm in alarms] if fleet else []


def _delay(alarm: Alarm) -> float:
    """Seconds of a condition until the alarm rings."""
    periods = number(alarm.resource.get("DatapointsToAlarm")) or number(alarm.resource.get("EvaluationPeriods")) or 1
    return periods * max((metric.period for metric in alarm.metrics), default=60.0)


def _order(case: Case, judgement: Judgement, region: str, grows: list[Alarm]) -> None:
    """Where users can spill over, the limit for that lies above the one for growing."""
    spilling = [
        (limit, alarm)
        for check in case.names.checks
        if (alarm := case.resolution.alarm_of(check)) is not None
        and alarm.resource.region == region
        and (limit := load_limit(alarm, case.demand.fleet_max)) is not None
    ]
    for alarm in grows:
        trigger = case.trigger(alarm)
        grow = None if trigger.unclear else trigger.limit("traffic")
        if grow is None or not spilling:
            continue
        lowest, first = min(spilling, key=lambda pair: pair[0])
        if lowest <= grow:
            judgement.lacks(f"{where(first.resource)} sends users away at {lowest:.0f}; the fleet grows at {grow:.0f}.")
        else:
            judgement.found(
                alarm.resource, f"grows at {grow:.0f} requests; users leave from {lowest:.0f} on", "Metrics"
            )
