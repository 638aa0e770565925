"""How long users wait when less than a region is lost: an instance, a zone, the database's primary.

    reads, writes   a balancer leaves a target that fails its health checks; RDS moves a Multi-AZ database by itself
    RPO             a Multi-AZ standby has every acknowledged write; anything else is as old as the last backup

What the templates don't hold is unknown, and said with the reason; nothing is assumed in its place.
"""

from __future__ import annotations

from dataclasses import dataclass

from bicoastal.cfn.deployment import Deployment, Resource
from bicoastal.cfn.values import Unknown
from bicoastal.resilience.figures import Figure, total

MULTI_AZ = Figure(
    "RDS fails over to its standby",
    60,
    120,
    "RDS User Guide, Multi-AZ DB instance deployments: failover times are typically 60-120 seconds (2025-11)",
)
RECONNECT = Figure(
    "clients ask DNS for the endpoint again",
    0,
    None,
    "the application's own: RDS moves the endpoint's name, and no template says when a pool reconnects",
)
NO_LOSS = Figure(
    "acknowledged writes lost",
    0,
    0,
    "RDS User Guide: a Multi-AZ standby is replicated synchronously (2025-11)",
)
_RESTORE = Figure(
    "restore to a point in time",
    0,
    None,
    "AWS publishes no duration: it grows with the size of the database",
)
_POINT_IN_TIME = Figure(
    "acknowledged writes lost",
    0,
    300,
    "RDS User Guide, point-in-time recovery: transaction logs go to S3 every five minutes (2025-11)",
)
_FORWARDING = ("AWS::ElasticLoadBalancingV2::Listener", "AWS::ElasticLoadBalancingV2::ListenerRule")


@dataclass(frozen=True)
class Outcome:
    """A failure, and what it comes to: phases in order, and their sum."""

    failure: str
    region: str
    what: str
    """`requests`, `reads` or `writes`."""
    phases: tuple[Figure, ...]
    rto: Figure | None
    """None where it cannot be known."""
    rpo: Figure | None
    why_unknown: str = ""


def instance_lost(deployment: Deployment, region: str) -> list[Outcome]:
    """An instance behind a balancer stops answering: until nobody is sent to it any more."""
    found = []
    for group in deployment.of_type("AWS::ElasticLoadBalancingV2::TargetGroup", region=region):
        if not _takes_requests(deployment, group):
            continue  # it is looked at for another reason, or stands by with a weight of 0
        interval, interval_from = _value(group, "HealthCheckIntervalSeconds", 30)
        threshold, threshold_from = _value(group, "UnhealthyThresholdCount", 2)
        timeout, timeout_from = _value(group, "HealthCheckTimeoutSeconds", 5)
        where = f"{group.stack.template.file}: {group.logical_id}"
        if interval is None or threshold is None or timeout is None:
            found.append(
                Outcome(
                    "an instance", region, "requests to it", (), None, None, f"{where}: its health check is not known"
                )
            )
            continue
        notice = Figure(
            "health checks notice",
            interval * (threshold - 1),
            interval * threshold + timeout,
            f"{where}: {interval_from}, {threshold_from}, {timeout_from}",
        )
        found.append(Outcome("an instance", region, f"requests to it ({group.logical_id})", (notice,), notice, None))
    return found


def _takes_requests(deployment: Deployment, group: Resource) -> bool:
    for holder in deployment.referring(group, *_FORWARDING):
        name = "DefaultActions" if holder.type.endswith("::Listener") else "Actions"
        for index, _ in enumerate(holder.items(name)):
            if deployment.resource(holder.get(name, index, "TargetGroupArn")) is group:
                return True
            for entry in holder.items(name, index, "ForwardConfig", "TargetGroups"):
                own = isinstance(entry, dict) and deployment.resource(entry.get("TargetGroupArn")) is group
                if own and str(entry.get("Weight", 1)) != "0":
                    return True
    return False


def primary_lost(deployment: Deployment, region: str) -> list[Outcome]:
    """The database's instance, or the zone that it stands in."""
    found = []
    for item in deployment.of_type("AWS::RDS::DBInstance", region=region):
        replica = item.get("SourceDBInstanceIdentifier") is not None
        what = "reads of the replica" if replica else "writes"
        failure = f"the zone of {item.logical_id}"
        multi = item.get("MultiAZ")
        where = f"{item.stack.template.file}: {item.logical_id}"
        if isinstance(multi, Unknown):
            found.append(Outcome(failure, region, what, (), None, None, f"{where}: MultiAZ: {multi.reason}"))
        elif str(multi).lower() == "true":
            phases = (MULTI_AZ, RECONNECT)
            rto = Figure("until RDS answers again", MULTI_AZ.least, MULTI_AZ.most, MULTI_AZ.source)
            found.append(Outcome(failure, region, what, phases, rto, None if replica else NO_LOSS))
        else:
            kept, _ = _value(item, "BackupRetentionPeriod", 1)
            if replica or not kept:
                why = f"{where} is not Multi-AZ" + ("" if replica else ", and RDS keeps no backup to restore")
                found.append(Outcome(failure, region, what, (), None, None, why))
                continue
            found.append(
                Outcome(failure, region, what, (_RESTORE, RECONNECT), total("restore", (_RESTORE,)), _POINT_IN_TIME)
            )
    return found


def _value(resource: Resource, name: str, default: float) -> tuple[float | None, str]:
    """A number and where it comes from; None where the templates leave it open."""
    value = resource.get(name)
    if value is None:
        return default, f"{name} {default:g} (AWS's default)"
    try:
        number = float(value) if isinstance(value, int | float | str) else None
    except ValueError:
        number = None
    return number, f"{name} {number:g}" if number is not None else name
