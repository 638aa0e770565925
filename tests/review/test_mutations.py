"""A fault in the wiring turns its row: one property of the synthesized templates is broken at a time.

The first twelve are the faults that six checkers of the field all missed. The rest are what rows claim to look at.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bicoastal.cfn.deployment import Change
from bicoastal.cfn.manifest import FromOutput
from bicoastal.cfn.reader import Template
from bicoastal.review.verdict import Verdict
from tests.support.reviewed import sample

GONE = ...
Edits = dict[str, Template]


def user_data(old: str, new: str) -> Edits:
    """The service's user data with a text replaced."""
    path = ("LaunchTemplateData", "UserData", "Fn::Base64", "Fn::Sub", 0)
    node: Any = sample().templates["templates/service.yaml"].section("Resources")["LaunchTemplate"]["Properties"]
    for step in path:
        node = node[step]
    assert old in node
    return sample().edited("service", "LaunchTemplate", *path, value=node.replace(old, new))


def broken(kind: str, logical_id: str, *path: str | int, value: Any) -> Edits:
    """One property changed, which was there before."""
    node: Any = sample().templates[f"templates/{kind}.yaml"].section("Resources")[logical_id]
    for step in path if path[0] in node else ("Properties", *path):
        node = node[step]
    assert node != value
    return sample().edited(kind, logical_id, *path, value=value)


def statement(kind: str, logical_id: str, *path: str | int, sid: str) -> tuple[str | int, ...]:
    """The path of a policy's statement by its Sid."""
    node: Any = sample().templates[f"templates/{kind}.yaml"].section("Resources")[logical_id]["Properties"]
    for step in (*path, "Statement"):
        node = node[step]
    return (*path, "Statement", next(index for index, one in enumerate(node) if one["Sid"] == sid))


def turned(row: str, edits: Edits | None = None, change: Change | None = None) -> list[str]:
    """What the row now lacks; it must no longer be delivered."""
    judged = sample().row(row, change, edits)
    assert judged.verdict is not Verdict.DELIVERED, f"{row} did not notice"
    return [*judged.missing, *judged.doubts]


# The twelve.


def test_1_memory_alarm_with_dimensions_that_nobody_publishes() -> None:
    dimensions = ("Metrics", 3, "MetricStat", "Metric", "Dimensions")
    said = turned("M4", broken("service", "ScaleOut", *dimensions, value=[{"Name": "InstanceId", "Value": "i-0"}]))
    assert any("does not aggregate on InstanceId" in text for text in said)


def test_2_balancer_blocked_by_the_targets_security_group() -> None:
    ports = broken("network", "BalancerToApplicationIngress", "ToPort", value=80)
    said = turned("M3", ports)
    assert any("FleetGroup does not let port 8080 in" in text for text in said)


def test_3_database_subnets_routed_to_the_internet() -> None:
    routed = broken("network", "DataRouteTableAssociationA", "RouteTableId", value={"Ref": "PublicRouteTable"})
    assert any("route to the internet" in text for text in turned("M6", routed))
    assert any("open to the internet" in text for text in turned("M5", routed))


def test_4_failover_record_without_health_check() -> None:
    unguarded = broken("names", "HomeLive", "HealthCheckId", value=GONE)
    said = turned("M9", unguarded)
    assert any("After a takeover by us-west-2, users near us-east-1 are sent to us-east-1" in text for text in said)
    turned("M9", broken("names", "HomeWitnessPrimary", "HealthCheckId", value=GONE))


def test_5_secondary_in_the_primarys_region() -> None:
    same = broken("names", "Slice1Secondary", "AliasTarget", "DNSName", value="live.us-west-2.orders.example.com")
    assert any("like the primary" in text for text in turned("M9", same))
    assert any("when us-west-2 is at capacity" in text for text in turned("M3", same))


