"""Takes a deployment away, in the reverse order, and says what stays and why.

Protections are lifted here and nowhere else, after the user has named the application. What templates retain stays:
data, keys and names are not deleted by a command that a script may run.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bicoastal.aws.faults import ApiFault, aws_faults
from bicoastal.aws.session import Session
from bicoastal.cfn.manifest import FromOutput, Live, StackEntry
from bicoastal.cfn.reader import parse_template
from bicoastal.deploy.failure import DeployFailed
from bicoastal.deploy.graph import Outcome, Task, run_all
from bicoastal.deploy.moments import Began, End, Happened, Noted, Tell
from bicoastal.deploy.package import Package
from bicoastal.deploy.preflight.collisions import foreign_stacks
from bicoastal.deploy.preflight.problem import Problem
from bicoastal.deploy.survey import Views, look
from bicoastal.stacks.changes import protect
from bicoastal.stacks.recovery import remove
from bicoastal.stacks.view import Condition, StackView
from bicoastal.stacks.watch import StackFailed, settle

_INSTANCE = "AWS::RDS::DBInstance"
_BALANCER = "AWS::ElasticLoadBalancingV2::LoadBalancer"
_WHY = {
    "AWS::KMS::Key": "what it encrypted can be read with it alone; it costs about 1 USD a month until it is deleted",
    "AWS::S3::Bucket": "it may hold objects; remove it before you deploy under this name again",
    "AWS::Backup::BackupVault": "recovery points in it are locked until they expire; a new deployment takes it over",
    "AWS::Logs::LogGroup": "its events expire by themselves",
    "AWS::Route53::HostedZone": "a new one would get other name servers, and a delegation to none can be taken over",
    "AWS::SecretsManager::Secret": "snapshots of the database have these passwords; remove it before "
    "this name is deployed again",
    _INSTANCE: "it is kept for inspection",
}


@dataclass(frozen=True)
class Kept:
    """Something that stays when its stack is gone."""

    stack: str
    type: str
    physical_id: str
    why: str


@dataclass(frozen=True)
class Removal:
    """What would be taken away, read from the stacks themselves."""

    views: Views
    kept: tuple[Kept, ...]
    problems: tuple[Problem, ...]

    @property
    def stacks(self) -> dict[str, StackView]:
        """The stacks that are there, by entry id."""
        return {name: stack for name, stack in self.views.items() if stack is not None}


def prepare(session: Session, package: Package) -> Removal:
    """Look at what is there. Executes nothing."""
    views = look(session, package.manifest.stacks)
    kept = [item for name, stack in views.items() if stack is not None for item in _kept(session, name, stack)]
    return Removal(views, tuple(kept), tuple(foreign_stacks(session, package, views)))


def destroy(
    session: Session, package: Package, removal: Removal, tell: Tell, stop: threading.Event
) -> dict[str, Outcome]:
    """Delete every stack, each as soon as nothing needs it any more; how each ended, by entry id."""
    there = removal.stacks
    needed_by: dict[str, list[str]] = {name: [] for name in there}
    for entry in package.manifest.stacks:
        for need in _needs(entry, there):
            if entry.id in there and need in there:
                needed_by[need].append(entry.id)
    tasks = [
        Task(entry.id, tuple(needed_by[entry.id]), _Deletion(session, package, entry, there[entry.id], tell, stop))
        for entry in package.manifest.stacks
        if entry.id in there
    ]
    return run_all(tasks, tell, stop)


def _needs(entry: StackEntry, there: Mapping[str, StackView]) -> list[str]:
    """What a stack takes now, which operations may have changed: after a failover the replica is on the other side."""
    stack, found = there.get(entry.id), []
    for name, source in entry.parameters.items():
        if isinstance(source, FromOutput):
            found.append(source.stack)
        elif isinstance(source, Live) and stack is not None:
            value = stack.parameters.get(name, "")
            found += [
                other for other, view in there.items() if other != entry.id and ":" in value and value in _values(view)
            ]
    return found


def _values(stack: StackView) -> Sequence[str]:
    return list(stack.outputs.values())


@dataclass
class _Deletion:
    """Deletes one stack."""

    session: Session
    package: Package
    entry: StackEntry
    stack: StackView
    tell: Tell
    stop: threading.Event

    def __call__(self) -> End:
        name, region = self.entry.id, self.entry.region
        stack: StackView | None = self.stack
        self.tell(Began(name, "deleting"))
        if self.stack.condition is Condition.BUSY:
            stack, _ = settle(self.session, self.stack.id, region)
        if stack is None:
            return End.UNCHANGED
        self._lift(stack)
        try:
            remove(self.session, _unprotected(stack), tell=lambda event: self.tell(Happened(name, event)))
        except StackFailed as fault:
            raise DeployFailed(self.entry, fault, self.package) from fault
        return End.DONE

    def _lift(self, stack: StackView) -> None:
        """Termination protection of the stack, and deletion protection of what is in it."""
        for item in resources(self.session, stack):
            if item["ResourceType"] == _INSTANCE:
                self._lift_instance(item["PhysicalResourceId"])
            elif item["ResourceType"] == _BALANCER:
                self._lift_balancer(item["PhysicalResourceId"])
        if stack.protected:
            protect(self.session, stack.id, stack.region, on=False)

    def _lift_instance(self, instance: str) -> None:
        client = self.session.client("rds", self.entry.region)
        try:
            with aws_faults(f"lifting the deletion protection of the database {instance}"):
                found = client.describe_db_instances(DBInstanceIdentifier=instance)["DBInstances"][0]
                if found.get("DeletionProtection"):
                    client.modify_db_instance(
                        DBInstanceIdentifier=instance, DeletionProtection=False, ApplyImmediately=True
                    )
                    self.tell(Noted(self.entry.id, f"deletion protection of {instance} lifted"))
        except ApiFault as fault:
            if fault.code not in ("DBInstanceNotFound", "DBInstanceNotFoundFault"):
                raise

    def _lift_balancer(self, balancer: str) -> None:
        client = self.session.client("elbv2", self.entry.region)
        try:
            with aws_faults(f"lifting the deletion protection of the load balancer {balancer}"):
                client.modify_load_balancer_attributes(
                    LoadBalancerArn=balancer, Attributes=[{"Key": "deletion_protection.enabled", "Value": "false"}]
                )
        except ApiFault as fault:
            if fault.code != "LoadBalancerNotFound":
                raise


def resources(session: Session, stack: StackView) -> list[dict[str, Any]]:
    """The stack's resources that were made, as CloudFormation lists them."""
    pages = session.client("cloudformation", stack.region).get_paginator("list_stack_resources")
    with aws_faults(f"listing the resources of {stack.name} in {stack.region}"):
        return [
            item
            for page in pages.paginate(StackName=stack.id)
            for item in page["StackResourceSummaries"]
            if item.get("PhysicalResourceId") and item["ResourceStatus"] != "DELETE_COMPLETE"
        ]


def _kept(session: Session, name: str, stack: StackView) -> list[Kept]:
    """What the deployed template, not ours, says is retained or leaves a snapshot."""
    with aws_faults(f"reading the template of {stack.name} in {stack.region}"):
        body = session.client("cloudformation", stack.region).get_template(StackName=stack.id)["TemplateBody"]
    if not isinstance(body, str):
        declared: Mapping[str, Any] = body.get("Resources", {})
    else:
        declared = parse_template(body, name).section("Resources")
    found = []
    for item in resources(session, stack):
        logical = declared.get(item["LogicalResourceId"], {})
        policy = str(logical.get("DeletionPolicy", ""))
        kind, physical = item["ResourceType"], item["PhysicalResourceId"]
        if policy in ("Retain", "RetainExceptOnCreate"):
            found.append(Kept(name, kind, physical, _WHY.get(kind, "its template retains it")))
        elif policy == "Snapshot" and kind == _INSTANCE and stack.parameters.get("DatabaseRole") != "replica":
            found.append(Kept(name, "snapshot", physical, "a final snapshot is taken, and kept until you delete it"))
    return found


def _unprotected(stack: StackView) -> StackView:
    """The view, now that its protection is lifted."""
    return StackView(**{**stack.__dict__, "protected": False})
