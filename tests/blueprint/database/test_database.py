"""The database stack: live parameters and their wires, logs before the instance, and what watches it."""

from __future__ import annotations

import pytest

from bicoastal.blueprint.stack import Stack
from bicoastal.cfn.intrinsics import strip_comments
from bicoastal.cfn.manifest import FromOutput, Literal, Live
from tests.support.database import build_database
from tests.support.specs import spec

IDENTIFIERS = ["orders-production-db-g${DatabaseGeneration}", "orders-production-db-g${DatabaseGeneration}-r1"]


@pytest.fixture(scope="module")
def stack() -> Stack:
    return build_database(spec(database={"read_replicas": 1})).stack


def of_type(stack: Stack, type_: str) -> dict[str, dict[str, object]]:
    resources = strip_comments(stack.document["Resources"])
    return {name: body["Properties"] for name, body in resources.items() if body["Type"] == type_}


def test_home_begins_as_the_primary_and_the_standby_as_its_replica(stack: Stack) -> None:
    names = ("DatabaseRole", "DatabaseOrigin", "DatabaseGeneration", "SourceDatabaseArn")
    assert [stack.sources["us-east-1"][name] for name in names] == [
        Live(Literal(value)) for value in ("primary", "new", "1", "")
    ]
    assert [stack.sources["us-west-2"][name] for name in names] == [
        *(Live(Literal(value)) for value in ("replica", "replica", "1")),
        Live(FromOutput("database/us-east-1", "DatabaseArn")),
    ]


def test_the_stack_holds_state(stack: Stack) -> None:
    assert stack.protected


def test_the_other_region_is_named_nowhere() -> None:
    text = build_database(spec()).stack.to_yaml().partition("AWSTemplateFormatVersion")[2]
    assert "us-east-1" not in text
    assert "us-west-2" not in text


def test_every_exported_log_has_a_declared_group_before_its_instance(stack: Stack) -> None:
    resources = strip_comments(stack.document["Resources"])
    groups = of_type(stack, "AWS::Logs::LogGroup")
    for body in resources.values():
        if body["Type"] != "AWS::RDS::DBInstance":
            continue
        instance = body["Properties"]["DBInstanceIdentifier"]["Fn::Sub"]
        wanted = {f"/aws/rds/instance/{instance}/{log}" for log in body["Properties"]["EnableCloudwatchLogsExports"]}
        assert {groups[name]["LogGroupName"]["Fn::Sub"] for name in body["DependsOn"] if name in groups} == wanted  # type: ignore[index]
    assert all(
        group["RetentionInDays"] == 30 and group["KmsKeyId"] == {"Ref": "LogsKeyArn"} for group in groups.values()
    )


def test_logs_of_an_old_generation_are_kept(stack: Stack) -> None:
    resources = strip_comments(stack.document["Resources"])
    groups = [body for body in resources.values() if body["Type"] == "AWS::Logs::LogGroup"]
    assert {body["UpdateReplacePolicy"] for body in groups} == {"Retain"}