def test_6_backup_selection_that_matches_nothing() -> None:
    none = ["arn:aws:rds:us-east-1:123456789012:db:another"]
    said = turned("M11", broken("backup", "PrimaryDatabase", "BackupSelection", "Resources", value=none))
    assert any("nothing is backed up" in text for text in said)


def test_7_log_group_created_by_the_agent() -> None:
    renamed = broken("service", "ApplicationLog", "LogGroupName", value="/elsewhere")
    assert any("kept for ever" in text for text in turned("M7", renamed))


def test_8_role_without_put_log_events() -> None:
    path = statement("access", "InstanceRole", "Policies", 0, "PolicyDocument", sid="WriteLogs")
    said = turned("M8", broken("access", "InstanceRole", *path, "Action", value=["logs:CreateLogStream"]))
    assert any("may not write to the log group" in text for text in said)


def test_9_replica_with_another_regions_key() -> None:
    wire = {("database/us-west-2", "DataKeyArn"): FromOutput("foundation/us-east-1", "DataKeyArn")}
    assert any("encrypted with a key of us-east-1" in text for text in turned("M5", change=Change(parameters=wire)))
    turned("M2", change=Change(parameters=wire))


def test_10_fleet_in_one_zone() -> None:
    one = [{"Fn::Select": [0, {"Ref": "ApplicationSubnets"}]}]
    said = turned("M1", broken("service", "Fleet", "VPCZoneIdentifier", value=one))
    assert any("1 Availability Zone(s)" in text for text in said)


def test_11_health_check_on_a_path_that_is_not_served() -> None:
    turned("M3", broken("service", "ApplicationTargets", "HealthCheckPath", value="/status"))


def test_12_peering_without_a_return_route() -> None:
    said = turned("M6", broken("peering", "DataToOtherApplicationRoute", "DestinationCidrBlock", value="10.99.0.0/16"))
    assert any("has no route over the peering" in text for text in said)


# What else rows look at.

_RULE = ("BackupPlan", "BackupPlanRule", 0)
_AUTHORITY = ("PolicyDocument", "Statement")

