"""The twelve wiring faults, built into our own templates: each is a finding there too, and the first thing found."""

from __future__ import annotations

from typing import Any

import pytest

from bicoastal.cfn.deployment import Change
from bicoastal.cfn.manifest import FromOutput
from bicoastal.cfn.reader import Template
from bicoastal.core.findings import Severity
from bicoastal.review.case import Case
from bicoastal.review.findings import look
from tests.support.reviewed import sample

GONE = ...
_DIMENSIONS = ("Metrics", 3, "MetricStat", "Metric", "Dimensions")
_INSTANCE = [{"Name": "InstanceId", "Value": "i-0"}]
_ONE_SUBNET = [{"Fn::Select": [0, {"Ref": "ApplicationSubnets"}]}]
_ANOTHER = ["arn:aws:rds:us-east-1:123456789012:db:another"]

CASES: list[tuple[str, str, str, tuple[str | int, ...], Any]] = [
    ("metric-nobody-publishes", "service", "ScaleOut", _DIMENSIONS, _INSTANCE),
    ("balancer-cannot-reach-targets", "network", "BalancerToApplicationIngress", ("ToPort",), 80),
    (
        "database-in-public-subnet",
        "network",
        "DataRouteTableAssociationA",
        ("RouteTableId",),
        {"Ref": "PublicRouteTable"},
    ),
    ("failover-record-without-health-check", "names", "HomeWitnessPrimary", ("HealthCheckId",), GONE),
    (
        "secondary-in-primary-region",
        "names",
        "Slice1Secondary",
        ("AliasTarget", "DNSName"),
        "live.us-west-2.orders.example.com",
    ),
    ("backup-selects-nothing", "backup", "PrimaryDatabase", ("BackupSelection", "Resources"), _ANOTHER),
    ("log-group-not-declared", "service", "ApplicationLog", ("LogGroupName",), "/elsewhere"),
    ("fleet-in-one-zone", "service", "Fleet", ("VPCZoneIdentifier",), _ONE_SUBNET),
    ("health-check-path-not-served", "service", "ApplicationTargets", ("HealthCheckPath",), "/status"),
    (
        "peering-without-return-route",
        "peering",
        "DataToOtherApplicationRoute",
        ("DestinationCidrBlock",),
        "10.99.0.0/16",
    ),
]


def found(edits: dict[str, Template] | None = None, change: Change | None = None) -> set[str]:
    """The rules that find something certain."""
    case = Case(sample().deployment(change, edits), sample().demand)
    return {finding.rule for finding in look(case).findings if finding.severity is not Severity.INFO}


@pytest.mark.parametrize(("rule", "kind", "logical_id", "path", "value"), CASES, ids=[case[0] for case in CASES])
def test_a_wiring_fault_is_found(
    rule: str, kind: str, logical_id: str, path: tuple[str | int, ...], value: Any
) -> None:
    assert rule in found(sample().edited(kind, logical_id, *path, value=value))


def test_a_role_that_may_not_write_logs_is_found() -> None:
    role: Any = sample().templates["templates/access.yaml"].section("Resources")["InstanceRole"]["Properties"]
    statements = role["Policies"][0]["PolicyDocument"]["Statement"]
    index = next(number for number, one in enumerate(statements) if one["Sid"] == "WriteLogs")
    path = ("Policies", 0, "PolicyDocument", "Statement", index, "Action")
    edits = sample().edited("access", "InstanceRole", *path, value=["logs:CreateLogStream"])
    assert "role-cannot-write-logs" in found(edits)


def test_a_replica_with_the_other_regions_key_is_found() -> None:
    wire = {("database/us-west-2", "DataKeyArn"): FromOutput("foundation/us-east-1", "DataKeyArn")}
    assert "replica-key-of-other-region" in found(change=Change(parameters=wire))
