"""Log aggregation: off by default; on, every group of both regions reaches one bucket at home by managed services."""

from __future__ import annotations

from typing import Any

import pytest

from bicoastal.blueprint.aggregation import Aggregation, aggregation
from bicoastal.blueprint.foundation import foundation
from bicoastal.blueprint.stack import Stack
from bicoastal.cfn.intrinsics import equals, not_, ref, strip_comments
from bicoastal.cfn.manifest import FromOutput, Literal
from bicoastal.spec.model import Spec
from tests.support.specs import spec

ON = spec(logs={"aggregate": True, "retention_days": 365})
HOME, STANDBY = "us-east-1", "us-west-2"


def with_groups(of: Spec, *names: str, regions: tuple[str, ...] = (HOME, STANDBY)) -> Stack:
    stack = Stack(of, "service", "servers", regions=regions)
    for name in names:
        stack.add(name, "AWS::Logs::LogGroup", {"LogGroupName": f"/orders-production/{name.lower()}"})
    return stack


def build(*stacks: Stack) -> Aggregation:
    made = aggregation(ON, foundation(ON), stacks)
    assert made is not None
    return made


def resources(made: Aggregation) -> Any:
    return strip_comments(made.stack.document["Resources"])


def test_nothing_is_copied_unless_the_spec_says_so() -> None:
    stack = with_groups(spec(), "ApplicationLog")
    assert aggregation(spec(), foundation(spec()), [stack]) is None
    assert "Outputs" not in stack.document


def test_every_group_of_every_stack_is_subscribed_in_its_own_region() -> None:
    database = Stack(ON, "database", "a database")
    database.add("PostgresqlLog", "AWS::Logs::LogGroup", {"LogGroupName": "/aws/rds/instance/x/postgresql"})
    made = build(with_groups(ON, "ApplicationLog", "KitLog"), database)
    filters = {
        name: item["Properties"]
        for name, item in resources(made).items()
        if item["Type"] == "AWS::Logs::SubscriptionFilter"
    }
    assert set(filters) == {"ServiceApplicationLog", "ServiceKitLog", "DatabasePostgresqlLog"}
    for name, properties in filters.items():
        parameter = properties["LogGroupName"]["Ref"]
        for region in (HOME, STANDBY):
            source = made.stack.sources[region][parameter]
            assert isinstance(source, FromOutput)
            assert source.stack.endswith(f"/{region}"), name
        assert properties["DestinationArn"] == {"Fn::GetAtt": ["LogStream", "Arn"]}
        assert properties["FilterPattern"] == ""


def test_a_group_that_home_alone_has_is_subscribed_there_alone() -> None:
    made = build(with_groups(ON, "OnlyLog", regions=(HOME,)))
    assert resources(made)["ServiceOnlyLog"]["Condition"] == "Collects"


def test_a_group_with_a_condition_is_refused_rather_than_forgotten() -> None:
    stack = Stack(ON, "service", "servers")
    stack.condition("Sometimes", equals(ref("AWS::Region"), HOME))
    stack.add("MaybeLog", "AWS::Logs::LogGroup", {"LogGroupName": "/maybe"}, condition="Sometimes")
    with pytest.raises(ValueError, match="MaybeLog has a condition"):
        build(stack)


def test_the_standbys_bucket_is_a_relay_and_waits_for_homes() -> None:
    made = build(with_groups(ON, "ApplicationLog"))
    bucket = resources(made)["LogBucket"]["Properties"]
    condition, replication, otherwise = bucket["ReplicationConfiguration"]["Fn::If"]
    assert (condition, otherwise) == ("Relays", {"Ref": "AWS::NoValue"})
    at_home = equals(ref("AWS::Region"), HOME)
    assert made.stack.document["Conditions"] == {"Relays": not_(at_home), "Collects": at_home}
    (rule,) = replication["Rules"]
    assert rule["Destination"]["Bucket"] == {"Ref": "HomeLogBucketArn"}
    assert rule["Destination"]["EncryptionConfiguration"]["ReplicaKmsKeyID"] == {"Ref": "HomeLogsKeyArn"}
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert made.stack.sources[STANDBY]["HomeLogBucketArn"] == FromOutput("aggregation/us-east-1", "LogBucketArn")
    assert made.stack.sources[HOME]["HomeLogBucketArn"] == Literal("none")


def test_the_archive_keeps_what_the_groups_keep_and_the_relay_some_days() -> None:
    bucket = resources(build(with_groups(ON, "ApplicationLog")))["LogBucket"]["Properties"]
    (rule,) = bucket["LifecycleConfiguration"]["Rules"]
    assert rule["ExpirationInDays"] == {"Fn::If": ["Collects", 365, 7]}


def test_the_report_of_failed_deliveries_is_not_fed_into_the_delivery() -> None:
    made = build(with_groups(ON, "ApplicationLog"))
    subscribed = {
        item["Properties"]["LogGroupName"]["Ref"]
        for item in resources(made).values()
        if item["Type"] == "AWS::Logs::SubscriptionFilter"
    }
    assert not any("Delivery" in name for name in subscribed)


def test_its_roles_are_bounded_and_reach_only_its_own_buckets_stream_and_keys() -> None:
    for name, item in resources(build(with_groups(ON, "ApplicationLog"))).items():
        if item["Type"] == "AWS::IAM::Role":
            assert item["Properties"]["PermissionsBoundary"] == {"Ref": "BoundaryArn"}
            for statement in item["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]:
                assert "*" not in statement["Resource"], name