CASES: list[tuple[str, str, str, tuple[str | int, ...], Any]] = [
    ("M3", "service", "Balancer", ("Scheme",), "internal"),
    ("M2", "secrets", "AppSecret", ("ReplicaRegions", 0, "Region"), "eu-west-1"),
    ("M2", "backup", "BackupRole", ("PermissionsBoundary",), GONE),
    ("M2", "peering", "OtherFleetToDatabaseIngress", ("ToPort",), 6000),
    ("M2", "network", "StorageEndpoint", ("RouteTableIds",), []),
    ("M3", "service", "HttpsListener", ("Certificates",), []),
    ("M3", "service", "Certificate", ("SubjectAlternativeNames",), GONE),
    ("M3", "service", "Certificate", ("DomainName",), "other.example.com"),
    ("M3", "service", "HttpListener", ("DefaultActions", 0, "RedirectConfig", "Protocol"), "HTTP"),
    ("M3", "service", "Fleet", ("HealthCheckType",), "EC2"),
    ("M3", "service", "Fleet", ("TargetGroupARNs",), [{"Ref": "GateTargets"}]),
    ("M3", "service", "ApplicationTargets", ("Port",), 9999),
    ("M3", "service", "WebAcl", ("Rules",), []),
    ("M3", "checks", "StandbyBelowMaximum", ("HealthCheckConfig", "AlarmIdentifier", "Region"), "us-east-1"),
    ("M3", "checks", "StandbyRoom2", ("HealthCheckConfig", "HealthThreshold"), 2),
    ("M3", "checks", "StandbyQuiet3", ("HealthCheckConfig", "Inverted"), GONE),
    ("M3", "checks", "StandbyBelowMaximum", ("HealthCheckConfig", "InsufficientDataHealthStatus"), "Unhealthy"),
    ("M3", "service", "Quiet1", ("DatapointsToAlarm",), 3),
    ("M3", "names", "Share2", ("Weight",), 0),
    ("M4", "service", "Fleet", ("MaxSize",), "4"),
    ("M4", "service", "Fleet", ("MetricsCollection",), GONE),
    ("M4", "service", "Fleet", ("CreationPolicy", "ResourceSignal"), GONE),
    ("M4", "service", "Fleet", ("UpdatePolicy", "AutoScalingRollingUpdate", "WaitOnResourceSignals"), False),
    ("M4", "service", "LaunchTemplate", ("LaunchTemplateData", "InstanceType"), "m5.large"),
    ("M4", "service", "LaunchTemplate", ("LaunchTemplateData", "Monitoring", "Enabled"), False),
    ("M4", "service", "LaunchTemplate", ("LaunchTemplateData", "CreditSpecification", "CpuCredits"), "standard"),
    ("M4", "service", "ScaleOut", ("AlarmActions",), []),
    ("M4", "service", "ScaleOut", ("Threshold",), 2),
    ("M4", "service", "ScaleOut", ("ComparisonOperator",), "LessThanThreshold"),
    ("M4", "service", "ScaleIn", ("EvaluationPeriods",), 2),
    ("M4", "service", "ScaleOutPolicy", ("StepAdjustments", 0, "ScalingAdjustment"), -1),
    ("M5", "database", "DatabaseInstance", ("MultiAZ",), False),
    ("M5", "database", "DatabaseInstance", ("MultiAZ",), {"Fn::If": ["IsReplica", False, True]}),
    ("M5", "database", "DatabaseInstance", ("KmsKeyId",), GONE),
    ("M5", "database", "DatabaseInstance", ("BackupRetentionPeriod",), 0),
    ("M5", "database", "DatabaseInstance", ("BackupRetentionPeriod",), {"Fn::If": ["IsReplica", 1, 2]}),
    ("M5", "database", "DatabaseInstance", ("PubliclyAccessible",), True),
    ("M5", "database", "DatabaseInstance", ("MasterUsername",), "root"),
    ("M5", "database", "DatabaseInstance", ("MonitoringInterval",), 0),
    ("M5", "database", "DatabaseInstance", ("DBParameterGroupName",), GONE),
    ("M5", "database", "DatabaseParameters", ("Parameters", "rds.force_ssl"), "0"),
    ("M5", "database", "DatabaseParameters", ("Parameters", "max_slot_wal_keep_size"), "-1"),
    ("M5", "database", "DatabaseStorageLow", ("Dimensions", 0, "Value"), "another-db"),
    ("M5", "secrets", "MasterSecret", ("ReplicaRegions",), GONE),
    ("M5", "monitoring", "HeartbeatLost", ("TreatMissingData",), "notBreaching"),
    ("M6", "network", "Vpc", ("CidrBlock",), "10.99.0.0/16"),
    ("M6", "network", "ApplicationSubnetB", ("AvailabilityZone",), {"Fn::Select": [0, {"Ref": "AvailabilityZones"}]}),
    ("M6", "network", "NatGatewayA", ("SubnetId",), {"Ref": "ApplicationSubnetA"}),
    ("M6", "network", "PublicSubnetA", ("MapPublicIpOnLaunch",), True),
    ("M6", "network", "FleetToDatabaseIngress", ("FromPort",), 5433),
    ("M6", "network", "FleetToDatabaseEgress", ("ToPort",), 443),
    ("M6", "network", "ApplicationAsksDataEntry", ("RuleAction",), "deny"),
    ("M6", "network", "DataAnswersApplicationEntry", ("PortRange", "From"), 60000),
    ("M6", "network", "LogsEndpoint", ("PrivateDnsEnabled",), False),
    ("M6", "network", "FleetToEndpointsIngress", ("ToPort",), 80),
    ("M6", "peering", "PeeringConnection", ("PeerRegion",), "eu-west-1"),
    ("M6", "peering", "FleetToOtherDatabaseEgress", ("ToPort",), 443),
    ("M7", "service", "ApplicationLog", ("RetentionInDays",), 90),
    ("M7", "service", "KitLog", ("RetentionInDays",), GONE),
    ("M7", "database", "PostgresqlLog", ("LogGroupName",), "/aws/rds/instance/other/postgresql"),
    ("M7", "foundation", "AlertTopicPolicy", (*_AUTHORITY, 0, "Effect"), "Deny"),
    ("M7", "service", "CertificateExpiry", ("Dimensions", 0, "Value"), "arn:aws:acm:us-east-1:1:certificate/x"),
    ("M7", "service", "UnhealthyHosts", ("AlarmActions",), []),
    ("M7", "service", "WebAclLog", ("LogGroupName",), "/waf"),
    ("M8", "access", "ResponderRole", ("AssumeRolePolicyDocument", "Statement", 0, "Condition"), GONE),
    ("M8", "access", "OpenAccessDocument", ("Content", "assumeRole"), GONE),
    ("M8", "access", "Trail", ("EnableLogFileValidation",), False),
    ("M8", "access", "InstanceProfile", ("Roles",), []),
    ("M8", "access", "RootUseRule", ("Targets",), []),
    ("M8", "access", "EmergencyAccessAlarm", ("AlarmActions",), []),
    ("M9", "checks", "HomeEndpoint", ("HealthCheckConfig", "RequestInterval"), 30),
    ("M9", "checks", "HomeEndpoint", ("HealthCheckConfig", "FailureThreshold"), 5),
    ("M9", "checks", "StandbySwitchOff", ("HealthCheckConfig", "Inverted"), GONE),
    ("M9", "checks", "HomeInService", ("HealthCheckConfig", "HealthThreshold"), 1),
    ("M9", "names", "HomeWitnessPrimary", ("TTL",), "300"),
    ("M9", "names", "NearestHome", ("AliasTarget", "EvaluateTargetHealth"), False),
    ("M9", "names", "StandbyWitnessSecondary", ("ResourceRecords",), ['"epoch=1"']),
    ("M9", "service", "SwitchRule", ("Priority",), 7),
    ("M9", "zone", "HostedZone", ("HostedZoneFeatures", "EnableAcceleratedRecovery"), False),
    ("M10", "service", "Fleet", ("Tags", 1, "PropagateAtLaunch"), False),
    ("M11", "backup", "BackupPlan", (*_RULE, "ScheduleExpression"), "cron(0 1 ? * * *)"),
    ("M11", "backup", "BackupPlan", (*_RULE, "ScheduleExpressionTimezone"), GONE),
    ("M11", "backup", "BackupPlan", (*_RULE, "CopyActions"), []),
    ("M11", "backup", "BackupPlan", (*_RULE, "TargetBackupVault"), "Default"),
    ("M11", "backup", "BackupPlan", (*_RULE, "EnableContinuousBackup"), True),
    ("M11", "backup", "BackupPlan", (*_RULE, "Lifecycle", "DeleteAfterDays"), 7),
    ("M11", "backup", "PrimaryDatabase", ("Condition",), GONE),
    ("M11", "backup", "RestoreTestingSelection", ("RestoreMetadataOverrides",), GONE),
    ("M11", "backup", "BackupFailed", ("Targets",), []),
    ("M11", "vault", "BackupVault", ("LockConfiguration",), GONE),
    ("M11", "access", "RestorerPolicy", ("PolicyDocument", "Statement", 1, "Effect"), "Deny"),
    ("M12", "service", "ScaleOut", ("DatapointsToAlarm",), 20),
    ("M12", "service", "Quiet1", ("Threshold",), 300),
    ("M13", "database", "DatabaseInstance", ("DeletionPolicy",), "Delete"),
    ("M13", "database", "DatabaseInstance", ("DeletionProtection",), False),
    ("M13", "database", "DatabaseInstance", ("MasterUserPassword",), "secret"),
    ("M13", "foundation", "ArtifactBucket", ("PublicAccessBlockConfiguration", "BlockPublicPolicy"), False),
    ("M13", "foundation", "DataKey", ("EnableKeyRotation",), False),
    ("M13", "service", "HttpsListener", ("SslPolicy",), "ELBSecurityPolicy-2016-08"),
    ("M13", "service", "LaunchTemplate", ("LaunchTemplateData", "MetadataOptions", "HttpTokens"), "optional"),
    ("M13", "service", "Fleet", ("LaunchTemplate", "LaunchTemplateId"), {"Ref": "NoSuchTemplate"}),
    ("M14", "foundation", "ArtifactBucket", ("VersioningConfiguration", "Status"), "Suspended"),
    ("M14", "bootstrap", "BootstrapProfile", ("Roles",), []),
]


