"""M4: the fleet grows on traffic AND (CPU or memory), by its region's thresholds, within the sizes asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator

from bicoastal.cfn.deployment import Resource
from bicoastal.review.case import Case
from bicoastal.review.demand import RegionDemand
from bicoastal.review.model.metric_math import Formula
from bicoastal.review.model.service import Fleet
from bicoastal.review.model.signals import Alarm
from bicoastal.review.verdict import Judgement, number, same, where, yes

TITLE = "Auto scaling on traffic and on CPU or memory"
POLICY = "AWS::AutoScaling::ScalingPolicy"


def judge(case: Case) -> Judgement:
    """A fleet per region of the size and type asked, that grows and shrinks by signals that exist."""
    judgement = Judgement()
    for region in case.demand.regions:
        fleet = case.fleet(region.name)
        if fleet is None:
            judgement.lacks(f"{region.name} has no Auto Scaling group.")
            continue
        _size(case, judgement, fleet)
        _replaced_safely(judgement, fleet)
        outward = _scaling(case, judgement, fleet, up=True)
        inward = _scaling(case, judgement, fleet, up=False)
        for alarm in outward:
            _grows(case, judgement, alarm, region)
        for alarm in inward:
            _shrinks(judgement, alarm)
        _credits(case, judgement, fleet)
    return judgement


def _size(case: Case, judgement: Judgement, fleet: Fleet) -> None:
    item, demand = fleet.resource, case.demand
    judgement.expect(item, ("MinSize",), demand.fleet_min, f"its smallest size is not {demand.fleet_min}")
    judgement.expect(item, ("MaxSize",), demand.fleet_max, f"its largest size is not {demand.fleet_max}")
    if item.get("DesiredCapacity") is not None:
        judgement.lacks(f"{where(item)} sets DesiredCapacity: every deployment would undo what scaling did.")
    if fleet.template is None:
        judgement.lacks(f"{where(item)} has no launch template: it has nothing to start.")
        return
    judgement.expect(
        fleet.template,
        ("LaunchTemplateData", "InstanceType"),
        demand.instance_type,
        f"its instances are not {demand.instance_type}",
        f"instances of {demand.instance_type}, {demand.fleet_min} to {demand.fleet_max} of them",
    )
    judgement.expect(
        fleet.template,
        ("LaunchTemplateData", "Monitoring", "Enabled"),
        True,
        "detailed monitoring is off: CPU comes every five minutes",
    )
    collections = item.items("MetricsCollection")
    metrics = [name for entry in collections if isinstance(entry, dict) for name in entry.get("Metrics") or ["*"]]
    if not {"GroupInServiceInstances", "*"} & set(map(str, metrics)):
        judgement.lacks(f"{where(item)} does not publish how many instances are in service.")


def _replaced_safely(judgement: Judgement, fleet: Fleet) -> None:
    """An update rolls with signals; without them a version that does not start replaces one that does."""
    update, created = fleet.resource.attribute("UpdatePolicy"), fleet.resource.attribute("CreationPolicy")
    rolling = update.get("AutoScalingRollingUpdate") if isinstance(update, dict) else None
    if not isinstance(rolling, dict) or not yes(rolling.get("WaitOnResourceSignals")):
        judgement.lacks(f"{where(fleet.resource)} is not updated by turns with signals of health.")
    if not isinstance(created, dict) or "ResourceSignal" not in created:
        judgement.lacks(f"{where(fleet.resource)} counts as created before an instance has said that it serves.")
    elif fleet.machine and not fleet.machine.unreadable and "signal" not in fleet.machine.everything:
        judgement.lacks(f"{where(fleet.resource)} waits for a signal that its user data never sends.")


def _scaling(case: Case, judgement: Judgement, fleet: Fleet, *, up: bool) -> list[Alarm]:
    """Alarms that are linked to a step policy of the fleet in one direction."""
    linked = []
    for policy in case.deployment.of_type(POLICY, region=fleet.resource.region):
        if case.deployment.resource(policy.get("AutoScalingGroupName")) is not fleet.resource:
            continue
        changes = [
            number(policy.get("StepAdjustments", index, "ScalingAdjustment"))
            for index, _ in enumerate(policy.items("StepAdjustments"))
        ]
        changes.append(number(policy.get("ScalingAdjustment")))
        if not any(change is not None and (change > 0) is up and change != 0 for change in changes):
            continue
        alarms = [
            alarm
            for alarm in case.signals.of(fleet.resource.region)
            if any(case.deployment.resource(action) is policy for action in alarm.actions)
        ]
        if not alarms:
            judgement.lacks(f"{where(policy)}: no alarm sets this policy off.")
        for alarm in alarms:
            linked.append(alarm)
            judgement.found(policy, f"{'grows' if up else 'shrinks'} on the alarm {alarm.resource.logical_id}")
            if _wrong_way(policy, alarm):
                judgement.lacks(
                    f"{where(policy)}: its steps do not lie on the side on which {alarm.resource.logical_id} rings."
                )
        if up and policy.get("EstimatedInstanceWarmup") is None and fleet.resource.get("DefaultInstanceWarmup") is None:
            judgement.lacks(f"{where(policy)} has no warm-up time: it would count instances that do not serve yet.")
    if not linked:
        judgement.lacks(
            f"{where(fleet.resource)} never {'grows' if up else 'shrinks'}: no alarm leads to a policy of it."
        )
    return linked


def _wrong_way(policy: Resource, alarm: Alarm) -> bool:
    bounds = [
        (number(step.get("MetricIntervalLowerBound")), number(step.get("MetricIntervalUpperBound")))
        for step in policy.items("StepAdjustments")
        if isinstance(step, dict)
    ]
    if not bounds:
        return False
    return (
        all(upper is not None and upper <= 0 for _, upper in bounds)
        if alarm.upward
        else all(lower is not None and lower >= 0 and upper is None for lower, upper in bounds)
    )


def _grows(case: Case, judgement: Judgement, alarm: Alarm, region: RegionDemand) -> None:
    """Traffic AND (CPU or memory), each over its own threshold, on metrics that somebody publishes."""
    for text in case.signals.unpublished(alarm):
        judgement.lacks(f"{text}: the fleet never grows on it.")
    kinds = dict(_kinds(alarm))
    for kind, wanted in (
        ("traffic", region.requests_per_minute),
        ("cpu", region.cpu_percent),
        ("memory", region.memory_percent),
    ):
        if kind not in kinds:
            judgement.lacks(f"{where(alarm.resource)} does not look at {kind}.")
            continue
        limits = thresholds(alarm, kinds[kind])
        if not limits or min(limits) <= 0:
            judgement.lacks(f"{where(alarm.resource)} has no threshold above zero for {kind}.")
        elif wanted is not None and kind != "traffic" and wanted not in limits:
            judgement.lacks(f"{where(alarm.resource)}: the threshold for {kind} is {limits[0]:g}, not {wanted}.")
        elif wanted is not None and kind == "traffic" and not any(limit >= wanted for limit in limits):
            judgement.lacks(f"{where(alarm.resource)}: the threshold for traffic, {limits[0]:g}, is below {wanted}.")
    shape = truth_table(alarm, kinds)
    if shape is None:
        judgement.unsure(f"{where(alarm.resource)}: its metric math is not understood.")
    elif shape != _WANTED:
        judgement.lacks(f"{where(alarm.resource)} does not ring on exactly: traffic AND (CPU or memory).")
    else:
        judgement.found(alarm.resource, "traffic AND (CPU OR memory), thresholds above zero", "Metrics")
    if alarm.missing_data == "breaching":
        judgement.lacks(f"{where(alarm.resource)} grows the fleet when data are missing.")


_WANTED = (False, False, False, False, False, True, True, True)
"""Rings or not, by traffic, cpu, memory over their thresholds: 000, 001, ... 111."""


def _kinds(alarm: Alarm) -> Iterator[tuple[str, str]]:
    """What each metric of an alarm stands for, with its id."""
    for metric in alarm.metrics:
        if metric.name in ("RequestCountPerTarget", "RequestCount"):
            yield "traffic", metric.id
        elif metric.name == "CPUUtilization":
            yield "cpu", metric.id
        elif "mem" in metric.name.lower():
            yield "memory", metric.id


def thresholds(alarm: Alarm, id_: str) -> list[float]:
    """Numbers that a metric is compared with in the metric math; the alarm's own threshold for a plain metric."""
    if not id_:
        return [alarm.threshold] if alarm.threshold is not None else []
    found: list[float] = []
    names = {id_}
    for name, expression in alarm.expressions.items():
        if re.fullmatch(rf"\s*(FILL\(\s*{id_}\s*,[^()]*\)|{id_}[\s/*+\-.\d]*)\s*", expression, re.IGNORECASE):
            names.add(name)
    for expression in alarm.expressions.values():
        flat = re.sub(r"FILL\(\s*(\w+)\s*,[^()]*\)", r"\1", expression)
        for name in names:
            for match in re.finditer(rf"\b{name}\b[^<>,&|]*?[<>]=?\s*([\d.]+)", flat):
                found.append(float(match[1]))
    return found


