"""Looks at both regions at once; changes nothing. The lost side is looked at beside the path and never waited for.

In one region the looks run in parallel: an operator under stress should not wait for five answers one by one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from bicoastal.aws.faults import ApiFault, aws_faults
from bicoastal.aws.session import Session
from bicoastal.core.errors import BicoastalError
from bicoastal.operate import beside, kit
from bicoastal.operate.sight import BACKING_UP, Fleet, Gate, Instance, Kit, Observation, Side
from bicoastal.operate.subject import Subject
from bicoastal.stacks.view import StackView, view

KINDS = ("database", "service", "backup", "monitoring")
"""The stacks of a region whose parameters a failover moves or reads."""
ALL_KINDS = (*KINDS, "bootstrap", "checks", "names")
"""And those that a rejoin moves too; the last two are in the home region alone."""
LISTENER, RULE, FLEET = "HttpsListener", "SwitchRule", "Fleet"
APPLICATION, GATE = "ApplicationTargets", "GateTargets"
"""Logical ids of the service stack: they are part of the deployment's contract (a test holds the templates to them)."""


class Watcher:
    """Observes for one operation in one region; the other region is asked in threads whose answers may be missing."""

    def __init__(self, session: Session, subject: Subject, region: str, *, aside: Session | None = None) -> None:
        """`aside` asks the other region: with fewer attempts than what the operation waits for."""
        self._session = session
        self._aside = aside or session
        self._subject = subject
        self._region = region
        self._other = Side(subject.other(region), answered=False, why="it has not answered yet")
        self._asking: threading.Thread | None = None

    @property
    def other(self) -> Side:
        """The other region as last seen."""
        return self._other

    def look(self, *, kit_too: bool = True) -> Observation:
        """Both sides now: this one in full, the other as last seen. Raises SystemFault where this API is silent."""
        self.look_beside()
        here = observe_side(self._session, self._subject, self._region, kit_too=kit_too)
        return Observation(here, self._other, time.time())

    def look_beside(self) -> None:
        """Ask the other region unless a question is still under way."""
        if self._asking is None or not self._asking.is_alive():
            self._asking = beside.start("look at the other region", self._ask)

    def wait_beside(self, deadline_s: float) -> None:
        """Give the question that is under way so long; for operations that are no emergency."""
        if self._asking is not None:
            self._asking.join(deadline_s)

    def _ask(self) -> None:
        region = self._subject.other(self._region)
        try:
            self._other = observe_side(self._aside, self._subject, region, kit_too=True)
        except BicoastalError as error:
            self._other = Side(region, answered=False, why=str(error).splitlines()[0])


def observe_both(
    session: Session, subject: Subject, region: str, *, kinds: Sequence[str] = KINDS, kit_too: bool = True
) -> Observation:
    """Both regions at once, each in full. Raises SystemFault where one does not answer."""
    sides = beside.together(
        {
            name: lambda name=name: observe_side(session, subject, name, kinds=kinds, kit_too=kit_too)  # type: ignore[misc]
            for name in subject.regions
        }
    )
    return Observation(sides[region], sides[subject.other(region)], time.time())


def observe_side(
    session: Session, subject: Subject, region: str, *, kinds: Sequence[str] = KINDS, kit_too: bool = True
) -> Side:
    """One region. Raises SystemFault where its API does not answer."""

    def stack_and(kind: str) -> tuple[StackView | None, dict[str, Any]]:
        found = view(session, subject.stack(kind), region)
        if kind == "database":
            return found, {"instance": _instance(session, found)}
        if kind == "service" and found is not None and found.exists:
            return found, _service(session, subject, region)
        return found, {}

    def fleet_and_kit() -> tuple[Fleet | None, Kit | None, str]:
        fleet = fleet_of(session, subject, region)
        return (fleet, *(_kit(session, subject, region, fleet) if kit_too else (None, "it was not asked")))

    asked: dict[str, Any] = {kind: (lambda kind=kind: stack_and(kind)) for kind in kinds}
    answers = beside.together({**asked, "fleet": fleet_and_kit})
    fleet, seen, unknown = answers.pop("fleet")
    stacks = {kind: found for kind, (found, _) in answers.items() if found is not None}
    parts: dict[str, Any] = {name: value for _, more in answers.values() for name, value in more.items()}
    return Side(region, True, stacks=stacks, fleet=fleet, kit=seen, kit_unknown=unknown, **parts)


def _service(session: Session, subject: Subject, region: str) -> dict[str, Any]:
    """What the balancer says, which its stack names."""
    resources = resources_of(session, subject.stack("service"), region)
    found = beside.together(
        {
            "switch": lambda: switch_of(session, region, resources),
            "gate": lambda: gate_of(session, region, resources),
        }
    )
    return {"resources": resources, **found}


