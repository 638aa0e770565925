"""One region as it stands now, in few calls: made for looking once a second, where `observe` looks once.

What is not known is None, never 0 and never an earlier answer. Nothing is judged here.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bicoastal.aws.faults import ApiFault, aws_faults
from bicoastal.aws.session import Session
from bicoastal.blueprint.emergency_tag import EMERGENCY_TAG
from bicoastal.operate.observe import (
    APPLICATION,
    FLEET,
    KINDS,
    gate_of,
    read_fleet,
    read_instance,
    resources_of,
    switch_of,
)
from bicoastal.operate.sight import Fleet, Gate, Instance, Kit, Side
from bicoastal.operate.subject import Subject
from bicoastal.stacks.view import StackView, view

BALANCER = "Balancer"
_TAGS = ("environment", "cost-center")
"""Shown of everything; a spec's `failover_tags` come on top."""
_GONE = frozenset({"shutting-down", "terminated"})


@dataclass(frozen=True)
class Host:
    """An instance of the fleet."""

    id: str
    zone: str
    state: str
    """EC2's: `pending`, `running`, `stopping`, ...; empty where EC2 does not know it."""
    lifecycle: str
    """The group's: `InService`, `Pending`, ...; empty where it is not the group's any more."""
    target: str | None
    """The balancer's: `healthy`, `unhealthy`, `initial`, ...; None: it is no target."""
    why: str
    """What the balancer says of a target that is not healthy."""
    emergency: str
    """The execution that opened it to responders; empty while none has."""
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Database:
    """A DB instance of the deployment."""

    id: str
    status: str
    """RDS's."""
    source: str
    """What it follows; empty for one that stands alone."""
    zone: str
    other_zone: str
    """Of the Multi-AZ standby; empty where RDS names none."""
    multi_az: bool
    replication: str
    """RDS's word for how it follows its source: `replicating`, `error`, ...; empty where it says none."""
    current: bool
    """It is the generation that the stack knows."""
    tags: Mapping[str, str]


@dataclass(frozen=True)
class Alarm:
    """A CloudWatch alarm."""

    name: str
    state: str
    """`OK`, `ALARM` or `INSUFFICIENT_DATA`."""
    calls_people: bool
    """It notifies a topic; others scale the fleet or steer names."""
    text: str
    """What it is for."""
    since: float
    """Seconds since the epoch."""


@dataclass(frozen=True)
class Balancer:
    """The load balancer."""

    name: str
    dns: str
    state: str
    zones: Sequence[str]


@dataclass(frozen=True)
class Coast:
    """A region at one moment; every part is None while it is not known."""

    region: str
    answered: bool
    why: str
    """Why it did not answer."""
    at: float
    """When it answered last, in seconds since the epoch; 0: never yet."""
    balancer: Balancer | None = None
    switch: str | None = None
    gate: str | None = None
    fleet: Fleet | None = None
    hosts: Sequence[Host] = ()
    databases: Sequence[Database] = ()
    alarms: Sequence[Alarm] | None = None


@dataclass(frozen=True)
class Ground:
    """What changes seldom: the stacks of a region and what they made."""

    stacks: Mapping[str, StackView] = field(default_factory=dict)
    resources: Mapping[str, str] = field(default_factory=dict)
    """Of the service stack."""

    def output(self, kind: str, name: str) -> str:
        """A stack's output; empty where it is not known."""
        found = self.stacks.get(kind)
        return found.outputs.get(name, "") if found is not None else ""


@dataclass(frozen=True)
class Look:
    """What one look at a region gave: for people, and for judging how the deployment stands."""

    coast: Coast
    instance: Instance | None
    gate: Gate

    def side(self, ground: Ground, kit: Kit | None, kit_unknown: str) -> Side:
        """As an observation of the operations."""
        coast = self.coast
        return Side(
            coast.region, coast.answered, coast.why, stacks=ground.stacks, resources=ground.resources,
            instance=self.instance, switch=coast.switch or "", gate=self.gate, fleet=coast.fleet, kit=kit,
            kit_unknown=kit_unknown,
        )  # fmt: skip


def survey(session: Session, subject: Subject, region: str) -> Ground:
    """The stacks as they are now. Raises SystemFault."""
    stacks = {kind: view(session, subject.stack(kind), region) for kind in (*KINDS, "vault", "foundation")}
    found = {kind: stack for kind, stack in stacks.items() if stack is not None}
    service = found.get("service")
    resources = resources_of(session, subject.stack("service"), region) if service and service.exists else {}
    return Ground(found, resources)


def look(session: Session, subject: Subject, region: str, ground: Ground) -> Look:
    """The region now, one call after the other: threads would cost more than they save. Raises SystemFault."""
    resources = ground.resources
    group = _group(session, subject, region)
    targets = _targets(session, region, resources.get(APPLICATION, ""))
    databases = _databases(session, subject, region, ground.output("database", "DatabaseId"))
    gate = gate_of(session, region, resources)
    coast = Coast(
        region, True, "", time.time(),
        balancer=_balancer(session, region, resources.get(BALANCER, "")),
        switch=switch_of(session, region, resources) or None,
        gate=None if gate is Gate.UNKNOWN else gate.value,
        fleet=read_fleet(group) if group is not None else None,
        hosts=_hosts(_instances(session, subject, region), group, targets, _wanted(subject)),
        databases=[_database(found, current, _wanted(subject)) for found, current in databases],
        alarms=_alarms(session, subject, region),
    )  # fmt: skip
    current = next((read_instance(found) for found, current in databases if current), None)
    return Look(coast, current, gate)


