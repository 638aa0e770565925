"""M12: under a peak the fleet grows first, then users spill over, and only long quiet shrinks it."""

from __future__ import annotations

from bicoastal.review.case import Case
from bicoastal.review.model.signals import Alarm
from bicoastal.review.rows.m04_scaling import thresholds
from bicoastal.review.verdict import Judgement, number, where

TITLE = "Adjusts by itself under peak load, in the right order"
_PROMPT_S = 300
"""A fleet that reacts later than this has lost its users."""


def judge(case: Case) -> Judgement:
    """Scale-out at lower load and sooner than spill-over; scale-in later than both."""
    judgement = Judgement()
    for region in case.regions:
        grows = [alarm for alarm in _alarms(case, region) if alarm.upward and _scales(case, alarm)]
        shrinks = [alarm for alarm in _alarms(case, region) if _scales(case, alarm) and alarm not in grows]
        if not grows:
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
    _order(case, judgement)
    return judgement


def _alarms(case: Case, region: str) -> list[Alarm]:
    return case.signals.of(region)


def _scales(case: Case, alarm: Alarm) -> bool:
    targets = [case.deployment.resource(action) for action in alarm.actions]
    return any(
        target is not None
        and target.type == "AWS::AutoScaling::ScalingPolicy"
        and case.deployment.resource(target.get("AutoScalingGroupName")) is not None
        for target in targets
    )


def _delay(alarm: Alarm) -> float:
    """Seconds of a condition until the alarm rings."""
    periods = number(alarm.resource.get("DatapointsToAlarm")) or number(alarm.resource.get("EvaluationPeriods")) or 1
    return periods * max((metric.period for metric in alarm.metrics), default=60.0)


def _order(case: Case, judgement: Judgement) -> None:
    """Where users can spill over, the limit for that lies above the one for growing."""
    spilling: dict[str, list[tuple[float, Alarm]]] = {}
    for check in case.names.checks:
        alarm = case.resolution.alarm_of(check)
        if alarm and alarm.threshold is not None and alarm.watches("AWS/ApplicationELB", "RequestCountPerTarget"):
            spilling.setdefault(alarm.resource.region, []).append((alarm.threshold, alarm))
    for region, limits in spilling.items():
        for alarm in _alarms(case, region):
            if not (alarm.upward and _scales(case, alarm)):
                continue
            traffic = [metric.id for metric in alarm.metrics if metric.name.startswith("RequestCount")]
            grow = max((value for id_ in traffic for value in thresholds(alarm, id_)), default=0.0)
            lowest, first = min(limits, key=lambda pair: pair[0])
            if lowest <= grow:
                judgement.lacks(
                    f"{where(first.resource)} sends users away at {lowest:g} requests; the fleet grows at {grow:g}."
                )
            else:
                judgement.found(first.resource, f"users leave from {lowest:g} requests on; the fleet grows at {grow:g}")