def fleet_of(session: Session, subject: Subject, region: str) -> Fleet | None:
    """The region's Auto Scaling group, which bears a name of its own; None where there is none."""
    with aws_faults(f"describing the fleet in {region}"):
        groups = session.client("autoscaling", region).describe_auto_scaling_groups(
            AutoScalingGroupNames=[f"{subject.prefix}-fleet"]
        )["AutoScalingGroups"]
    return next((read_fleet(group) for group in groups), None)


def resources_of(session: Session, stack: str, region: str) -> Mapping[str, str]:
    """Physical ids of a stack's resources, by logical id. Raises SystemFault."""
    with aws_faults(f"reading the resources of {stack} in {region}"):
        answer = session.client("cloudformation", region).describe_stack_resources(StackName=stack)
    return {item["LogicalResourceId"]: item.get("PhysicalResourceId", "") for item in answer["StackResources"]}


def instance_of(session: Session, identifier: str, region: str) -> Instance | None:
    """A DB instance; None where there is none of that name. Raises SystemFault."""
    try:
        with aws_faults(f"describing the database {identifier} in {region}"):
            (found,) = session.client("rds", region).describe_db_instances(DBInstanceIdentifier=identifier)[
                "DBInstances"
            ]
    except ApiFault as fault:
        if fault.code in ("DBInstanceNotFound", "DBInstanceNotFoundFault"):
            return None
        raise
    instance = read_instance(found)
    if instance.status != BACKING_UP:
        return instance
    with aws_faults(f"reading the snapshots of {identifier} in {region}"):
        taken = session.client("rds", region).describe_db_snapshots(DBInstanceIdentifier=identifier)["DBSnapshots"]
    return replace(instance, kept_at=kept_at(taken, datetime.now(UTC)))


def kept_at(snapshots: Iterable[Mapping[str, Any]], now: datetime) -> datetime | None:
    """When the last of those that are being made should be done, each going on as fast as until now; None: unknown."""
    ends = []
    for made in snapshots:
        if made.get("Status") != "creating":
            continue
        begun, done = made.get("SnapshotCreateTime"), made.get("PercentProgress") or 0
        if begun is None or not done:
            return None
        ends.append(begun + (now - begun) * (100 / done))
    return max(ends, default=None)


def read_instance(found: Mapping[str, Any]) -> Instance:
    """A DB instance as it is described."""
    return Instance(
        identifier=found["DBInstanceIdentifier"],
        arn=found["DBInstanceArn"],
        status=found["DBInstanceStatus"],
        source=found.get("ReadReplicaSourceDBInstanceIdentifier") or "",
        host=(found.get("Endpoint") or {}).get("Address", ""),
        zone=found.get("AvailabilityZone", ""),
        multi_az=bool(found.get("MultiAZ")),
        backup_window=found.get("PreferredBackupWindow", ""),
    )


def _instance(session: Session, stack: StackView | None) -> Instance | None:
    identifier = stack.outputs.get("DatabaseId", "") if stack is not None else ""
    return instance_of(session, identifier, stack.region) if stack is not None and identifier else None


def switch_of(session: Session, region: str, resources: Mapping[str, str]) -> str:
    """What the balancer of a service stack answers at the switch's path. Raises SystemFault."""
    if RULE not in resources:
        return ""
    with aws_faults(f"reading the switch in {region}"):
        (rule,) = session.client("elbv2", region).describe_rules(RuleArns=[resources[RULE]])["Rules"]
    return str((rule["Actions"][0].get("FixedResponseConfig") or {}).get("MessageBody", ""))


def gate_of(session: Session, region: str, resources: Mapping[str, str]) -> Gate:
    """Where the balancer of a service stack sends what no rule takes. Raises SystemFault."""
    if LISTENER not in resources or APPLICATION not in resources:
        return Gate.UNKNOWN
    with aws_faults(f"reading the read gate in {region}"):
        (listener,) = session.client("elbv2", region).describe_listeners(ListenerArns=[resources[LISTENER]])[
            "Listeners"
        ]
    groups = (listener["DefaultActions"][-1].get("ForwardConfig") or {}).get("TargetGroups", [])
    weights = {group["TargetGroupArn"]: group.get("Weight", 0) for group in groups}
    open_, closed = weights.get(resources[APPLICATION], 0), weights.get(resources.get(GATE, ""), 0)
    if bool(open_) == bool(closed):
        return Gate.UNKNOWN
    return Gate.OPEN if open_ else Gate.CLOSED


def read_fleet(group: Mapping[str, Any]) -> Fleet:
    """An Auto Scaling group as it is described."""
    serving = [item["InstanceId"] for item in group["Instances"] if item["LifecycleState"] == "InService"]
    return Fleet(
        group["AutoScalingGroupName"],
        group["MinSize"],
        group["DesiredCapacity"],
        group["MaxSize"],
        tuple(sorted(serving)),
    )


def _kit(session: Session, subject: Subject, region: str, fleet: Fleet | None) -> tuple[Kit | None, str]:
    try:
        return kit.ask(session, subject, region, fleet.in_service if fleet is not None else ()), ""
    except BicoastalError as error:
        return None, str(error).splitlines()[0]