@pytest.mark.parametrize(
    ("row", "kind", "logical_id", "path", "value"),
    CASES,
    ids=[f"{row}-{logical_id}-{'.'.join(map(str, path))}" for row, _, logical_id, path, _ in CASES],
)
def test_a_broken_property_turns_its_row(
    row: str, kind: str, logical_id: str, path: tuple[str | int, ...], value: Any
) -> None:
    node: Any = sample().templates[f"templates/{kind}.yaml"].section("Resources")[logical_id]
    whole = path if path[0] in node else ("Properties", *path)
    for step in whole[:-1]:
        node = node[step]
    last = whole[-1]
    there = last in node if isinstance(node, dict) else isinstance(last, int) and last < len(node)
    assert there or value is not GONE, "there is nothing to remove"
    assert not there or node[last] != value
    turned(row, sample().edited(kind, logical_id, *path, value=value))


USER_DATA = [
    ("M4", '"mem_used_percent"', '"mem_free"'),
    ("M4", '"AutoScalingGroupName": "${!aws:AutoScalingGroupName}"', '"InstanceId": "${!aws:InstanceId}"'),
    ("M4", '"namespace": "Bicoastal/orders-production"', '"namespace": "CWAgent"'),
    ("M7", '"log_group_name": "/orders-production/application"', '"log_group_name": "/application"'),
    ("M9", "witness.${AWS::Region}.orders.example.com", "witness.example.net"),
    ("M14", "Restart=always", "Restart=no"),
    ("M14", "#cloud-config", "#cloud-config\n{"),
]