def _wanted(subject: Subject) -> frozenset[str]:
    return frozenset((*_TAGS, *subject.failover_tags))


def _group(session: Session, subject: Subject, region: str) -> Mapping[str, Any] | None:
    with aws_faults(f"describing the fleet in {region}"):
        groups: list[Mapping[str, Any]] = session.client("autoscaling", region).describe_auto_scaling_groups(
            AutoScalingGroupNames=[f"{subject.prefix}-{FLEET.lower()}"]
        )["AutoScalingGroups"]
    return groups[0] if groups else None


def _instances(session: Session, subject: Subject, region: str) -> list[Mapping[str, Any]]:
    where = [{"Name": "tag:aws:autoscaling:groupName", "Values": [f"{subject.prefix}-{FLEET.lower()}"]}]
    with aws_faults(f"describing the instances in {region}"):
        pages = session.client("ec2", region).get_paginator("describe_instances").paginate(Filters=where)
        return [item for page in pages for group in page["Reservations"] for item in group["Instances"]]


def _targets(session: Session, region: str, group: str) -> Mapping[str, Mapping[str, Any]]:
    if not group:
        return {}
    try:
        with aws_faults(f"reading the targets' health in {region}"):
            found = session.client("elbv2", region).describe_target_health(TargetGroupArn=group)
    except ApiFault as fault:
        if fault.code == "TargetGroupNotFound":
            return {}
        raise
    return {item["Target"]["Id"]: item["TargetHealth"] for item in found["TargetHealthDescriptions"]}


def _hosts(
    instances: Sequence[Mapping[str, Any]],
    group: Mapping[str, Any] | None,
    targets: Mapping[str, Mapping[str, Any]],
    wanted: frozenset[str],
) -> list[Host]:
    members = {item["InstanceId"]: item for item in (group or {}).get("Instances", ())}
    known = {item["InstanceId"]: item for item in instances}
    found = []
    for id_ in {**members, **known}:
        item, member, target = known.get(id_, {}), members.get(id_, {}), targets.get(id_)
        state = str((item.get("State") or {}).get("Name", ""))
        if state in _GONE and not member:
            continue
        tags = {tag["Key"]: tag["Value"] for tag in item.get("Tags", ())}
        zone = member.get("AvailabilityZone") or (item.get("Placement") or {}).get("AvailabilityZone", "")
        found.append(
            Host(
                id_, zone, state, str(member.get("LifecycleState", "")), target["State"] if target else None,
                str((target or {}).get("Description", "")), tags.get(EMERGENCY_TAG, ""),
                {key: value for key, value in sorted(tags.items()) if key in wanted},
            )
        )  # fmt: skip
    return sorted(found, key=lambda host: (host.zone, host.id))


def _databases(session: Session, subject: Subject, region: str, current: str) -> list[tuple[Mapping[str, Any], bool]]:
    with aws_faults(f"describing the databases in {region}"):
        pages = session.client("rds", region).get_paginator("describe_db_instances").paginate()
        found = [item for page in pages for item in page["DBInstances"]]
    ours = [item for item in found if item["DBInstanceIdentifier"].startswith(f"{subject.prefix}-")]
    return [(item, item["DBInstanceIdentifier"] == current) for item in ours]


def _database(found: Mapping[str, Any], current: bool, wanted: frozenset[str]) -> Database:
    instance = read_instance(found)
    replication = [info for info in found.get("StatusInfos", ()) if info.get("StatusType") == "read replication"]
    return Database(
        instance.identifier, instance.status, instance.source, instance.zone,
        found.get("SecondaryAvailabilityZone") or "", instance.multi_az,
        str(replication[0].get("Status", "")) if replication else "", current,
        {tag["Key"]: tag["Value"] for tag in found.get("TagList", ()) if tag["Key"] in wanted},
    )  # fmt: skip


def _balancer(session: Session, region: str, arn: str) -> Balancer | None:
    if not arn:
        return None
    with aws_faults(f"describing the balancer in {region}"):
        (found,) = session.client("elbv2", region).describe_load_balancers(LoadBalancerArns=[arn])["LoadBalancers"]
    zones = sorted(zone["ZoneName"] for zone in found.get("AvailabilityZones", ()))
    return Balancer(found["LoadBalancerName"], found["DNSName"], str((found.get("State") or {}).get("Code", "")), zones)


def _alarms(session: Session, subject: Subject, region: str) -> list[Alarm]:
    with aws_faults(f"reading the alarms in {region}"):
        pages = (
            session.client("cloudwatch", region)
            .get_paginator("describe_alarms")
            .paginate(AlarmNamePrefix=f"{subject.prefix}-", AlarmTypes=["MetricAlarm", "CompositeAlarm"])
        )
        found = [item for page in pages for item in (*page.get("MetricAlarms", ()), *page.get("CompositeAlarms", ()))]
    return [
        Alarm(
            item["AlarmName"], item["StateValue"],
            any(":sns:" in action for action in item.get("AlarmActions", ())),
            item.get("AlarmDescription") or "",
            item["StateUpdatedTimestamp"].timestamp() if item.get("StateUpdatedTimestamp") else 0.0,
        )
        for item in found
    ]  # fmt: skip
