"""M4: the fleet grows on traffic AND (CPU or memory), by its region's thresholds, within the sizes asked for."""

from __future__ import annotations

from collections.abc import Iterator

from bicoastal.cfn.deployment import Resource
from bicoastal.review.case import Case
from bicoastal.review.demand import RegionDemand
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
            other = case.runs_otherwise(region.name)
            if other:
                judgement.unsure(f"{other}: whether and how that grows is not looked into.")
            else:
                judgement.lacks(f"{region.name} has no Auto Scaling group.")
            continue
        _size(case, judgement, fleet)
        _replaced_safely(judgement, fleet)
        outward = _scaling(case, judgement, fleet, up=True)
        inward = _scaling(case, judgement, fleet, up=False)
        for alarm in outward:
            _grows(case, judgement, alarm, region)
        for alarm in inward:
            _shrinks(case, judgement, alarm, outward)
        _credits(case, judgement, fleet)
    return judgement


def _size(case: Case, judgement: Judgement, fleet: Fleet) -> None:
    item, demand = fleet.resource, case.demand
    judgement.expect(item, ("MinSize",), demand.fleet_min, f"its smallest size is not {demand.fleet_min}")
    judgement.expect(item, ("MaxSize",), demand.fleet_max, f"its largest size is not {demand.fleet_max}")
    if item.get("DesiredCapacity") is not None:
        judgement.lacks(f"{where(item)} sets DesiredCapacity: every deployment would undo what scaling did.")
    if fleet.template is None:
        if fleet.configured:
            judgement.unsure(f"{where(item)} starts by {fleet.configured}: what it starts is not looked into.")
        else:
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
    for policy, alarms in policies(case, fleet, up=up):
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


def policies(case: Case, fleet: Fleet, *, up: bool) -> Iterator[tuple[Resource, list[Alarm]]]:
    """The fleet's policies in one direction, each with the alarms that set it off."""
    for policy in case.deployment.of_type(POLICY, region=fleet.resource.region):
        if case.deployment.resource(policy.get("AutoScalingGroupName")) is not fleet.resource:
            continue
        changes = [
            number(policy.get("StepAdjustments", index, "ScalingAdjustment"))
            for index, _ in enumerate(policy.items("StepAdjustments"))
        ]
        changes.append(number(policy.get("ScalingAdjustment")))
        if any(change is not None and change != 0 and (change > 0) is up for change in changes):
            yield (
                policy,
                [
                    alarm
                    for alarm in case.signals.of(fleet.resource.region)
                    if any(case.deployment.resource(action) is policy for action in alarm.actions)
                ],
            )


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
    if alarm.missing_data == "breaching":
        judgement.lacks(f"{where(alarm.resource)} grows the fleet when data are missing.")
    trigger = case.trigger(alarm)
    if trigger.unclear:
        judgement.unsure(f"{where(alarm.resource)}: its metric math is not understood: {trigger.unclear}.")
        return
    if trigger.table() != _WANTED:
        judgement.lacks(f"{where(alarm.resource)} does not ring on exactly: traffic AND (CPU or memory).")
        return
    asked = {"traffic": region.requests_per_minute, "cpu": region.cpu_percent, "memory": region.memory_percent}
    limits = {}
    for kind, wanted in asked.items():
        limits[kind] = limit = trigger.limit(kind)
        if limit is None or limit <= 0:
            judgement.lacks(f"{where(alarm.resource)} has no threshold above zero for {kind}.")
        elif wanted is not None and not wanted <= limit <= wanted * 1.001 + (_PROBES if kind == "traffic" else 0):
            # The balancer counts health checkers' probes: a traffic threshold lies a little above the users' own.
            judgement.lacks(f"{where(alarm.resource)}: the threshold for {kind} is {limit:.0f}, not {wanted}.")
    spoken = ", ".join(f"{kind} {limit:.0f}" for kind, limit in limits.items() if limit is not None)
    judgement.found(alarm.resource, f"grows on traffic AND (CPU or memory), over {spoken}", "Metrics")


_PROBES = 120
"""Requests a minute of Route 53's health checkers, generously: all of them at one instance."""
_WANTED = (False, False, False, False, False, True, True, True)
"""Rings or not, by traffic, cpu, memory over their thresholds: 000, 001, ... 111."""


def _shrinks(case: Case, judgement: Judgement, alarm: Alarm, outward: list[Alarm]) -> None:
    """In only when all is low for long, and lower than out by half, or the fleet would swing."""
    for text in case.signals.unpublished(alarm):
        judgement.lacks(f"{text}: the fleet never shrinks on it.")
    periods = number(alarm.resource.get("EvaluationPeriods")) or 1
    longest = max((metric.period for metric in alarm.metrics), default=0)
    if periods * longest < 600:
        minutes = periods * longest / 60
        judgement.lacks(f"{where(alarm.resource)} shrinks the fleet after {minutes:.0f} minutes: it will swing.")
    if alarm.missing_data == "breaching":
        judgement.lacks(f"{where(alarm.resource)} shrinks the fleet when data are missing.")
    trigger = case.trigger(alarm)
    if trigger.unclear:
        judgement.unsure(f"{where(alarm.resource)}: its metric math is not understood: {trigger.unclear}.")
        return
    from bicoastal.review.model.trigger import HIGH  # noqa: PLC0415 - it brings an evaluator of metric math

    if not trigger.rings() or trigger.rings(traffic=HIGH) or trigger.rings(cpu=HIGH):
        judgement.lacks(f"{where(alarm.resource)} does not ring on exactly: traffic AND CPU low.")
        return
    for one in outward:
        out = case.trigger(one)
        for kind in ("traffic", "cpu"):
            low, high = trigger.limit(kind), out.limit(kind)
            # The same probes are in both limits of the traffic.
            slack = 0.4 * _PROBES if kind == "traffic" else 0
            if low is not None and high is not None and (low > high * 0.6 + slack or low >= high):
                judgement.lacks(
                    f"{where(alarm.resource)} shrinks at a {kind} of {low:.0f}, the fleet grows at {high:.0f}."
                )
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