def truth_table(alarm: Alarm, kinds: dict[str, str]) -> tuple[bool, ...] | None:
    """Whether it rings for each combination of traffic, cpu and memory high or zero; None if not computable."""
    rows = []
    for state in range(8):
        high = {"traffic": state & 4, "cpu": state & 2, "memory": state & 1}
        values = {id_: 1e9 if high[kind] else 0.0 for kind, id_ in kinds.items() if id_}
        try:
            result = evaluate(alarm, values)
        except (ValueError, KeyError, TypeError, SyntaxError, ZeroDivisionError, RecursionError):
            return None
        threshold = alarm.threshold
        if threshold is None:
            return None
        rows.append(result >= threshold if "OrEqual" in alarm.operator else result > threshold)
    return tuple(rows)


def evaluate(alarm: Alarm, values: dict[str, float]) -> float:
    """The alarm's metric math over single numbers. Raises ValueError for what is not understood."""
    known = dict(values)

    def value(name: str) -> float:
        if name not in known:
            known[name] = Formula(alarm.expressions[name]).value(value)
        return known[name]

    return Formula(alarm.result).value(value)


def _shrinks(judgement: Judgement, alarm: Alarm) -> None:
    """In only when traffic and CPU are low for long; lower thresholds than out, or the fleet would swing."""
    periods = number(alarm.resource.get("EvaluationPeriods")) or 1
    longest = max((metric.period for metric in alarm.metrics), default=0)
    if periods * longest < 600:
        judgement.lacks(
            f"{where(alarm.resource)} shrinks the fleet after {periods * longest / 60:.0f} minutes: it will swing."
        )
    if alarm.missing_data == "breaching":
        judgement.lacks(f"{where(alarm.resource)} shrinks the fleet when data are missing.")
    judgement.found(alarm.resource, "shrinks after long quiet")


def _credits(case: Case, judgement: Judgement, fleet: Fleet) -> None:
    """Burstable instances throttle in standard mode; in unlimited mode they cost, unseen without an alarm."""
    if not case.demand.instance_type.startswith("t"):
        return
    if not same(fleet.data("CreditSpecification", "CpuCredits"), "unlimited"):
        judgement.lacks(f"{where(fleet.resource)}: burstable instances without unlimited credits throttle at the peak.")
    elif not any(
        alarm.watches("AWS/EC2", "CPUSurplusCreditBalance", "CPUSurplusCreditsCharged")
        and alarm.actions
        and not list(case.signals.unpublished(alarm))
        for alarm in case.signals.of(fleet.resource.region)
    ):
        judgement.lacks(f"{where(fleet.resource)}: nobody is told when surplus CPU credits cost money.")
