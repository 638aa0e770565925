"""Looks at both regions at once; changes nothing. The lost side is looked at beside the path and never waited for.

In one region the looks run in parallel: an operator under stress should not wait for five answers one by one.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from bicoastal.aws.faults import aws_faults
from bicoastal.aws.session import Session
from bicoastal.core.errors import BicoastalError
from bicoastal.operate import kit
from bicoastal.operate.sight import Fleet, Gate, Instance, Kit, Observation, Side
from bicoastal.operate.subject import Subject
from bicoastal.stacks.view import StackView, view

KINDS = ("database", "service", "backup", "monitoring")
"""The stacks of a region whose parameters operations move or read."""
LISTENER, RULE, FLEET = "HttpsListener", "SwitchRule", "Fleet"
APPLICATION, GATE = "ApplicationTargets", "GateTargets"
"""Logical ids of the service stack: they are part of the deployment's contract (a test holds the templates to them)."""


class Watcher:
    """Observes for one operation in one region; the other region is asked in threads whose answers may be missing."""

    def __init__(self, session: Session, subject: Subject, region: str) -> None:
        self._session = session
        self._subject = subject
        self._region = region
        self._other = Side(subject.other(region), answered=False, why="it has not answered yet")
        self._asking: threading.Thread | None = None

    def look(self, *, kit_too: bool = True) -> Observation:
        """Both sides now: this one in full, the other as last seen. Raises SystemFault where this API is silent."""
        self.look_beside()
        here = observe_side(self._session, self._subject, self._region, kit_too=kit_too)
        return Observation(here, self._other, time.time())

    def look_beside(self) -> None:
        """Ask the other region unless a question is still under way."""
        if self._asking is None or not self._asking.is_alive():
            self._asking = threading.Thread(target=self._ask, name="look at the other region", daemon=True)
            self._asking.start()

    def wait_beside(self, deadline_s: float) -> None:
        """Give the question that is under way so long; for operations that are no emergency."""
        if self._asking is not None:
            self._asking.join(deadline_s)

    def _ask(self) -> None:
        region = self._subject.other(self._region)
        try:
            self._other = observe_side(self._session, self._subject, region, kit_too=True)
        except BicoastalError as error:
            self._other = Side(region, answered=False, why=str(error).splitlines()[0])


def observe_side(session: Session, subject: Subject, region: str, *, kit_too: bool) -> Side:
    """One region. Raises SystemFault where its API does not answer."""
    with ThreadPoolExecutor(len(KINDS)) as pool:
        stacks = {
            kind: stack
            for kind, stack in zip(
                KINDS, pool.map(lambda kind: view(session, subject.stack(kind), region), KINDS), strict=True
            )
            if stack is not None
        }
        resources = _resources(session, stacks.get("service"))
        asked: dict[str, Any] = {
            "instance": pool.submit(_instance, session, stacks.get("database")),
            "switch": pool.submit(_switch, session, region, resources),
            "gate": pool.submit(_gate, session, region, resources),
            "fleet": pool.submit(_fleet, session, region, resources),
        }
        found = {name: future.result() for name, future in asked.items()}
    seen, unknown = _kit(session, subject, region, found["fleet"]) if kit_too else (None, "it was not asked")
    return Side(region, True, stacks=stacks, resources=resources, kit=seen, kit_unknown=unknown, **found)


def _resources(session: Session, stack: StackView | None) -> Mapping[str, str]:
    if stack is None or not stack.exists:
        return {}
    with aws_faults(f"reading the resources of {stack.name} in {stack.region}"):
        answer = session.client("cloudformation", stack.region).describe_stack_resources(StackName=stack.id)
    return {
        item["LogicalResourceId"]: item.get("PhysicalResourceId", "")
        for item in answer["StackResources"]
        if item["LogicalResourceId"] in (LISTENER, RULE, FLEET, APPLICATION, GATE)
    }


def _instance(session: Session, stack: StackView | None) -> Instance | None:
    identifier = stack.outputs.get("DatabaseId", "") if stack is not None else ""
    if stack is None or not identifier:
        return None
    with aws_faults(f"describing the database {identifier} in {stack.region}"):
        (found,) = session.client("rds", stack.region).describe_db_instances(DBInstanceIdentifier=identifier)[
            "DBInstances"
        ]
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


def _switch(session: Session, region: str, resources: Mapping[str, str]) -> str:
    if RULE not in resources:
        return ""
    with aws_faults(f"reading the switch in {region}"):
        (rule,) = session.client("elbv2", region).describe_rules(RuleArns=[resources[RULE]])["Rules"]
    return str((rule["Actions"][0].get("FixedResponseConfig") or {}).get("MessageBody", ""))


def _gate(session: Session, region: str, resources: Mapping[str, str]) -> Gate:
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


def _fleet(session: Session, region: str, resources: Mapping[str, str]) -> Fleet | None:
    if FLEET not in resources:
        return None
    with aws_faults(f"describing the fleet in {region}"):
        groups = session.client("autoscaling", region).describe_auto_scaling_groups(
            AutoScalingGroupNames=[resources[FLEET]]
        )["AutoScalingGroups"]
    return next((_read_fleet(group) for group in groups), None)


def _read_fleet(group: Mapping[str, Any]) -> Fleet:
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


Look = Callable[[], Observation]
