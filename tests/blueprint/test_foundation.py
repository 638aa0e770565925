"""Who may use the keys, write to the buckets and publish alerts, and that nothing of it goes with its stack."""

from __future__ import annotations

from typing import Any

import pytest

from bicoastal.blueprint.foundation import foundation
from bicoastal.cfn.intrinsics import strip_comments
from tests.support.private_network import HOME, private_network
from tests.support.specs import spec

S3_NAME_LIMIT = 63
LONGEST_REGION = "ap-southeast-1"


def resources(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = strip_comments(foundation(spec(**changes)).stack.document)["Resources"]
    return found


def statements(resource: Any) -> dict[str, Any]:
    properties = resource["Properties"]
    document = properties.get("KeyPolicy") or properties["PolicyDocument"]
    return {item["Sid"]: item for item in document["Statement"]}


@pytest.mark.parametrize("key", ["DataKey", "LogsKey"])
def test_keys_rotate_outlive_their_stack_and_stay_administrable(key: str) -> None:
    resource = resources()[key]
    assert resource["Properties"]["EnableKeyRotation"] is True
    assert resource["Properties"]["PendingWindowInDays"] == 30
    assert resource["DeletionPolicy"] == "RetainExceptOnCreate"
    assert resource["UpdateReplacePolicy"] == "Retain"
    assert statements(resource)["AccountAdministration"]["Principal"] == {
        "AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}
    }


def test_no_statement_lets_a_stranger_use_a_key() -> None:
    for key in ("DataKey", "LogsKey"):
        for sid, statement in statements(resources()[key]).items():
            if statement["Principal"] == {"AWS": "*"}:
                assert statement["Condition"]["ArnEquals"]["aws:PrincipalArn"], sid
                assert statement["Condition"]["StringEquals"] == {"kms:CallerAccount": {"Ref": "AWS::AccountId"}}, sid


def test_grants_on_the_data_key_are_for_aws_resources_only() -> None:
    for statement in statements(resources()["DataKey"]).values():
        if "kms:CreateGrant" in statement["Action"]:
            assert statement["Condition"]["Bool"] == {"kms:GrantIsForAWSResource": "true"}


def test_everybody_who_publishes_alerts_may_use_the_topics_key() -> None:
    found = resources()
    publishers = {
        service
        for statement in statements(found["AlertTopicPolicy"]).values()
        if statement["Effect"] == "Allow"
        for service in statement["Principal"]["Service"]
    }
    key = statements(found["LogsKey"])["PublishToTheAlertTopic"]
    assert publishers == set(key["Principal"]["Service"])
    assert {"cloudwatch.amazonaws.com", "events.amazonaws.com", "events.rds.amazonaws.com"} <= publishers
    assert found["AlertTopic"]["Properties"]["KmsMasterKeyId"] == {"Ref": "LogsKey"}


def test_no_condition_on_the_account_where_eventbridge_sends_none() -> None:
    found = resources()
    for policy in (found["AlertTopicPolicy"], found["LogsKey"]):
        for sid, statement in statements(policy).items():
            if statement["Effect"] == "Allow" and "events.amazonaws.com" in statement["Principal"].get("Service", ()):
                assert "Condition" not in statement, sid


@pytest.mark.parametrize("bucket", ["ArtifactBucket", "AccessLogBucket"])
def test_buckets_are_private_versioned_and_kept(bucket: str) -> None:
    found = resources()
    properties = found[bucket]["Properties"]
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert properties["VersioningConfiguration"] == {"Status": "Enabled"}
    assert properties["OwnershipControls"]["Rules"] == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    assert found[bucket]["DeletionPolicy"] == "RetainExceptOnCreate"
    tls = statements(found[f"{bucket}Policy"])["OnlyOverTls"]
    assert (tls["Effect"], tls["Principal"], tls["Action"]) == ("Deny", "*", ["s3:*"])
    assert len(tls["Resource"]) == 2, "the bucket itself, and the objects in it"


def test_bucket_names_fit_s3_for_the_longest_spec_and_region() -> None:
    for bucket in ("ArtifactBucket", "AccessLogBucket"):
        text = resources(name="a" * 16, environment="b" * 12)[bucket]["Properties"]["BucketName"]["Fn::Sub"]
        name = text.replace("${AWS::AccountId}", "1" * 12).replace("${AWS::Region}", LONGEST_REGION)
        assert "$" not in name
        assert len(name) <= S3_NAME_LIMIT


def test_load_balancers_of_this_account_write_where_they_write_without_a_prefix() -> None:
    deployment = private_network()
    policy = deployment.stacks[f"foundation/{HOME}"].resources["AccessLogBucketPolicy"]
    delivery = next(item for item in policy.items("PolicyDocument", "Statement") if item["Sid"] == "LoadBalancerLogs")
    assert delivery["Principal"] == {"Service": ["logdelivery.elasticloadbalancing.amazonaws.com"]} or delivery[
        "Principal"
    ] == {"Service": "logdelivery.elasticloadbalancing.amazonaws.com"}
    assert "/AWSLogs/" in deployment.spelled(delivery["Resource"][0])


def test_access_logs_go_when_other_logs_go_and_the_journal_stays() -> None:
    found = resources(logs={"retention_days": 14})
    logs = found["AccessLogBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    assert [rule["ExpirationInDays"] for rule in logs if "ExpirationInDays" in rule] == [14]
    rules = found["ArtifactBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    assert not [rule for rule in rules if "ExpirationInDays" in rule]
    journal = next(rule for rule in rules if rule.get("Prefix") == "journal/")
    assert journal["NoncurrentVersionExpiration"]["NoncurrentDays"] >= 365


def test_another_address_makes_nobody_confirm_again() -> None:
    def subscriptions(*addresses: str) -> dict[str, Any]:
        return {
            name: item["Properties"]["Endpoint"]
            for name, item in resources(alerts=list(addresses)).items()
            if item["Type"] == "AWS::SNS::Subscription"
        }

    alone, among = (
        subscriptions("ops@example.com"),
        subscriptions("a.b@example.com", "ops@example.com", "ab@example.com"),
    )
    assert alone.items() <= among.items()
    assert len(among) == 3
    assert subscriptions() == {}