@pytest.mark.parametrize(("row", "old", "new"), USER_DATA)
def test_a_fault_in_the_user_data_turns_its_row(row: str, old: str, new: str) -> None:
    turned(row, user_data(old, new))


def test_tags_count_on_the_resource_or_on_its_stack() -> None:
    bare = replace(sample(), manifest=replace(sample().manifest, tags={}))
    assert bare.rows()["M10"].verdict is Verdict.DELIVERED
    untagged = sample().edited("service", "Balancer", "Tags", value=[])
    assert sample().rows(edits=untagged)["M10"].verdict is Verdict.DELIVERED
    said = bare.rows(edits=untagged)["M10"]
    assert said.verdict is Verdict.PARTLY
    assert "us-east-1 Balancer has no tag cost-center." in said.missing


def test_a_promoted_standby_is_a_primary_and_nothing_create_only_changed() -> None:
    change = Change(parameters={("database/us-west-2", "DatabaseRole"): "primary"})
    promoted = sample().deployment(change).stacks["database/us-west-2"].resources["DatabaseInstance"]
    before = sample().deployment().stacks["database/us-west-2"].resources["DatabaseInstance"]
    assert "SourceDBInstanceIdentifier" in before.properties
    changed = {key for key in before.properties if promoted.properties.get(key) != before.properties[key]}
    assert changed == {"SourceDBInstanceIdentifier"}