def test_the_monitoring_role_is_bounded_and_serves_our_databases_only(stack: Stack) -> None:
    role = strip_comments(stack.document["Resources"])["MonitoringRole"]["Properties"]
    assert role["PermissionsBoundary"] == {"Ref": "BoundaryArn"}
    condition = role["AssumeRolePolicyDocument"]["Statement"][0]["Condition"]
    assert condition["ArnLike"]["aws:SourceArn"]["Fn::Sub"].endswith(":db:orders-production-db-g*")
    assert condition["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}


def test_windows_differ_by_region_through_parameters(stack: Stack) -> None:
    for name in ("BackupWindow", "MaintenanceWindow"):
        assert stack.sources["us-east-1"][name] != stack.sources["us-west-2"][name]


@pytest.mark.parametrize(
    ("storage", "mebibytes", "half_in_bytes"), [(20, "5120", 2_684_354_560), (50, "12800", 6_710_886_400)]
)
def test_wal_for_a_lost_replica_is_bounded_and_alarmed_half_way(
    storage: int, mebibytes: str, half_in_bytes: int
) -> None:
    stack = build_database(spec(database={"storage_gib": storage})).stack
    parameters = of_type(stack, "AWS::RDS::DBParameterGroup")["DatabaseParameters"]["Parameters"]
    assert parameters["max_slot_wal_keep_size"] == mebibytes  # type: ignore[index]
    assert of_type(stack, "AWS::CloudWatch::Alarm")["DatabaseSlotLagHigh"]["Threshold"] == half_in_bytes


def test_tls_is_forced_and_values_stay_out_of_the_logs(stack: Stack) -> None:
    parameters = of_type(stack, "AWS::RDS::DBParameterGroup")["DatabaseParameters"]["Parameters"]
    wanted = {
        "rds.force_ssl": "1",
        "ssl_min_protocol_version": "TLSv1.2",
        "password_encryption": "scram-sha-256",
        "log_parameter_max_length": "0",
    }
    assert wanted.items() <= parameters.items()  # type: ignore[attr-defined]


@pytest.mark.parametrize(("version", "family"), [("17", "postgres17"), ("16.9", "postgres16")])
def test_the_parameter_groups_family_is_that_of_the_major_version(version: str, family: str) -> None:
    stack = build_database(spec(database={"engine_version": version})).stack
    assert of_type(stack, "AWS::RDS::DBParameterGroup")["DatabaseParameters"]["Family"] == family


@pytest.mark.parametrize(("version", "value"), [("17", "1"), ("18", "all")])
def test_connections_are_logged_as_the_version_spells_it(version: str, value: str) -> None:
    stack = build_database(spec(database={"engine_version": version})).stack
    parameters = of_type(stack, "AWS::RDS::DBParameterGroup")["DatabaseParameters"]["Parameters"]
    assert parameters["log_connections"] == value  # type: ignore[index]


def test_every_alarm_pages_and_watches_an_instance_of_this_stack(stack: Stack) -> None:
    alarms = of_type(stack, "AWS::CloudWatch::Alarm")
    for alarm in alarms.values():
        assert alarm["AlarmActions"] == [{"Ref": "AlertTopicArn"}]
        assert alarm["Dimensions"] in [
            [{"Name": "DBInstanceIdentifier", "Value": {"Fn::Sub": name}}] for name in IDENTIFIERS
        ]
    assert len({str(alarm["AlarmName"]) for alarm in alarms.values()}) == len(alarms)
    watched = {(str(alarm["MetricName"]), str(alarm["Dimensions"])) for alarm in alarms.values()}
    for metric in ("FreeStorageSpace", "ReplicaLag"):
        assert len({where for name, where in watched if name == metric}) == 2, "the reader too"


@pytest.mark.parametrize(
    ("instance_class", "threshold"),
    [
        ("db.t4g.medium", 315),  # 4 GiB / 9531392 = 450 connections by RDS's formula
        ("db.r6g.16xlarge", 3500),  # 512 GiB would be 57,681: RDS stops at 5000
    ],
)
def test_connections_are_judged_by_the_class(instance_class: str, threshold: int) -> None:
    stack = build_database(spec(database={"instance_class": instance_class})).stack
    assert of_type(stack, "AWS::CloudWatch::Alarm")["DatabaseConnectionsHigh"]["Threshold"] == threshold


def test_credits_are_watched_where_a_class_has_them() -> None:
    burstable = build_database(spec(database={"instance_class": "db.t4g.large"})).stack
    steady = build_database(spec(database={"instance_class": "db.m6g.large"})).stack
    assert "DatabaseCreditsCharged" in of_type(burstable, "AWS::CloudWatch::Alarm")
    assert "DatabaseCreditsCharged" not in of_type(steady, "AWS::CloudWatch::Alarm")


def test_rds_events_of_every_instance_reach_the_topic(stack: Stack) -> None:
    (subscription,) = of_type(stack, "AWS::RDS::EventSubscription").values()
    assert subscription["SourceIds"] == [{"Fn::Sub": name} for name in IDENTIFIERS]
    assert strip_comments(stack.document["Resources"])["DatabaseEvents"]["DependsOn"] == [
        "DatabaseInstance",
        "DatabaseReplicaR1",
    ]
    categories = subscription["EventCategories"]
    assert {"failover", "failure", "low storage", "maintenance"} <= set(categories)  # type: ignore[call-overload]


def test_a_class_of_unknown_memory_gets_no_made_up_limits() -> None:
    stack = build_database(spec(database={"instance_class": "db.x2g.large"})).stack
    alarms = of_type(stack, "AWS::CloudWatch::Alarm")
    assert not alarms.keys() & {"DatabaseConnectionsHigh", "DatabaseMemoryLow"}
    assert "DatabaseStorageLow" in alarms
