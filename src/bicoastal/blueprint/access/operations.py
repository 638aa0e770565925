"""What operators run by Systems Manager instead of by hand: the kit's verbs, and the failover inside a region.

Each is a document of ours, so that a permission names one deed: who may run the kit's `status` can't run a shell.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bicoastal.blueprint.access.documents import (
    Then,
    add_document,
    automation,
    call_api,
    parameter,
    require,
    wait_for,
)
from bicoastal.blueprint.access.roles import add_role, arn, service_trust
from bicoastal.blueprint.foundation import Foundation
from bicoastal.blueprint.grants import allow
from bicoastal.blueprint.service.units import KIT_CONFIGURATION
from bicoastal.blueprint.stack import Resource, Stack
from bicoastal.cfn.intrinsics import Value

_KIT = "PYTHONPATH=/opt/bicoastal/kit python3.11 -m bicoastal.kit"
_EPOCH = "^[1-9][0-9]{0,8}$"
_SNAPSHOT = "^[0-9]{1,20}:[0-9]{1,20}:[0-9,]{0,2000}$"
"""How PostgreSQL writes one."""
_HOST = "^[A-Za-z0-9.-]{1,253}$"
_CENSUS_S = 3600
"""A page of it ends after some 40 seconds, unless one table alone takes longer."""
_PLAIN_TEXT = "^[A-Za-z0-9 .,:/#@+_-]{1,200}$"
"""No quote, no dollar, no backslash: the text stands in a shell's command."""


@dataclass(frozen=True)
class Operations:
    """The documents, and the role of the one that fails over inside the region."""

    kit_status: Resource
    kit_fence: Resource
    kit_unfence: Resource
    kit_probe: Resource
    kit_diverged: Resource
    kit_census: Resource
    failover: Resource
    failover_role: Resource


def add_operations(stack: Stack, foundation: Foundation) -> Operations:
    """The command documents of the kit, and the failover inside the region."""
    epoch = {"Epoch": parameter("The epoch, a whole number.", allowedPattern=_EPOCH)}
    reason = {"Reason": parameter("Why, for the record.", allowedPattern=_PLAIN_TEXT)}
    role = _failover_role(stack, foundation)
    return Operations(
        kit_status=_kit_verb(
            stack, "KitStatusDocument", "status", "Print what the kit knows of the local database.", {}
        ),
        kit_fence=_kit_verb(
            stack,
            "KitFenceDocument",
            "fence",
            "Stop writes on the local primary; returns when no earlier session is left.",
            {**epoch, **reason},
            arguments="--epoch '{{ Epoch }}' --reason '{{ Reason }}'",
        ),
        kit_unfence=_kit_verb(
            stack,
            "KitUnfenceDocument",
            "unfence",
            "Lift the fence on the local primary, raise its epoch, and write a row to prove it.",
            epoch,
            arguments="--epoch '{{ Epoch }}'",
        ),
        kit_probe=_kit_verb(
            stack, "KitProbeDocument", "probe", "Write a row and read it back: writes are possible.", {}
        ),
        kit_diverged=_kit_verb(
            stack,
            "KitDivergedDocument",
            "diverged",
            "List rows here that the database promoted from this one never got.",
            {
                "Snapshot": parameter("Of the promoted one: xmin, xmax and a list.", allowedPattern=_SNAPSHOT),
                "After": parameter("Rows that were given already.", allowedPattern="^[0-9]{1,9}$"),
            },
            arguments="--snapshot '{{ Snapshot }}' --after '{{ After }}'",
        ),
        kit_census=_kit_verb(
            stack,
            "KitCensusDocument",
            "census",
            "Count a restored database's rows, and compare them with the local one's.",
            {
                "Host": parameter("Of the restored database.", allowedPattern=_HOST),
                "After": parameter("Tables that were given already.", allowedPattern="^[0-9]{1,6}$"),
            },
            arguments="--host '{{ Host }}' --after '{{ After }}'",
            seconds=_CENSUS_S,
        ),
        failover=_failover_document(stack, role),
        failover_role=role,
    )


def kit_document_name(stack: Stack, verb: str) -> str:
    """The document that runs a verb of the kit on an instance."""
    return f"{stack.spec.prefix}-kit-{verb}"


def failover_document_name(stack: Stack) -> str:
    """The document that moves the primary to its standby in the other Availability Zone."""
    return f"{stack.spec.prefix}-in-region-failover"


def _kit_verb(
    stack: Stack,
    logical_id: str,
    verb: str,
    description: str,
    parameters: Mapping[str, Value],
    *,
    arguments: str = "",
    seconds: int = 60,
) -> Resource:
    content: dict[str, Value] = {"schemaVersion": "2.2", "description": description}
    if parameters:
        content["parameters"] = dict(parameters)
    command = f"{_KIT} {verb} --config {KIT_CONFIGURATION} {arguments}".rstrip()
    content["mainSteps"] = [
        {
            "action": "aws:runShellScript",
            "name": "RunKit",
            "inputs": {"timeoutSeconds": str(seconds), "runCommand": [command]},
        }
    ]
    return add_document(stack, logical_id, kit_document_name(stack, verb), "Command", content)


def _failover_document(stack: Stack, role: Resource) -> Resource:
    request = {"DBInstanceIdentifier": "{{ DatabaseId }}"}
    pattern = f"^{stack.spec.prefix}-db-g[1-9][0-9]{{0,3}}$"
    steps = [
        require(
            "RequireMultiAz",
            "rds",
            "DescribeDBInstances",
            request,
            selector="$.DBInstances[0].MultiAZ",
            values=["True"],
        ),
        call_api(
            "FindStandby",
            "rds",
            "DescribeDBInstances",
            request,
            outputs={
                "Before": "$.DBInstances[0].AvailabilityZone",
                "Standby": "$.DBInstances[0].SecondaryAvailabilityZone",
            },
        ),
        call_api("FailOver", "rds", "RebootDBInstance", {**request, "ForceFailover": True}),
        wait_for(
            "AwaitPrimaryInStandbyZone",
            "rds",
            "DescribeDBInstances",
            request,
            selector="$.DBInstances[0].AvailabilityZone",
            values=["{{ FindStandby.Standby }}"],
            then=Then(timeout_seconds=900),
        ),
        wait_for(
            "AwaitAvailable",
            "rds",
            "DescribeDBInstances",
            request,
            selector="$.DBInstances[0].DBInstanceStatus",
            values=["available"],
            then=Then(timeout_seconds=900, end=True),
        ),
    ]
    return add_document(
        stack,
        "InRegionFailoverDocument",
        failover_document_name(stack),
        "Automation",
        automation(
            "Move the database's primary to its Multi-AZ standby: a reboot with failover, usually 60-120 seconds.",
            role.att("Arn"),
            {"DatabaseId": parameter(f"Such as {stack.spec.prefix}-db-g1.", allowedPattern=pattern)},
            steps,
        ),
        comment="The zone is awaited before the status: right after the call the status still reads `available`.",
    )


def _failover_role(stack: Stack, foundation: Foundation) -> Resource:
    databases = [arn("rds", f"db:{stack.spec.prefix}-db-g*")]
    return add_role(
        stack,
        foundation,
        "InRegionFailoverRole",
        name="in-region-failover",
        description="The document that fails the database over to its Multi-AZ standby runs as this.",
        trusted=service_trust("ssm", "ssm:automation-execution/*"),
        statements=[
            allow("FindDatabase", ["rds:DescribeDBInstances"], databases),
            allow("FailOver", ["rds:RebootDBInstance"], databases),
        ],
    )
